/** Tables that were made with nft, as `nft -j list ruleset` prints them (libnftables-json(5)). */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The tables of a host that iptables does not show. */
export interface NftRuleset {
  readonly tables: readonly NftTable[];
  /** A clause why there may be more than was read; absent when these are all. */
  readonly unread?: string;
}

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'netdev' | 'bridge' | 'arp';

export interface NftTable {
  readonly family: NftFamily;
  readonly name: string;
  readonly chains: readonly NftChain[];
  /** Named sets and maps. */
  readonly sets: ReadonlyMap<string, NftSet>;
}

export interface NftChain {
  readonly name: string;
  /** Absent for a chain that only rules call. */
  readonly base?: NftBase;
  readonly rules: readonly NftRule[];
}

export interface NftBase {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'egress';
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
  /** Of ingress and egress: the devices; `undefined` where nft does not print them (1.0.6). */
  readonly devices?: readonly string[];
}

export interface NftRule {
  readonly comment?: string;
  /** Matches and statements, in order. */
  readonly expr: readonly Json[];
}

export interface NftSet {
  readonly name: string;
  /** As listed: values, ranges, prefixes, concatenations; of a map pairs of a key and a value. */
  readonly elements: readonly Json[];
  /** Rules add members, or members expire. */
  readonly dynamic: boolean;
}
