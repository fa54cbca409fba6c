/**
 * What the rest of the house needs of a host. `host/` implements it over SSH; `cli/` and `action/` hand it in; tests
 * may hand in recorded state. A host's fault is a value here, never an exception.
 */

import type { Family } from '../lib/family.js';
import type { Problem } from '../lib/problem.js';
import type { RulesText } from '../netfilter/model.js';
import type { Host } from '../policy/fleet.js';

export interface HostClient {
  /** One connection, one command: everything that a plan needs to know. Keeps the connection for `transact`. */
  read(host: Host, options?: ReadOptions): Promise<Reading>;
  /** Changes one host; see `transaction.ts`. The outcome is what the host said. */
  transact(host: Host, change: Change, report: (phase: Phase) => void): Promise<TransactionResult>;
  /** After a soak: a new connection, how the host says that the run ended, and its state as it is now. */
  reverify(host: Host, change: Pick<Change, 'run'>): Promise<Reverified>;
  close(): Promise<void>;
}

export interface ReadOptions {
  /** Also bring this entry of the known-good history (1 is the newest). */
  readonly knownGood?: number;
  /** Also ask what the host is doing now. */
  readonly activity?: boolean;
}

export type Reading =
  | { readonly status: 'read'; readonly state: HostState }
  /** No connection: network, host key, authentication. */
  | { readonly status: 'unreachable'; readonly problem: Problem }
  /** Connected, but the state cannot be read truthfully: sudo, tools, two backends, native nft tables. */
  | { readonly status: 'error'; readonly problem: Problem };

export interface HostState {
  readonly live: RulesText;
  /** What loads at boot; a missing file is `undefined`. */
  readonly saved: { readonly v4?: string; readonly v6?: string; readonly sets?: string };
  readonly boot: Boot;
  readonly backend: 'nft' | 'legacy';
  readonly versions: { readonly iptables: string; readonly ipset?: string; readonly kernel: string };
  readonly facts: HostFacts;
  readonly record: HostRecord;
  /** What the rules that were read do not show: native nft tables that filter as well. */
  readonly notes?: readonly Problem[];
  /** What no rule named and the host therefore dropped. */
  readonly drops?: Drops;
  /** Lines that LOG rules wrote into the kernel's log; read again after a soak only. */
  readonly log?: readonly string[];
  /** What the host is doing now; absent where nobody asked or it cannot be seen. */
  readonly activity?: Activity;
  /** Read from a folder of recorded states: `live` alone is known, and perhaps `activity`. */
  readonly recorded?: true;
}

/** Flows that stand and ports that listen, at the moment of reading. Flows that only pass through are not among them. */
export interface Activity {
  /** Flows are those of connection tracking, which lets them go on; otherwise they are read off the sockets. */
  readonly tracked: boolean;
  readonly flows: readonly CurrentFlow[];
  /** There were more than are listed. */
  readonly more: boolean;
  readonly listening: readonly Listener[];
}

/** Flows of one peer and port; whoever began them is at the other end than the port. */
export interface CurrentFlow {
  readonly direction: 'in' | 'out';
  readonly protocol: 'tcp' | 'udp';
  /** An address, or in recorded states a network that it lies in. */
  readonly peer: string;
  readonly port: number;
  readonly count: number;
}

/** A port on which others may be served: not on loopback alone. */
export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly families: readonly Family[];
}

export interface Drops {
  readonly now: DropCount;
  /** As it was when the last change was confirmed. */
  readonly before?: DropCount;
}

/** Counters since the boot, or since the rules were last loaded. */
export interface DropCount {
  readonly boot: string;
  /** Seconds since the boot. */
  readonly uptime: number;
  readonly rules: readonly DropRule[];
}

/** The last rule of an owned chain, `-j DROP`, or the policy of a built-in chain of the filter table. */
export interface DropRule {
  readonly family: Family;
  readonly chain: string;
  readonly packets: number;
}

