/**
 * Real hosts on one machine. A lab is a PID namespace with network and mount namespaces, which contain all hosts. When
 * this process exits, however, a pipe closes, the lab's init exits, and the kernel removes everything. This machine's
 * network, mounts and processes are not touched. Only the client's keys and known_hosts are files on the machine, in a
 * private directory that is removed as well.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { error, ProblemError } from '../lib/problem.js';
import { type BaseOptions, prepareBase } from './base.js';
import { exitOf, HOST_TYPES, initProcess, LAB_DEPTH, type LabNamespaces, nsenterArguments } from './boot.js';
import { type Dialer, openDialer } from './dialer.js';
import { type Host, hostOf } from './host.js';
import {
  type Addresses,
  addressesOf,
  createHostRoot,
  type HostOptions,
  pinHostKeys,
  putFile,
} from './host-root.js';
import { installCommand, missingFor, type Purpose } from './machine.js';
import { collectOutput, must, type ProcessResult, type RunOptions, systemEnv, waitForLine } from './shell.js';

export type { Addresses, Host, HostOptions, ProcessResult, RunOptions };

export interface LabOptions {
  readonly base?: BaseOptions;
}

export interface Lab {
  /** The addresses of the lab's client. */
  readonly client: Required<Addresses>;
  /** Other client addresses, for `from` and `ssh -b`. */
  readonly otherClient: Required<Addresses>;
  /** The client's private key file (ed25519, mode 600), with its public key in `.pub`. */
  readonly identity: string;
  /** A file with the host keys of every host, by address. */
  readonly knownHosts: string;
  /** A private directory on this machine, also for the caller's files; removed with the lab. */
  readonly directory: string;
  /** Starts a host with sshd alone, without systemd: it takes a third of a second. */
  light(options: HostOptions): Promise<Host>;
  /** Boots a host with systemd: timers, units, saved rules loaded at boot. */
  systemd(options: HostOptions): Promise<Host>;
  /** Runs a program in the lab's network, with this machine's files. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<ProcessResult>;
  /** As `run`, for programs that are watched or killed: signals reach the program itself. */
  spawn(command: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Opens a connection from inside the lab for code outside of it. The socket is paused. */
  readonly connect: Dialer;
  /** Stops everything that the lab started. Can be called twice. */
  close(): Promise<void>;
}

/**
 * The lab's init. It has its own /run and /tmp, and the base mounted read-only. Links that are cut are moved to a bridge
 * that is down. Then it waits for the pipe to close, while the kernel reaps orphans.
 */
const LAB_INIT = `
mount -t proc proc /proc
mount --bind "$1" /mnt
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/hosts /run/base
mount --move /mnt /run/base
mount -o remount,bind,ro /run/base
mount -t tmpfs -o mode=1777 tmpfs /tmp
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
ip link set lo up
ip link add br0 type bridge mcast_snooping 0
ip link set br0 up
ip link add nowhere type bridge
shift
for address do ip address add "$address" dev br0 nodad; done
ip route add default dev br0 src "\${1%/*}"
ip -6 route add default dev br0 src "\${2%/*}"
echo ready
exec env --ignore-signal=CHLD cat >/dev/null
`;

/** Starts the lab's init and removes cgroups and the directory after it; outlives this process for that. */
const LAB_KEEPER = `
directory="$1"; shift
cgroups="$1"; shift
unshare --net --uts --ipc --mount --pid --fork sh -eu -c "$@" || true
for cgroup in $cgroups; do [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} +; done
rm -rf "$directory"
`;

const CLIENT = addressesOf(1);
const OTHER_CLIENT = { v4: '198.51.100.66', v6: '2001:db8:666::66' };
const FIRST_HOST = 10;

