/** The requirements for running real hosts or the tests, what this machine lacks, and how to install it. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Missing {
  /** Debian or Ubuntu packages to install. */
  readonly packages: readonly string[];
  /** Reasons that no package can fix, one sentence each. */
  readonly reasons: readonly string[];
}

/** Programs that run on this machine, and the packages that contain them. */
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

/** The demo has light hosts only. */
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

/** What this machine lacks for a purpose; nothing if both lists are empty. */
export function missingFor(purpose: Purpose): Missing {
  if (process.platform !== 'linux')
    return { packages: [], reasons: ['Real hosts need Linux, for its network namespaces.'] };
  const reasons = [
    ...(process.getuid?.() === 0 ? [] : ['Real hosts need root: run this as root or with sudo.']),
    ...(mayUnshare()
      ? []
      : ['This process cannot create namespaces: its container does not permit it (CAP_SYS_ADMIN).']),
    ...(knowsOverlay() ? [] : ['This kernel has no overlay file system.']),
    ...(existsSync('/etc/debian_version') ? [] : ['Real hosts need apt, on Debian or Ubuntu.']),
  ];
  const packages = NEEDS[purpose].filter(([program]) => !installed(program)).map(([, name]) => name);
  return { packages: [...new Set(packages)], reasons };
}

/** The command that installs packages, to show to the user. */
export const installCommand = (packages: readonly string[]): string =>
  `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install --no-install-recommends ${packages.join(' ')}`;

/** Updates the package lists and installs packages without prompts; apt's output goes to stderr. @returns Whether it succeeded. */
export function installPackages(packages: readonly string[]): boolean {
  const apt = (...words: string[]): boolean =>
    spawnSync('apt-get', ['-q', '-y', ...words], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  return apt('update') && apt('install', '--no-install-recommends', ...packages);
}

/** After `su`, root's PATH may lack sbin. */
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

/** CAP_SYS_ADMIN, bit 21 (capabilities(7)), permits every type of namespace and mount. */
function mayUnshare(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return ((BigInt(`0x${effective ?? '0'}`) >> 21n) & 1n) === 1n;
}

/** A module appears in /proc/filesystems only once loaded, which mount(8) does. */
function knowsOverlay(): boolean {
  if (/\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'))) return true;
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return existsSync(`/lib/modules/${release}/kernel/fs/overlayfs`);
}
