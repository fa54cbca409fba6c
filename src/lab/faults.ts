/** Fault injection for a host. A fault lasts until it is repaired; a reboot clears those inside the host and on its link. */
import { spawn } from 'node:child_process';
import { shellQuote } from '../lib/text.js';
import { exitOf, type LabNamespaces, nsenterArguments } from './boot.js';
import type { HostSetup } from './host-root.js';
import { must, systemEnv, waitForLine } from './shell.js';

/** Removes the fault. Has no effect if the host was powered off since. */
export type Repair = () => Promise<void>;

export interface Faults {
  /** Drops all packets in both directions; the link stays up. */
  cutLink(): Promise<Repair>;
  /** Drops the packets of one family between the lab's clients and the host. */
  cutFamily(family: 'v4' | 'v6'): Promise<Repair>;
  /** Drops new connections from the lab's clients to sshd; established ones continue. */
  blockNewSsh(family?: 'v4' | 'v6'): Promise<Repair>;
  /** Drops this share (0 to 1) of the packets in each direction between the lab's clients and the host. */
  losePackets(share: number): Promise<Repair>;
  /** Fills the file system of a directory; existing files stay readable. */
  fillDisk(directory: string): Promise<Repair>;
  /** Makes a directory read-only. */
  readOnly(directory: string): Promise<Repair>;
  /** Another process holds the xtables lock of the legacy tools. */
  holdXtablesLock(): Promise<Repair>;
}

export interface FaultTarget {
  readonly namespaces: LabNamespaces;
  readonly setup: HostSetup;
  /** Runs a script in the host; throws if it fails. */
  readonly inHost: (script: string) => Promise<string>;
  /** The host's first process. */
  readonly pid: () => number;
  readonly isUp: () => boolean;
}

type Rule = readonly [chain: 'INPUT' | 'OUTPUT', ...match: string[]];

/** The faults of one host; see {@link Faults}. */
export function faultsOf({ namespaces, setup, inHost, pid, isUp }: FaultTarget): Faults {
  const inLab = (...command: string[]): Promise<string> =>
    must('nsenter', [...nsenterArguments(namespaces.pid, 'mn'), ...command]);
  /** Adds rules to the firewall of the lab's namespace, with the tools of the base. */
  const drop = async (
    rules: (family: 'v4' | 'v6', address: string) => readonly Rule[],
    only?: 'v4' | 'v6',
  ) => {
    const added = Object.entries(setup.addresses).flatMap(([key, address]: [string, string]) => {
      const family = key as 'v4' | 'v6';
      if (only !== undefined && only !== family) return [];
      const tool = family === 'v4' ? 'iptables-nft' : 'ip6tables-nft';
      return rules(family, address).map((rule) => ({ tool, rule: [...rule, '-j', 'DROP'] }));
    });
    const each = async (verb: '-I' | '-D') => {
      for (const { tool, rule } of added)
        await inLab('chroot', '/run/base', `/usr/sbin/${tool}`, '-w', verb, ...rule);
    };
    await each('-I');
    return () => each('-D');
  };
  /** Faults in memory only need no repair if the host was powered off. */
  const repairing =
    (script: string): Repair =>
    async () => {
      if (isUp()) await inHost(script);
    };
  const bothDirections = (address: string, ...match: string[]): readonly Rule[] => [
    ['OUTPUT', '-d', address, ...match],
    ['INPUT', '-s', address, ...match],
  ];
  const attachTo = (bridge: 'br0' | 'nowhere') =>
    inLab('ip', 'link', 'set', setup.link.port, 'master', bridge);

  return {
    cutLink: async () => {
      await attachTo('nowhere');
      return async () => {
        if (isUp()) await attachTo('br0');
      };
    },
    cutFamily: (family) => drop((_, address) => bothDirections(address), family),
    blockNewSsh: (family) =>
      drop(
        (_, address) => [['OUTPUT', '-d', address, '-p', 'tcp', '--syn', '--dport', String(setup.port)]],
        family,
      ),
    losePackets: (share) =>
      drop((_, address) =>
        bothDirections(address, '-m', 'statistic', '--mode', 'random', '--probability', String(share)),
      ),
    fillDisk: async (directory) => {
      await inHost(FILL_DISK.replaceAll('$1', shellQuote(directory)));
      return repairing(`rm -f ${shellQuote(`${directory}/${FILLER}`)}`);
    },
    readOnly: async (directory) => {
      const path = shellQuote(directory);
      await inHost(`mkdir -p ${path}; mount --bind ${path} ${path}; mount -o remount,bind,ro ${path}`);
      return repairing(`! mountpoint -q ${path} || umount ${path}`);
    },
    holdXtablesLock: async () => {
      const holder = spawn(
        'nsenter',
        [...nsenterArguments(pid(), 'mnpui'), 'flock', '/run/xtables.lock', 'sh', '-c', 'echo held; cat'],
        { stdio: ['pipe', 'pipe', 'pipe'], env: systemEnv },
      );
      const ended = exitOf(holder);
      // It exits with the host.
      holder.stdin?.on('error', () => {});
      await waitForLine(holder, 'held');
      return () => {
        holder.stdin?.end();
        return ended;
      };
    },
  };
}

const FILLER = '.filler';

/** Mounts a full tmpfs with the same files over the directory. */
const FILL_DISK = `
mkdir -p $1
copy=$(mktemp -d)
cp -a $1/. "$copy"
size=$(du -sk "$copy" | cut -f1)
mount -t tmpfs -o mode=$(stat -c %a $1),size=$((size + 64))k tmpfs $1
cp -a "$copy"/. $1
rm -rf "$copy"
dd if=/dev/zero of=$1/${FILLER} bs=4k 2>/dev/null || true
`;