/**
 * Opens an empty lab. Labs share only the base; any number can be open at once.
 * @throws ProblemError if this machine cannot run one; see {@link missingFor}.
 */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  refuseUnfit('demo');
  const base = await prepareBase(options.base);
  const directory = mkdtempSync(join(tmpdir(), `sallyport-lab-${process.pid}-`));
  const cgroups = ownCgroups().map((cgroup) => join(cgroup, basename(directory)));
  const identity = join(directory, 'id_ed25519');
  const knownHosts = join(directory, 'known_hosts');

  const keeper = spawn(
    'sh',
    [
      ...['-c', LAB_KEEPER, 'sh', directory, cgroups.join(' '), LAB_INIT, 'sh', base.directory],
      ...[CLIENT, OTHER_CLIENT].flatMap(({ v4, v6 }) => [`${v4}/32`, `${v6}/128`]),
    ],
    // Detached: Ctrl-C is for this process only; the lab ends when the pipe closes.
    { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: systemEnv },
  );
  const ended = exitOf(keeper);
  await waitForLine(keeper, 'ready');
  const namespaces: LabNamespaces = { pid: await initProcess(keeper, LAB_DEPTH), cgroups };
  await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'lab', '-f', identity]);
  writeFileSync(knownHosts, '', { mode: 0o600 });
  const publicKey = readFileSync(`${identity}.pub`, 'utf8');

  let taken = FIRST_HOST;
  const start = async (type: keyof typeof HOST_TYPES, wanted: HostOptions): Promise<Host> => {
    const root = `/proc/${namespaces.pid}/root`;
    const setup = await createHostRoot(taken++, wanted, { base, root, publicKey });
    const { files } = HOST_TYPES[type];
    for (const [path, text] of Object.entries(files(setup)))
      putFile(join(root, setup.directory, 'upper', path), text);
    pinHostKeys(knownHosts, setup);
    const host = hostOf(namespaces, setup, HOST_TYPES[type]);
    await host.boot();
    const { sets, v4, v6 } = wanted.rules ?? {};
    if (sets !== undefined) await host.must('ipset restore', sets);
    if (v4 !== undefined) await host.must('iptables-restore', v4);
    if (v6 !== undefined) await host.must('ip6tables-restore', v6);
    return host;
  };

  const clients = new Set<ChildProcess>();
  const spawnInside: Lab['spawn'] = (command, args, spawnOptions = {}) => {
    const client = spawn(
      'nsenter',
      [...nsenterArguments(namespaces.pid, 'n'), command, ...args],
      spawnOptions,
    );
    clients.add(client);
    client.once('exit', () => clients.delete(client));
    return client;
  };
  let dialer: ReturnType<typeof openDialer> | undefined;

  return {
    client: CLIENT,
    otherClient: OTHER_CLIENT,
    identity,
    knownHosts,
    directory,
    light: (wanted) => start('light', wanted),
    systemd: async (wanted) => {
      refuseUnfit('lab');
      return start('systemd', wanted);
    },
    run: (command, args, { input, ...rest } = {}) => collectOutput(spawnInside(command, args, rest), input),
    spawn: spawnInside,
    connect: (address, port, dialOptions) => {
      dialer ??= openDialer(namespaces.pid);
      return dialer.dial(address, port, dialOptions);
    },
    close: async () => {
      const going = [...clients];
      for (const client of going) client.kill('SIGKILL');
      await Promise.all(going.map(exitOf));
      dialer?.close();
      keeper.stdin?.end();
      await ended;
    },
  };
}

function refuseUnfit(purpose: Purpose): void {
  const { packages, reasons } = missingFor(purpose);
  const install =
    packages.length === 0 ? [] : [`Missing packages. Install them with: ${installCommand(packages)}`];
  const problems = [...reasons, ...install].map((reason) => error('lab-unfit-machine', reason));
  if (problems.length > 0) throw new ProblemError(problems);
}

/** This process's cgroups in the hierarchies that systemd manages (cgroups(7)). */
function ownCgroups(): readonly string[] {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  const pathOf = (prefix: RegExp): string | undefined =>
    lines.find((line) => prefix.test(line))?.replace(prefix, '');
  const unified = pathOf(/^0::/);
  const named = pathOf(/^\d+:name=systemd:/);
  if (existsSync('/sys/fs/cgroup/cgroup.controllers'))
    return unified === undefined ? [] : [join('/sys/fs/cgroup', unified)];
  return [
    ...(named === undefined ? [] : [join('/sys/fs/cgroup/systemd', named)]),
    ...(unified === undefined ? [] : [join('/sys/fs/cgroup/unified', unified)]),
  ].filter((path) => existsSync(path));
}
