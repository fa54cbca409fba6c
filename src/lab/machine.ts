/** What a machine must have to run real hosts, and what this one lacks. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Missing {
  /** Debian or Ubuntu packages to install. */
  readonly packages: readonly string[];
  /** Why no package can help, one sentence each. */
  readonly reasons: readonly string[];
}

/** A program that the lab starts on the machine itself, and the package that brings it. */
const NEEDED: readonly (readonly [program: string, package_: string])[] = [
  ['mmdebstrap', 'mmdebstrap'],
  ['ip', 'iproute2'],
  ['ssh-keygen', 'openssh-client'],
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['flock', 'util-linux'],
  ['mount', 'mount'],
];

/** Whole hosts boot with this one. */
const NEEDED_FOR_WHOLE_HOSTS: typeof NEEDED = [['systemd-nspawn', 'systemd-container']];

/**
 * What stands between this machine and a lab; both lists empty means that a lab can open.
 * Whole hosts (booted with systemd) need one package more than light ones.
 */
export function missingForLab(hosts: 'light' | 'whole' = 'whole'): Missing {
  if (process.platform !== 'linux')
    return { packages: [], reasons: ['Real hosts need Linux: network namespaces are a part of its kernel.'] };
  const reasons = [
    ...(process.getuid?.() === 0 ? [] : ['Real hosts need root: run it with sudo, or as root.']),
    ...(mayUnshare()
      ? []
      : ['This process may not make namespaces: the container it runs in holds it back.']),
    ...(knowsOverlay() ? [] : ['This kernel has no overlay file system.']),
    ...(existsSync('/etc/debian_version')
      ? []
      : ['Real hosts are built with the packages of Debian or Ubuntu.']),
  ];
  const needed = hosts === 'whole' ? [...NEEDED, ...NEEDED_FOR_WHOLE_HOSTS] : NEEDED;
  const packages = needed.filter(([program]) => !installed(program)).map(([, name]) => name);
  return { packages: [...new Set(packages)], reasons };
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
