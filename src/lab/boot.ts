/** The two types of hosts: sshd alone in namespaces of its own (light), or booted with systemd-nspawn (systemd). */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostSetup } from './host-root.js';
import { labError, rejectOnExit, run, systemEnv, until, waitForLine } from './shell.js';

/** What hosts need of the lab to start in it. */
export interface LabNamespaces {
  /** The lab's init process, as numbered on this machine. */
  readonly pid: number;
  /** The lab's cgroups, in which systemd of a host creates its own; not created yet. */
  readonly cgroups: readonly string[];
}

export interface Running {
  /** The process that the lab started; it exits with the host. */
  readonly process: ChildProcess;
  /** The host's init process, as numbered on this machine. */
  readonly pid: number;
  readonly ended: Promise<void>;
}

type Boot = (namespaces: LabNamespaces, setup: HostSetup) => Promise<Running>;

/** A type of hosts: the files that it needs besides those of `host-root.ts`, and how it boots. */
export interface HostType {
  readonly files: (setup: HostSetup) => Readonly<Record<string, string>>;
  readonly boot: Boot;
}

/** Arguments for `nsenter`, to enter namespaces of a process: m mount, n network, p PID, u UTS, i IPC. */
export const nsenterArguments = (pid: number, kinds: string): readonly string[] => [
  '-t',
  String(pid),
  ...[...kinds].map((kind) => `-${kind}`),
  '--',
];

/**
 * For both types, in new network and mount namespaces, which clean up by themselves: the veth pair to the lab's bridge,
 * and the overlay over the lab's read-only base. /proc is the lab's, and process 1 in it the lab's init.
 */
const PREPARE = `
directory="$1" port="$2" mac="$3"; shift 3
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
ip link add eth0 address "$mac" type veth peer name "$port" netns /proc/1/ns/net
nsenter --net=/proc/1/ns/net ip link set "$port" master br0 up
cd "$directory"
mount -t overlay overlay -o lowerdir=/run/base,upperdir=upper,workdir=work root
`;
const prepareWith = ({ directory, link }: HostSetup): readonly string[] => [directory, link.port, link.mac];

/** Every peer of a host is on its only link. */
const networkUp = ({ addresses: { v4, v6 } }: HostSetup): string =>
  [
    ...(v6 === undefined ? ['echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'] : []),
    'ip link set lo up',
    `ip address add ${v4}/32 dev eth0`,
    ...(v6 === undefined ? [] : [`ip address add ${v6}/128 dev eth0 nodad`]),
    'ip link set eth0 up',
    'ip route add default dev eth0',
    ...(v6 === undefined ? [] : ['ip -6 route add default dev eth0']),
  ].join('; ');

/** Init of a light host, until it has left this machine's file system. */
const LIGHT = `
${PREPARE}
hostname "$1"
eval "$2"
cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mkdir run/sshd run/lock
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for node in null,3 zero,5 full,7 random,8 urandom,9; do mknod -m 666 "dev/\${node%,*}" c 1 "\${node#*,}"; done
mknod -m 666 dev/tty c 5 0
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -eu -c "$LIGHT_INIT"
`;

/** Loads the saved rules and starts sshd. Then only reaps orphans, which the kernel does if SIGCHLD is ignored (wait(2)). */
const LIGHT_INIT = `
[ -z "$(ls /etc/iptables 2>/dev/null)" ] || netfilter-persistent start >/dev/null 2>&1 || true
/usr/sbin/sshd
until [ -s /run/sshd.pid ]; do sleep 0.01; done
echo ready
exec >/dev/null 2>&1
exec env --ignore-signal=CHLD sleep infinity
`;

const bootLight: Boot = async (namespaces, setup) => {
  const process = spawn(
    'nsenter',
    [
      ...nsenterArguments(namespaces.pid, 'mnpi'),
      ...['unshare', '--net', '--uts', '--ipc', '--mount', '--pid', '--fork', 'sh', '-eu', '-c', LIGHT, 'sh'],
      ...[...prepareWith(setup), setup.name, networkUp(setup)],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...systemEnv, LIGHT_INIT } },
  );
  await waitForLine(process, 'ready');
  return { process, pid: await initProcess(process, HOST_DEPTH), ended: exitOf(process) };
};

