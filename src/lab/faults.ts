/** What can go wrong with a host, for real. Every fault lasts until it is mended; a boot starts with none of those inside the host or on its wire. */
import { spawn } from 'node:child_process';
import { exitOf, type LabNamespaces, nsenterArguments } from './boot.js';
import type { HostSetup } from './host-root.js';
import { must, quote, systemEnv, waitForLine } from './shell.js';

/** Takes the fault away again. Harmless when the host lost its power since. */
export type Repair = () => Promise<void>;

export interface Faults {
  /** Both directions, silently, for everyone: packets are lost, the carrier is not. */
  cutLink(): Promise<Repair>;
  /** Between the lab's clients and the host, one family alone, silently. */
  cutFamily(family: 'v4' | 'v6'): Promise<Repair>;
  /** New connections from the lab's clients to sshd get no answer; established ones live on. */
  blockNewSsh(family?: 'v4' | 'v6'): Promise<Repair>;
  /** Of the packets between the lab's clients and the host, this share is lost in each direction (0 to 1). */
  losePackets(share: number): Promise<Repair>;
  /** The file system of a directory is full; what it holds stays readable. */
  fillDisk(directory: string): Promise<Repair>;
  /** A directory can be read, not written. */
  readOnly(directory: string): Promise<Repair>;
  /** Another program holds the lock of the legacy tools. */
  holdXtablesLock(): Promise<Repair>;
}

export interface FaultTarget {
  readonly namespaces: LabNamespaces;
  readonly setup: HostSetup;
  /** Runs a script in the host; throws when it fails. */
  readonly inHost: (script: string) => Promise<string>;
  /** The host's first process. */
  readonly pid: () => number;
  readonly isUp: () => boolean;
}

type Rule = readonly [chain: 'INPUT' | 'OUTPUT', ...match: string[]];

/** What breaks, and how it is mended; see {@link Faults}. */
export function faultsOf({ namespaces, setup, inHost, pid, isUp }: FaultTarget): Faults {
  const inLab = (...command: string[]): Promise<string> =>
    must('nsenter', [...nsenterArguments(namespaces.pid, 'mn'), ...command]);
  /** Rules of the lab's own firewall, in the lab's namespace, with the base's own tools. */
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
  /** What lasted in a host's memory only is mended by the loss of its power. */
  const repairing =
    (script: string): Repair =>
    async () => {
      if (isUp()) await inHost(script);
    };
  const bothWays = (address: string, ...match: string[]): readonly Rule[] => [
    ['OUTPUT', '-d', address, ...match],
    ['INPUT', '-s', address, ...match],
  ];
  const plug = (bridge: 'br0' | 'nowhere') => inLab('ip', 'link', 'set', setup.link.port, 'master', bridge);

  return {
    cutLink: async () => {
      await plug('nowhere');
      return async () => {
        if (isUp()) await plug('br0');
      };
    },
    cutFamily: (family) => drop((_, address) => bothWays(address), family),
    blockNewSsh: (family) =>
      drop(
        (_, address) => [['OUTPUT', '-d', address, '-p', 'tcp', '--syn', '--dport', String(setup.port)]],
        family,
      ),
    losePackets: (share) =>
      drop((_, address) =>
        bothWays(address, '-m', 'statistic', '--mode', 'random', '--probability', String(share)),
      ),
    fillDisk: async (directory) => {
      await inHost(FILL_DISK.replaceAll('$1', quote(directory)));
      return repairing(`rm -f ${quote(`${directory}/${FILLER}`)}`);
    },
    readOnly: async (directory) => {
      const path = quote(directory);
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
      // The host's end may be its end as well.
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

/** A small file system over the directory, with what it held, filled to the last byte. */
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
