/** What a ruleset means, as data: packets, verdicts, and the difference of two rulesets as sets of packets. */
import type { Family } from '../lib/family.js';
import type { Problem, SourceLocation } from '../lib/problem.js';

export type Hook = 'INPUT' | 'OUTPUT' | 'FORWARD';
export type ConnectionState = 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID' | 'UNTRACKED';
export type Verdict = 'accept' | 'drop' | 'reject' | 'unknown';

/** The JSON of `explain`. Absent fields take the value a first packet of a connection would have. */
export interface Packet {
  readonly hook: Hook;
  readonly in?: string;
  readonly out?: string;
  readonly src: string;
  readonly dst: string;
  /** `tcp`, `udp`, `icmp`, `ipv6-icmp`, or a number. */
  readonly protocol: string;
  readonly sport?: number;
  readonly dport?: number;
  /** `SYN` or a comma list; default SYN for tcp. */
  readonly flags?: string;
  readonly state?: ConnectionState;
  readonly type?: number;
  readonly code?: number;
  /** The sender's hardware address; absent: one that no rule names. */
  readonly mac?: string;
  /** OUTPUT: the ids that own the socket; absent: ids that no rule names. */
  readonly uid?: number;
  readonly gid?: number;
  /** Default `unicast`. */
  readonly packetType?: 'unicast' | 'broadcast' | 'multicast' | 'otherhost';
}

/** The rule that decided; `number` counts from 1 in its chain, 0 is the chain's policy. */
export interface DecidingRule {
  readonly table: string;
  readonly chain: string;
  readonly number: number;
  readonly text: string;
  /** The comment of the rule, which says what it is for. */
  readonly reason?: string;
  readonly source?: SourceLocation;
}

export interface Explanation {
  readonly verdict: Verdict;
  readonly rule: DecidingRule | null;
  /** What is taken for granted, and which unmodelled matches the answer hangs on, in sentences. */
  readonly assumptions: readonly string[];
  /** The rules that the packet matched on its way, in order, and the policies at which chains ended. */
  readonly path?: readonly PathStep[];
  /** Answers to what people ask next: what comes too late, what all but matches, what nat did, in sentences. */
  readonly hints?: readonly string[];
  /**
   * Of a single packet: rules that would match it and that no packet reaches, what is to be said of the rule that
   * decides (it changes nothing, it accepts very much), and what was not looked for because a budget was spent.
   */
  readonly anomalies?: readonly Problem[];
}

export interface PathStep {
  readonly rule: DecidingRule;
  /** `jump DOCKER`, `goes on`, `accept`, `drop`, `now to 10.0.0.5:80`; "perhaps" stands before what hangs on an unknown. */
  readonly effect: string;
}

/** One row of a traffic diff: a box in packet space. Empty lists mean "every value". Rows are disjoint. */
export interface Flow {
  readonly family: Family;
  readonly hook: Hook;
  /** Names, `eth+` for every name that starts so, `!eth1` for every interface but that one. */
  readonly in: readonly string[];
  readonly out: readonly string[];
  /** `in` or `out` is empty and yet leaves out `lo`, on which nothing changes or something else does. */
  readonly exceptLoopback?: true;
  readonly state: readonly ConnectionState[];
  /** `tcp`, a number, `any`, a list (`esp, ah`), or `any but icmp, tcp`. */
  readonly protocol: string;
  readonly src: readonly string[];
  readonly dst: readonly string[];
  readonly sport: readonly string[];
  readonly dport: readonly string[];
  /** ICMP: `8`, `3/4`, `9-255`. */
  readonly type: readonly string[];
  /** What else must hold: `tcp flags SYN of FIN,SYN,RST,ACK`, `from MAC 00:16:3e:00:00:01`, `uid 0`. */
  readonly also?: readonly string[];
  readonly before: DecidingRule | null;
  readonly after: DecidingRule | null;
  readonly example: Packet;
}

export interface TrafficDiff {
  /** Proved equal for every packet; never true when `proved` is false. */
  readonly equal: boolean;
  /** False when a budget ended the proof; `why` then says which. */
  readonly proved: boolean;
  readonly why?: string;
  readonly opened: readonly Flow[];
  readonly closed: readonly Flow[];
  readonly possiblyOpened: readonly Flow[];
  readonly possiblyClosed: readonly Flow[];
  /** Dropped before and rejected now, or the reverse: visible to a client, no traffic change. */
  readonly answeredDifferently: readonly Flow[];
  /** Rows beyond the most that are listed; absent when all are. */
  readonly omitted?: number;
}

export interface TrafficOptions {
  readonly budget?: { readonly nodes: number; readonly milliseconds: number };
  /** The host's own addresses, of both families, without prefix length. */
  readonly addresses?: readonly string[];
}

export interface LockoutProof {
  readonly verdict: 'proved' | 'violated' | 'not-proven';
  /** One sentence for each admin network, family or path that fails, with an example packet where there is one. */
  readonly reasons: readonly string[];
  /** `--accept-lockout-risk` named this host. */
  readonly accepted: boolean;
}