/** Runs systemd-nspawn in cgroups of the host, without this machine's journals and settings. */
const SYSTEMD = `
${PREPARE}
name="$1"; shift
for cgroup do mkdir -p "$cgroup"; echo 0 >"$cgroup/cgroup.procs"; done
exec systemd-nspawn --quiet --directory=root --machine="$port" --hostname="$name" --boot \
  --keep-unit --register=no --settings=no --link-journal=no --resolv-conf=off --timezone=off --console=pipe \
  --network-namespace-path=/proc/self/ns/net --capability=CAP_NET_ADMIN,CAP_NET_RAW
`;

/** Brings the interface up when a distribution's network service would: after the firewall. */
const networkUnit = (setup: HostSetup): string => `[Unit]
Description=The host's network interface
DefaultDependencies=no
Wants=network.target
After=network-pre.target
Before=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -euc '${networkUp(setup)}'
`;

const bootSystemd: Boot = async (namespaces, setup) => {
  const cgroups = namespaces.cgroups.map((cgroup) => join(cgroup, setup.link.port));
  const process = spawn(
    'nsenter',
    [
      ...nsenterArguments(namespaces.pid, 'mnpui'),
      ...['unshare', '--net', '--mount', 'sh', '-eu', '-c', SYSTEMD, 'sh'],
      ...[...prepareWith(setup), setup.name, ...cgroups],
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      // /proc/sys/net belongs to the host's network namespace.
      env: { ...systemEnv, SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network' },
    },
  );
  const ended = exitOf(process);
  const pid = await Promise.race([initProcess(process, HOST_DEPTH), rejectOnExit(process)]);
  const systemctl = async (...words: string[]): Promise<string> =>
    (await run('nsenter', [...nsenterArguments(pid, 'mnpui'), 'systemctl', ...words])).stdout.trim();
  const booted = async (): Promise<string | undefined> => {
    const state = await systemctl('is-system-running');
    return state === 'running' || state === 'degraded' ? state : undefined;
  };
  if ((await until(`${setup.name} has booted`, booted, 60)) === 'degraded')
    throw labError(
      'lab-start-failed',
      `${setup.name} booted with failed units: ${await systemctl('--failed', '--plain', '--no-legend')}`,
    );
  return { process, pid, ended };
};

/** The types of hosts, by name. */
export const HOST_TYPES: Readonly<Record<'light' | 'systemd', HostType>> = {
  light: { files: () => ({}), boot: bootLight },
  systemd: {
    files: (setup) => ({
      '/etc/systemd/system/lab-network.service': networkUnit(setup),
      '/etc/systemd/system/multi-user.target.d/lab.conf': '[Unit]\nWants=lab-network.service\n',
    }),
    boot: bootSystemd,
  },
};

/** Nested PID namespaces: the machine's, the lab's, the host's. */
export const LAB_DEPTH = 2;
const HOST_DEPTH = 3;

/** Finds the descendant of `started` that is process 1 in the innermost of `depth` PID namespaces (NSpid, proc(5)). */
export function initProcess(started: ChildProcess, depth: number): Promise<number> {
  return until('The init process appears', () => find(started.pid ?? 0, depth));
}

function find(pid: number, depth: number): number | undefined {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return undefined;
  try {
    const numbers = /^NSpid:\s*(.*)$/m.exec(readFileSync(status, 'utf8'))?.[1]?.split(/\s+/) ?? [];
    if (numbers.length === depth && numbers.at(-1) === '1') return pid;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    for (const child of children === '' ? [] : children.split(' ')) {
      const found = find(Number(child), depth);
      if (found !== undefined) return found;
    }
  } catch {
    // It exited in between.
  }
  return undefined;
}

/** Resolves when the process has exited. */
export const exitOf = (process: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (process.exitCode !== null || process.signalCode !== null) resolve();
    else process.once('exit', () => resolve());
  });
