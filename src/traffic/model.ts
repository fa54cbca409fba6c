/** What a ruleset means, as data: packets, verdicts, and the difference of two rulesets as sets of packets. */
import type { Family } from '../netfilter/model.js';
import type { Place } from '../problem.js';

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
}

/** The rule that decided; `number` counts from 1 in its chain, 0 is the chain's policy. */
export interface DecidingRule {
  readonly table: string;
  readonly chain: string;
  readonly number: number;
  readonly text: string;
  readonly source?: Place;
}

export interface Explanation {
  readonly verdict: Verdict;
  readonly rule: DecidingRule | null;
  readonly assumptions: readonly string[];
}

/** One row of a traffic diff: a box in packet space. Empty lists mean "every value". Rows are disjoint. */
export interface Flow {
  readonly family: Family;
  readonly hook: Hook;
  readonly in: readonly string[];
  readonly out: readonly string[];
  readonly state: readonly ConnectionState[];
  readonly protocol: string;
  readonly src: readonly string[];
  readonly dst: readonly string[];
  readonly sport: readonly string[];
  readonly dport: readonly string[];
  readonly type: readonly string[];
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
}

export interface LockoutProof {
  readonly verdict: 'proved' | 'violated' | 'not-proven';
  /** One sentence for each admin network, family or path that fails, with an example packet where there is one. */
  readonly reasons: readonly string[];
  /** `--accept-lockout-risk` named this host. */
  readonly accepted: boolean;
}
