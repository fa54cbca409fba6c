/** What a machine must have to run real hosts or the tests, what this one lacks, and how to get it. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Missing {
  /** Debian or Ubuntu packages to install. */
  readonly packages: readonly string[];
  /** Why no package can help, one sentence each. */
  readonly reasons: readonly string[];
}

/** Programs that are started on the machine itself, and the packages that bring them. */
type Needs = readonly (readonly [program: string, fromPackage: string])[];

const LIGHT: Needs = [
  ['mmdebstrap', 'mmdebstrap'],
  ['ip', 'iproute2'],
  ['ssh-keygen', 'openssh-client'],
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['flock', 'util-linux'],
  ['mount', 'mount'],
];
const SYSTEMD: Needs = [...LIGHT, ['systemd-nspawn', 'systemd-container']];

/** What each purpose needs. The demo runs light hosts alone. */
const NEEDS = {
  demo: LIGHT,
  lab: SYSTEMD,
  tests: [
    ...SYSTEMD,
    ['iptables', 'iptables'],
    ['ipset', 'ipset'],
    ['nft', 'nftables'],
    ['shellcheck', 'shellcheck'],
    ['busybox', 'busybox-static'],
    ['ps', 'procps'],
    ['conntrack', 'conntrack'],
    ['perl', 'perl-base'],
  ],
} as const satisfies Record<string, Needs>;

export type Purpose = keyof typeof NEEDS;

/** What stands between this machine and a purpose; both lists empty means that it can start. */
export function missingFor(purpose: Purpose): Missing {
  if (process.platform !== 'linux')
    return { packages: [], reasons: ['Real hosts need Linux: network namespaces are a part of its kernel.'] };
  const reasons = [
    ...(process.getuid?.() === 0 ? [] : ['Real hosts need root: run it with sudo, or as root.']),
    ...(mayUnshare() ? [] : ['This process may not make namespaces: what it runs in holds it back.']),
    ...(knowsOverlay() ? [] : ['This kernel has no overlay file system.']),
    ...(existsSync('/etc/debian_version')
      ? []
      : ['Real hosts are built from the packages of Debian or Ubuntu, with apt.']),
  ];
  const packages = NEEDS[purpose].filter(([program]) => !installed(program)).map(([, name]) => name);
  return { packages: [...new Set(packages)], reasons };
}

/** The command a person would type to install packages. */
export const installCommand = (packages: readonly string[]): string =>
  `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install --no-install-recommends ${packages.join(' ')}`;

/**
 * Installs packages without asking, after fetching the package lists; what apt says goes to stderr.
 * @returns whether all of them are there now.
 */
export function installPackages(packages: readonly string[]): boolean {
  const apt = (...words: string[]): boolean =>
    spawnSync('apt-get', ['-q', '-y', ...words], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  return apt('update') && apt('install', '--no-install-recommends', ...packages);
}

/** Root's path may lack sbin when it came through `su`. */
function installed(program: string): boolean {
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** CAP_SYS_ADMIN, bit 21 (capabilities(7)), makes every kind of namespace and mount. */
function mayUnshare(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return ((BigInt(`0x${effective ?? '0'}`) >> 21n) & 1n) === 1n;
}

/** As a module it appears in /proc/filesystems only once loaded; mount(8) loads it then. */
function knowsOverlay(): boolean {
  if (/\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'))) return true;
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return existsSync(`/lib/modules/${release}/kernel/fs/overlayfs`);
}
