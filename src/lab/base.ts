/**
 * The root that all hosts share: a small Debian or Ubuntu with sshd, systemd and the firewall's own tools, built once
 * from the machine's own package sources and kept. Hosts never write to it: each lays its own files over it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { error, ProblemError } from '../lib/problem.js';
import { must, run } from './shell.js';

export interface BaseOptions {
  /** A release of the machine's own distribution, such as `bullseye` or `trixie`; default: the machine's own. */
  readonly suite?: string;
  /** More packages than hosts need: what others want of a host that are measured beside us. */
  readonly packages?: readonly string[];
  /** Where bases are kept; default `/var/cache/sallyport-lab`. */
  readonly cache?: string;
  /** Told once, when the base is not there yet and building starts. */
  readonly onBuild?: (message: string) => void;
}

export interface Base {
  readonly suite: string;
  /** The root directory. Read only by agreement. */
  readonly directory: string;
}

const PACKAGES = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'openssh-server',
  'sudo',
  'iptables',
  'iptables-persistent',
  'netfilter-persistent',
  'ipset',
  'ipset-persistent',
  'nftables',
  'iproute2',
  'conntrack',
  'procps',
  'passwd',
  'mount',
  'busybox-static',
];

/**
 * Run in the new root's place with `$1` its path. Saved rules, host keys and the machine's identity belong to each
 * host; preseeding keeps iptables-persistent from saving the rules of the machine that builds.
 */
const PRESEED = `printf '%s\\n' \
  'iptables-persistent iptables-persistent/autosave_v4 boolean false' \
  'iptables-persistent iptables-persistent/autosave_v6 boolean false' \
  'ipset-persistent ipset-persistent/autosave boolean false' | chroot "$1" debconf-set-selections`;
const FINISH = `rm -rf "$1"/etc/iptables/* "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id "$1"/var/lib/dbus/machine-id`;

/** Builds aside and renames, under a lock: two processes that want the same base build it once. */
const BUILD = `
[ ! -d "$1" ] || exit 0
building="$1.building"
rm -rf --one-file-system "$building"
target="$1"; shift
sources="$1"; shift
printf '%s\\n' "$sources" | mmdebstrap --mode=root "$@" "$building" -
mv "$building" "$target"
`;

/**
 * The base of a suite, built when it is not in the cache yet (about 20 s and 220 MB), else at once.
 * Needs root. @throws ProblemError when apt knows no sources or the build fails.
 */
export async function prepareBase(options: BaseOptions = {}): Promise<Base> {
  const cache = options.cache ?? '/var/cache/sallyport-lab';
  const suite = options.suite ?? ownSuite();
  const architecture = (await must('dpkg', ['--print-architecture'])).trim();
  const packages = [...PACKAGES, ...(options.packages ?? [])];
  const recipe = createHash('sha256')
    .update(JSON.stringify([packages, PRESEED, FINISH]))
    .digest('hex');
  const directory = join(cache, `${suite}-${architecture}-${recipe.slice(0, 12)}`);
  if (existsSync(directory)) return { suite, directory };
  options.onBuild?.(`Building the hosts' common root (${suite}, once, about 20 seconds) in ${directory}.`);
  mkdirSync(cache, { recursive: true });
  const built = await run('flock', [
    `${directory}.lock`,
    ...['sh', '-eu', '-c', BUILD, 'sh', directory, await packageSources(suite)],
    ...['--variant=essential', `--include=${packages.join(',')}`, '--dpkgopt=force-unsafe-io'],
    '--keyring=/usr/share/keyrings',
    ...['--dpkgopt=path-exclude=/usr/share/man/*', '--dpkgopt=path-exclude=/usr/share/locale/*'],
    ...(await downloadSettings()).map((setting) => `--aptopt=${setting}`),
    ...[`--essential-hook=${PRESEED}`, `--customize-hook=${FINISH}`, suite],
  ]);
  if (built.code === 0) return { suite, directory };
  throw new ProblemError([
    error(
      'lab-base-failed',
      `The hosts' common root could not be built: ${built.stderr.trim().split('\n').slice(-12).join('\n')}`,
      undefined,
      'Check that "apt-get update" works on this machine.',
    ),
  ]);
}

function ownSuite(): string {
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (suite !== undefined) return suite;
  throw new ProblemError([
    error('lab-base-failed', '/etc/os-release does not name the release of this system.'),
  ]);
}

/**
 * The machine's own sources of the suite with its updates, as apt understands them, whatever the files are called.
 * Another suite of the same distribution comes from the same mirror. A machine fresh from an image has no package
 * lists, and apt then names no sources: they are fetched first.
 */
async function packageSources(suite: string): Promise<string> {
  const lines = sourceLines(await indexTargets(), suite);
  if (lines.length > 0) return lines.join('\n');
  await must('apt-get', ['update', '-q']);
  const fetched = sourceLines(await indexTargets(), suite);
  if (fetched.length > 0) return fetched.join('\n');
  throw new ProblemError([
    error(
      'lab-no-package-sources',
      `apt knows no source of Debian or Ubuntu packages for ${suite} on this machine.`,
      undefined,
      'Check /etc/apt/sources.list and /etc/apt/sources.list.d.',
    ),
  ]);
}

const indexTargets = (): Promise<string> =>
  must('apt-get', [
    ...['indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)'],
    'Created-By: Packages',
  ]);

function sourceLines(targets: string, suite: string): readonly string[] {
  const listed = targets
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , , origin]) => origin === 'Debian' || origin === 'Ubuntu');
  const own = listed.filter(([, release]) => release === suite || release?.startsWith(`${suite}-`));
  const mirrors = listed
    .filter(([, release]) => release === ownSuite())
    .map(([uri, , component]) => [uri, suite, component]);
  const chosen = own.length > 0 ? own : mirrors;
  return [...new Set(chosen.map(([uri, release, component]) => `deb ${uri} ${release} ${component}`))].sort();
}

/** How this machine downloads (proxies, retries, clocks it does not trust), for the apt that fills the root. */
async function downloadSettings(): Promise<readonly string[]> {
  const dump = await must('apt-config', ['dump']);
  const settings = dump
    .split('\n')
    .filter((line) => /^Acquire::(https?|Check|Retries|ForceIPv|AllowInsecure)\S* "[^"]+";$/.test(line));
  return [...settings, 'Acquire::Languages "none";'];
}
