/** A ruleset in the form in which it is evaluated: chains of rules, each with the packets it matches and its action. */
import type { Family } from '../../lib/family.js';
import type { Rule } from '../../netfilter/model.js';
import type { Field } from './fields.js';
import type { Predicate } from './predicate.js';
import type { Action } from './targets.js';

export interface CompiledRule {
  /** `filter`, or `inet filter` for a table that nft made. */
  readonly table: string;
  readonly chain: string;
  /** From 1. */
  readonly number: number;
  /** The rule as it is written. */
  readonly spec: Rule;
  readonly match: Predicate;
  readonly action: Action;
}

export interface CompiledChain {
  readonly table: string;
  readonly name: string;
  /** Absent for a user chain. */
  readonly policy?: 'ACCEPT' | 'DROP';
  readonly rules: readonly CompiledRule[];
  /** A rule of it, or of a chain it calls, changes the packet, its mark or its state, or hands it to a program. */
  readonly rewrites: boolean;
  /** A rule of it, or of a chain it calls, may match the same packet once and not the next time. */
  readonly nondeterministic: boolean;
}

export type NetfilterHook =
  | 'ingress'
  | 'prerouting'
  | 'input'
  | 'forward'
  | 'output'
  | 'postrouting'
  | 'egress';

/** A chain of a native table that the kernel calls, beside the built-in ones of iptables. */
export interface BaseChain {
  readonly table: string;
  readonly chain: string;
  readonly hook: NetfilterHook;
  readonly priority: number;
  /** Of type nat. */
  readonly nat: boolean;
}

export interface CompiledRuleset {
  readonly family: Family;
  readonly baseChains: readonly BaseChain[];
  /** By `chainKey`. */
  readonly chains: ReadonlyMap<string, CompiledChain>;
  /** Addresses of the host in this family; empty when they are not known. */
  readonly addresses: readonly bigint[];
  /** Fields that some rule matches on. */
  readonly usedFields: ReadonlySet<Field>;
  /** Some rule alters packets, so that an unmodelled match may differ before and after it. */
  readonly rewritesPackets: boolean;
}

/** A chain before it is known what its rules and those of the chains it calls do. */
export type PlainChain = Omit<CompiledChain, 'rewrites' | 'nondeterministic'>;
