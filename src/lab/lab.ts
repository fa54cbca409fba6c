/**
 * Real hosts on one machine. A lab is one process namespace with a network and a view of the mounts of its own; every
 * host lives inside of it. It hangs by one pipe: when this process ends, by whatever end, the pipe closes, the lab's
 * first process ends, and the kernel takes everything with it. The machine's own network, mounts and processes never
 * know. Only the client's keys and known_hosts are files on the machine, in a private directory that goes as well.
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
  /** Where the lab's clients come from. */
  readonly client: Required<Addresses>;
  /** A second pair of client addresses, for `from` and `ssh -b`: someone else. */
  readonly otherClient: Required<Addresses>;
  /** The client's private key (ed25519, mode 600); its public half is beside it in `.pub`. */
  readonly identity: string;
  /** Holds the host keys of every host, by address. */
  readonly knownHosts: string;
  /** A private directory on the machine for the caller's own files; it goes with the lab. */
  readonly directory: string;
  /** sshd in namespaces of its own, without systemd: up in a third of a second. */
  light(options: HostOptions): Promise<Host>;
  /** Booted with systemd: timers, units, a boot that loads the saved rules. */
  systemd(options: HostOptions): Promise<Host>;
  /** Runs a program where the hosts can be reached. It sees the machine's files; its loopback is the lab's. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<ProcessResult>;
  /** As `run`, for programs that must be watched or killed: signals reach the program itself. */
  spawn(command: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** A connection from inside the lab for code that runs outside of it. The socket is paused. */
  readonly connect: Dialer;
  /** Ends everything that the lab started. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * The lab's first process. /run and /tmp become its own, for what hosts leave there; the base is seen read-only.
 * A bridge that is never up takes the wires that are cut. Then it waits for the pipe to close, while the kernel reaps what is orphaned.
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

/** Outlives this process by the moment it takes to clear up after it. */
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
 * Opens an empty lab. Labs share nothing but the base: as many as memory allows can be open at once.
 * @throws ProblemError when this machine cannot run one; see {@link missingFor}.
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
    // Detached: a Ctrl-C in the terminal is for this process; the lab ends when the pipe does.
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
    packages.length === 0 ? [] : [`Packages are missing. Install them with: ${installCommand(packages)}`];
  const problems = [...reasons, ...install].map((reason) => error('lab-unfit-machine', reason));
  if (problems.length > 0) throw new ProblemError(problems);
}

/** This process's own place in the hierarchies that systemd in a host wants to manage (cgroups(7)). */
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
