/** The meaning of one iptables rule in the terms of the policy, in one family and before names are given. */
import type { PolicyRule, Rate, StateName } from '../../policy/fleet.js';

export type Direction = PolicyRule['direction'];

/** The built-in chain of the filter table that a list of rules is compiled into. */
export const HOOK_OF: { readonly [direction in Direction]: 'INPUT' | 'FORWARD' | 'OUTPUT' } = {
  input: 'INPUT',
  forward: 'FORWARD',
  output: 'OUTPUT',
};

/** The list of rules for a built-in chain of the filter table; `undefined` for any other chain. */
export const directionOf = (chain: string): Direction | undefined =>
  (['input', 'forward', 'output'] as const).find((direction) => HOOK_OF[direction] === chain);

export interface Statement {
  readonly kind: 'rule';
  readonly direction: Direction;
  readonly verb: 'allow' | 'deny' | 'reject' | 'log';
  /** As `services.yml` writes them: `tcp/443`, `icmp/8`, `esp`; `any` only alone. In the order of the rules. */
  readonly services: readonly string[];
  /** Canonical CIDR of the rule's family; absent: every address. */
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  /** Excluded from `from`, in output from `to`. */
  readonly except?: readonly string[];
  /** Kernel names. */
  readonly in?: string;
  readonly out?: string;
  /** Absent: packets of every state. `usual`: what an allow of the policy means, first packets and all ICMP. */
  readonly states?: readonly StateName[] | 'usual';
  readonly rate?: StatementRate;
  /** For the verb `log`, and for another verb that logs as well. */
  readonly log?: StatementLog;
  /** How a `reject` answers, where the policy answers differently. */
  readonly answer?: string;
  readonly comment?: string;
}

export interface StatementRate {
  readonly rate: Rate;
  readonly burst: number;
  readonly perSource: boolean;
  /** Rules with the same bucket share one count. */
  readonly bucket: string;
}

export interface StatementLog {
  readonly prefix: string;
  readonly level: string;
  /** Absent: without a limit. */
  readonly limit?: { readonly rate: Rate; readonly burst: number };
}

/** An address translation, in one family. */
export interface NatStatement {
  readonly kind: 'nat';
  readonly verb: 'masquerade' | 'snat' | 'dnat' | 'redirect';
  readonly services: readonly string[];
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly in?: string;
  readonly out?: string;
  readonly target?: string;
  readonly comment?: string;
}
