/** The results of the traffic model as data: packets, verdicts, and the difference of two rulesets. */
import type { Family } from '../lib/family.js';
import type { Problem, SourceLocation } from '../lib/problem.js';

export type Hook = 'INPUT' | 'OUTPUT' | 'FORWARD';
export type ConnectionState = 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID' | 'UNTRACKED';
export type Verdict = 'accept' | 'drop' | 'reject' | 'unknown';

/** The JSON of `explain`. An absent field has the value of an ordinary first packet of a connection. */
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
  /** The sender's MAC address; absent: one that no rule names. */
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
  /** Assumptions, and the unmodelled matches that the verdict depends on, as sentences. */
  readonly assumptions: readonly string[];
  /** The rules that the packet matched, in order, and the policies it got. */
  readonly path?: readonly PathStep[];
  /** Sentences about rules that come too late or nearly match, and about nat. */
  readonly hints?: readonly string[];
  /**
   * For a single packet: the rules that match it and that no packet reaches, the anomalies of the deciding rule (no
   * effect, accepts very much), and what a spent budget left unchecked.
   */
  readonly anomalies?: readonly Problem[];
}

export interface PathStep {
  readonly rule: DecidingRule;
  /** `jump DOCKER`, `continue`, `accept`, `drop`, `now to 10.0.0.5 port 80`; with "perhaps" where it depends on an unknown. */
  readonly effect: string;
}

/** One row of a traffic diff: a product of value lists. An empty list means every value. Rows are disjoint. */
export interface Flow {
  readonly family: Family;
  readonly hook: Hook;
  /** Names, `eth+` for every name with that prefix, `!eth1` for every interface but that one. */
  readonly in: readonly string[];
  readonly out: readonly string[];
  /** `in` or `out` is empty but excludes `lo`, which has no change or another row. */
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
  /** Further conditions: `tcp flags SYN of FIN,SYN,RST,ACK`, `from MAC 00:16:3e:00:00:01`, `uid 0`. */
  readonly also?: readonly string[];
  readonly before: DecidingRule | null;
  readonly after: DecidingRule | null;
  readonly example: Packet;
}

export interface TrafficDiff {
  /** Proved equal for every packet; false when `proved` is false. */
  readonly equal: boolean;
  /** False when a limit ended the proof; `why` has the reason. */
  readonly proved: boolean;
  readonly why?: string;
  readonly opened: readonly Flow[];
  readonly closed: readonly Flow[];
  readonly possiblyOpened: readonly Flow[];
  readonly possiblyClosed: readonly Flow[];
  /** Dropped before and rejected now, or the reverse: a client notices, but no traffic changes. */
  readonly answeredDifferently: readonly Flow[];
  /** How many rows are not listed; absent when all are. */
  readonly omitted?: number;
}

export interface TrafficOptions {
  readonly budget?: { readonly nodes: number; readonly milliseconds: number };
  /** The host's own addresses, of both families, without prefix length. */
  readonly addresses?: readonly string[];
}

export interface LockoutProof {
  readonly verdict: 'proved' | 'violated' | 'not-proven';
  /** A sentence for each admin network, family or requirement that fails, with an example packet where there is one. */
  readonly reasons: readonly string[];
  /** `--accept-lockout-risk` named this host. */
  readonly accepted: boolean;
}
