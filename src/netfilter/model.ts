/**
 * iptables rules as data. Everything is canonical: spelled as `iptables-save` prints it, so that rules are equal when
 * their texts are.
 */
import type { SourceLocation } from '../lib/problem.js';
import type { NftRuleset } from './nftables/model.js';

export type TableName = 'raw' | 'mangle' | 'nat' | 'filter' | 'security';

/** One host's rules: both families, and the ipsets that they name. */
export interface Ruleset {
  readonly v4: Tables;
  readonly v6: Tables;
  readonly sets: readonly IpSet[];
  /** The tables that others made with nft, which decide as well; absent where none are asked for. */
  readonly nft?: NftRuleset;
}

/** A ruleset as text: exactly as `iptables-save`, `ip6tables-save` and `ipset save` print it, or as files hold it. */
export interface RulesText {
  readonly v4: string;
  readonly v6: string;
  readonly sets: string;
  /** Native tables as `nativeTablesText` writes them. */
  readonly nft?: string;
}

/**
 * The scripts from one state to another, applied in the order `sets`, `v4`, `v6`, `setsAfter`. `v4` and `v6` are for
 * `iptables-restore --noflush`.
 */
export interface RestoreScripts extends Omit<RulesText, 'nft'> {
  /** For `ipset restore`: destroys sets that no rule references any more. */
  readonly setsAfter: string;
}

/** The order of tables does not matter: nft and legacy print different ones. */
export type Tables = readonly Table[];

export interface Table {
  readonly name: TableName;
  /** Built-in chains in the kernel's order, then user chains by name: the order of iptables-save. */
  readonly chains: readonly Chain[];
}

export interface Chain {
  readonly name: string;
  /** `undefined` for a user-defined chain. */
  readonly policy?: 'ACCEPT' | 'DROP';
  readonly counters?: Counters;
  readonly rules: readonly Rule[];
}

export interface Counters {
  readonly packets: bigint;
  readonly bytes: bigint;
}

/**
 * One rule. `text` is its canonical form without `-A CHAIN` (`-s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT`)
 * and is its identity: two rules are equal when their texts are. The other fields are parsed from it.
 */
export interface Rule {
  readonly text: string;
  readonly source?: Negatable;
  readonly destination?: Negatable;
  readonly inInterface?: Negatable;
  readonly outInterface?: Negatable;
  /** Canonical name or number: `tcp`, `ipv6-icmp`, `253`; absent means every protocol. */
  readonly protocol?: Negatable;
  /** `-f` (v4 only): second and further fragments. */
  readonly fragment?: { readonly negated: boolean };
  readonly matches: readonly Extension[];
  /** What `-m comment` says, without quotes; of several the first. */
  readonly comment?: string;
  readonly target?: Target;
  readonly counters?: Counters;
  /** It was not understood: the text is as it was printed, and it may match any packet. */
  readonly opaque?: true;
  /** The line that this rule comes from: of a YAML file (desired) or of a save file (live). */
  readonly location?: SourceLocation;
}

/** Addresses are `a.b.c.d/len`, `a.b.c.d/m.m.m.m` (non-contiguous) or `v6/len`; interfaces may end in `+`. */
export interface Negatable {
  readonly value: string;
  readonly negated: boolean;
}

/** A match (`-m name …`) or the options of a target, with canonical values in canonical order. */
export interface Extension {
  readonly name: string;
  readonly options: readonly Option[];
  /** `false` when the table of extensions does not have it: the options are kept unchanged, in order. */
  readonly known: boolean;
}

/** `! --dports 22,80` is `{flag: '--dports', negated: true, values: ['22,80']}`; values are unquoted. */
export interface Option {
  readonly flag: string;
  readonly negated: boolean;
  readonly values: readonly string[];
}

export interface Target extends Extension {
  /** `-g` instead of `-j`. */
  readonly goto: boolean;
  /** A user-defined chain (which may be missing), not an extension such as ACCEPT or LOG. */
  readonly chain: boolean;
}

/** One ipset as `ipset save` prints it. */
export interface IpSet {
  readonly name: string;
  /** `hash:net`, `hash:ip`, `bitmap:port`, `list:set`, … */
  readonly type: string;
  /** The rest of the `create` line, verbatim and in order: `family inet hashsize 1024 maxelem 65536`. */
  readonly options: string;
  /** The rest of each `add` line, canonical and sorted. */
  readonly members: readonly string[];
  readonly location?: SourceLocation;
}

export const BUILT_IN_CHAINS: { readonly [table in TableName]: readonly string[] } = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

export interface RuleDiff {
  readonly added: readonly RuleChange[];
  readonly removed: readonly RuleChange[];
  /** Same text and chain, other position. */
  readonly moved: readonly RuleChange[];
  /** Unified text, chain by chain, for people; empty when equal. */
  readonly text: string;
}

export interface RuleChange {
  readonly table: TableName;
  readonly chain: string;
  /** Without `-A CHAIN`; a changed policy is `-P INPUT DROP`, a new or removed chain `-N NAME`. */
  readonly text: string;
  readonly source?: SourceLocation;
}

export interface SetDiff {
  readonly name: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Type and options, where they differ: `hash:net family inet maxelem 65536`. */
  readonly options?: { readonly before: string; readonly after: string };
}
