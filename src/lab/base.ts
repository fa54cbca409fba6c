/**
 * The base: the root file system that all hosts share, a small Debian or Ubuntu with sshd, systemd and the firewall
 * tools. Built once from this machine's package sources and cached. Each host has an overlay over it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { labError, must, run } from './shell.js';

export interface BaseOptions {
  /** A release of this machine's distribution, such as `bullseye` or `trixie`; default: this machine's. */
  readonly suite?: string;
  /** Additional packages, for other tools that are benchmarked. */
  readonly packages?: readonly string[];
  /** Where bases are kept; default `/var/cache/sallyport-lab`. */
  readonly cache?: string;
  /** Called once if the base is not cached, when building starts. */
  readonly onBuild?: (message: string) => void;
}

export interface Base {
  readonly suite: string;
  /** The root directory; must not be written to. */
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
 * Hooks of mmdebstrap, with the new root in `$1`. Preseeding keeps iptables-persistent from saving the rules of this
 * machine; saved rules, host keys and the machine-id are created for each host.
 */
const PRESEED = `printf '%s\\n' \
  'iptables-persistent iptables-persistent/autosave_v4 boolean false' \
  'iptables-persistent iptables-persistent/autosave_v6 boolean false' \
  'ipset-persistent ipset-persistent/autosave boolean false' | chroot "$1" debconf-set-selections`;
const FINISH = `rm -rf "$1"/etc/iptables/* "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id "$1"/var/lib/dbus/machine-id`;

/** Builds in another directory and renames it, under a lock, so that concurrent processes build a base once. */
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
 * Returns the base of a suite; builds it if it is not cached (about 20 s and 220 MB). Needs root.
 * @throws ProblemError if apt has no sources for it or the build fails.
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
  options.onBuild?.(
    `Building the hosts' root file system (${suite}, once, about 20 seconds) in ${directory}.`,
  );
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
  throw labError(
    'lab-base-failed',
    `Building the hosts' root file system failed: ${built.stderr.trim().split('\n').slice(-12).join('\n')}`,
    'Check that "apt-get update" works on this machine.',
  );
}

function ownSuite(): string {
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (suite !== undefined) return suite;
  throw labError('lab-base-failed', '/etc/os-release has no VERSION_CODENAME.');
}

/**
 * This machine's apt sources of the suite and its updates; another suite comes from the same mirror. If the machine has
 * no package lists yet, apt knows no sources, so they are fetched first.
 */
async function packageSources(suite: string): Promise<string> {
  let lines = sourceLines(await indexTargets(), suite);
  if (lines.length === 0) {
    await must('apt-get', ['update', '-q']);
    lines = sourceLines(await indexTargets(), suite);
  }
  if (lines.length > 0) return lines.join('\n');
  throw labError(
    'lab-no-package-sources',
    `apt on this machine has no source of Debian or Ubuntu packages for ${suite}.`,
    'Check /etc/apt/sources.list and /etc/apt/sources.list.d.',
  );
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

/** This machine's download settings (proxies, retries, Check-Valid-Until), for the apt that fills the root. */
async function downloadSettings(): Promise<readonly string[]> {
  const dump = await must('apt-config', ['dump']);
  const settings = dump
    .split('\n')
    .filter((line) => /^Acquire::(https?|Check|Retries|ForceIPv|AllowInsecure)\S* "[^"]+";$/.test(line));
  return [...settings, 'Acquire::Languages "none";'];
}