export interface Boot {
  readonly loader: 'netfilter-persistent' | 'iptables-services' | 'openrc' | 'systemd-iptables' | 'none';
  readonly enabled: boolean;
  readonly paths: RulesText;
}

export interface HostFacts {
  readonly hostname: string;
  readonly machineId: string;
  readonly addresses: readonly string[];
  readonly interfaces: readonly string[];
  /** The address that this very connection comes from, and the port it reached (SSH_CONNECTION). */
  readonly client?: string;
  readonly sshPort?: number;
  readonly systemd: boolean;
  readonly ipv6: boolean;
  /** Programs that are active and believe the built-in chains to be theirs: `ufw`, `firewalld`. */
  readonly managers?: readonly string[];
}

/** What Sallyport's own state directory on the host says. */
export interface HostRecord {
  readonly current?: KnownGood;
  /** Newest first. */
  readonly history: readonly KnownGood[];
  /** An unfinished transaction. */
  readonly pending?: {
    readonly run: string;
    readonly phase: Phase;
    readonly owner: string;
    readonly since: string;
    readonly secondsLeft: number;
  };
  /** How the last transaction ended. */
  readonly last?: {
    readonly run: string;
    readonly outcome: string;
    readonly reason: string;
    readonly time: string;
  };
}

export interface KnownGood {
  /** 1 is the newest. */
  readonly number: number;
  readonly run: string;
  readonly commit: string;
  readonly time: string;
  readonly digest: string;
  /** The policy's name for the host, and the machine that it was then. */
  readonly host?: string;
  readonly machineId?: string;
  /** Only for the entry that `ReadOptions.knownGood` asked for: the owned part, as restore text. */
  readonly rules?: RulesText;
}

export type Phase =
  | 'connect'
  | 'preflight'
  | 'snapshot'
  | 'rehearse'
  | 'arm'
  | 'apply'
  | 'verify'
  | 'confirm'
  | 'persist'
  | 'disarm'
  | 'rollback'
  | 'done'
  | 'soak';

/** All texts are complete before anything is sent; the host computes nothing about rules. */
export interface Change {
  readonly run: string;
  readonly commit: string;
  /** Who deploys, for the lock: `ci@runner pull/12`, `anna@laptop`. */
  readonly owner: string;
  readonly confirmWithinSeconds: number;
  /** The live text that this change was computed from. */
  readonly live: RulesText;
  /** What must stand live afterwards. */
  readonly next: RulesText;
  /** live → next, and next → live. */
  readonly forward: RestoreScripts;
  readonly backward: RestoreScripts;
  /** The saved files as they are (undefined: none) and as they must become. */
  readonly savedBefore: { readonly v4?: string; readonly v6?: string; readonly sets?: string };
  readonly savedAfter: RulesText;
  /** The owned part alone, kept on the host as known good. */
  readonly owned: RulesText;
  /** What counts as owned when the host compares; default `chains`. */
  readonly ownership?: 'chains' | 'tables';
  /** Hosts that are reached through this one: those that answered before must still answer before it is confirmed. */
  readonly hostsBehind?: readonly Host[];
  /** The digest under which the plan knows `next`, kept with the known good; default: one of the texts in `owned`. */
  readonly digest?: string;
}

/** One way from a state to another, in the order in which the host takes it: `sets`, `v4`, `v6`, `setsAfter`. */
export interface RestoreScripts extends RulesText {
  /** For `ipset restore`, once no rule names them any more: the sets that go. `v4` and `v6` are for `iptables-restore --noflush`. */
  readonly setsAfter: string;
}

export type OutcomeKind = 'unchanged' | 'confirmed' | 'rolled-back' | 'refused' | 'unreachable' | 'unknown';

export interface TransactionResult {
  readonly outcome: OutcomeKind;
  /** The phase in which it ended. */
  readonly phase: Phase;
  /** One sentence; empty when there is nothing to say. */
  readonly reason: string;
  readonly seconds: number;
}

export interface Reverified extends TransactionResult {
  /** Absent where the host did not answer, or did not confirm this run. */
  readonly state?: HostState;
}
