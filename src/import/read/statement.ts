/** What one rule of iptables says, in the terms of the policy but without its names; in one family. */
import type { Rate, StateName } from '../../policy/fleet.js';

export type Direction = 'input' | 'output' | 'forward';

export interface Statement {
  readonly kind: 'rule';
  readonly direction: Direction;
  readonly verb: 'allow' | 'deny' | 'reject' | 'log';
  /** As `services.yml` writes them: `tcp/443`, `icmp/8`, `esp`; `any` stands alone. In the order of the rules. */
  readonly services: readonly string[];
  /** Canonical CIDR of the rule's family; absent: every address. */
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  /** Taken out of `from`, in output out of `to`. */
  readonly except?: readonly string[];
  /** Kernel names. */
  readonly in?: string;
  readonly out?: string;
  /** Absent: packets of every state. `usual`: those that the policy means by an allow, first packets and all ICMP. */
  readonly states?: readonly StateName[] | 'usual';
  readonly rate?: StatementRate;
  /** For the verb `log`, and for another verb that logs as well. */
  readonly log?: StatementLog;
  /** How a `reject` answers, where that is not how the policy's does. */
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

/** A translation, in one family. */
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
