/**
 * The interface to hosts. `open.ts` implements it over SSH; plans can also use recorded states. A failure of a host is a
 * value, not an exception.
 */
import type { Family } from '../lib/family.js';
import type { Problem } from '../lib/problem.js';
import type { RestoreScripts, RulesText } from '../netfilter/model.js';
import type { Host } from '../policy/fleet.js';

export interface HostClient {
  /** Reads everything that a plan needs, with one command. Keeps the connection for `transact`. */
  read(host: Host, options?: ReadOptions): Promise<Reading>;
  /** Changes one host; see `transaction.ts`. The outcome is the one that the host reports. */
  transact(host: Host, change: Change, report: (phase: Phase) => void): Promise<TransactionResult>;
  /** After a soak: over a new connection, the outcome of the run as the host reports it, and the current state. */
  reverify(host: Host, change: Pick<Change, 'run'>): Promise<Reverified>;
  close(): Promise<void>;
}

export interface ReadOptions {
  /** Also read the rules of this entry of the known-good history (1 is the newest). */
  readonly knownGood?: number;
  /** Also read current flows and listening ports. */
  readonly activity?: boolean;
}

export type Reading =
  | { readonly status: 'read'; readonly state: HostState }
  /** No connection: network, host key, authentication. */
  | { readonly status: 'unreachable'; readonly problem: Problem }
  /** Connected, but the state cannot be read reliably: sudo, tools, two backends, native nft tables. */
  | { readonly status: 'error'; readonly problem: Problem };

export interface HostState {
  readonly live: RulesText;
  /** The files loaded at boot; `undefined` if missing. */
  readonly saved: { readonly v4?: string; readonly v6?: string; readonly sets?: string };
  readonly boot: Boot;
  readonly backend: 'nft' | 'legacy';
  readonly versions: { readonly iptables: string; readonly ipset?: string; readonly kernel: string };
  readonly facts: HostFacts;
  readonly record: HostRecord;
  /** What the rules that were read do not contain: native nft tables that filter as well. */
  readonly notes?: readonly Problem[];
  /** Packets dropped by default, not by a specific rule. */
  readonly drops?: Drops;
  /** Lines of LOG rules in the kernel log; read by `reverify` only. */
  readonly log?: readonly string[];
  /** Current flows and listening ports; absent if not requested, or if the host cannot tell. */
  readonly activity?: Activity;
  /** From a folder of recorded states: only `live`, and perhaps `activity`, are known. */
  readonly recorded?: true;
}

/** Established flows and listening ports at the time of reading, without forwarded flows. */
export interface Activity {
  /** The flows are from connection tracking, so that established ones will continue; otherwise from sockets. */
  readonly tracked: boolean;
  readonly flows: readonly CurrentFlow[];
  /** The list is truncated. */
  readonly more: boolean;
  readonly listening: readonly Listener[];
}

/** Flows with the same peer and port. The port is the one of the end that did not begin them. */
export interface CurrentFlow {
  readonly direction: 'in' | 'out';
  readonly protocol: 'tcp' | 'udp';
  /** An address, or in recorded states a network that contains it. */
  readonly peer: string;
  readonly port: number;
  readonly count: number;
}

/** A listening port, not on loopback alone. */
export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly families: readonly Family[];
}

export interface Drops {
  readonly now: DropCount;
  /** When the last change was confirmed. */
  readonly before?: DropCount;
}

/** Counters since boot, or since the rules were last loaded. */
export interface DropCount {
  readonly boot: string;
  /** Seconds since boot. */
  readonly uptime: number;
  readonly rules: readonly DropRule[];
}

/** The counter of the final `-j DROP` of an owned chain, or of the policy of a built-in chain of the filter table. */
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
  /** The client address and server port of this connection (SSH_CONNECTION). */
  readonly client?: string;
  readonly sshPort?: number;
  readonly systemd: boolean;
  readonly ipv6: boolean;
  /** Active programs that manage the built-in chains: `ufw`, `firewalld`. */
  readonly managers?: readonly string[];
}

/** The contents of Sallyport's state directory on the host. */
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
  /** The native nft tables at that time, as `nativeDigestText` writes them; absent where it is not known. */
  readonly native?: string;
  /** The policy's name for the host, and its machine-id, at that time. */
  readonly host?: string;
  readonly machineId?: string;
  /** The owned rules as restore text; only for the entry that `ReadOptions.knownGood` requested. */
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

/** All texts are computed before anything is sent; the host computes no rules. */
export interface Change {
  readonly run: string;
  readonly commit: string;
  /** Who deploys, as shown to others while the lock is held: `ci@runner pull/12`, `anna@laptop`. */
  readonly owner: string;
  readonly confirmWithinSeconds: number;
  /** The live text that this change was computed from. */
  readonly live: RulesText;
  /** The live text after the change. */
  readonly next: RulesText;
  /** live → next, and next → live. */
  readonly forward: RestoreScripts;
  readonly backward: RestoreScripts;
  /** The saved files before (undefined: missing) and after. */
  readonly savedBefore: { readonly v4?: string; readonly v6?: string; readonly sets?: string };
  readonly savedAfter: RulesText;
  /** The owned rules alone, kept on the host as known good. */
  readonly owned: RulesText;
  /** What counts as owned when the host compares; default `chains`. */
  readonly ownership?: 'chains' | 'tables';
  /** Hosts behind this bastion: those that answered before the change must answer before it is confirmed. */
  readonly hostsBehind?: readonly Host[];
  /** The plan's digest of `next`, kept with the known good; default: a digest of `owned`. */
  readonly digest?: string;
  /** The native nft tables, as `nativeDigestText` writes them. */
  readonly native?: string;
}

export type OutcomeKind = 'unchanged' | 'confirmed' | 'rolled-back' | 'refused' | 'unreachable' | 'unknown';

export interface TransactionResult {
  readonly outcome: OutcomeKind;
  /** The last phase. */
  readonly phase: Phase;
  /** A clause without a full stop; empty if there is nothing to report. */
  readonly reason: string;
  readonly seconds: number;
}

export interface Reverified extends TransactionResult {
  /** Absent if the host did not answer, or did not confirm this run. */
  readonly state?: HostState;
}
