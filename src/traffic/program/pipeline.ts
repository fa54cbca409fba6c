/**
 * The order in which a packet passes the base chains, by hook. iptables registers its tables at the priorities of
 * include/uapi/linux/netfilter_ipv4.h (raw -300, mangle -150, filter 0, security 50), and so does connection tracking
 * (-200). Chains that translate addresses run at -100 (destination) or 100 (source) whatever their own priority is: it
 * only orders them among one another (nf_nat_register_fn of nf_nat_core.c).
 */
import { groupBy } from '../../lib/group.js';
import { BUILT_IN_CHAINS, type TableName } from '../../netfilter/model.js';
import type { Hook } from '../model.js';
import { type CompiledRuleset, chainOf, type NetfilterHook } from './compiled-ruleset.js';

/** A built-in chain of an iptables table, or a base chain of a native table. */
export interface TableStage {
  readonly kind: 'table';
  readonly table: string;
  readonly chain: string;
  /** Only the first packet of a connection passes it, and the first rule of several that translates it is the last. */
  readonly nat: boolean;
  /** Destination nat has not yet translated the packet. */
  readonly beforeNat: boolean;
}

export type Stage =
  | TableStage
  /** A packet becomes part of a connection, or the kernel leaves it untracked. */
  | { readonly kind: 'conntrack' }
  /** Chains of the same priority, of which some change the packet: which comes first is not known. */
  | { readonly kind: 'unordered'; readonly name: string; readonly orders: readonly (readonly Stage[])[] };

/** The hooks of netfilter that a packet passes, in order. */
const NETFILTER_HOOKS: { readonly [hook in Hook]: readonly NetfilterHook[] } = {
  INPUT: ['ingress', 'prerouting', 'input'],
  FORWARD: ['ingress', 'prerouting', 'forward', 'postrouting', 'egress'],
  OUTPUT: ['output', 'postrouting', 'egress'],
};

const CHAIN_NAMES: { readonly [hook in NetfilterHook]: string } = {
  ingress: '',
  prerouting: 'PREROUTING',
  input: 'INPUT',
  forward: 'FORWARD',
  output: 'OUTPUT',
  postrouting: 'POSTROUTING',
  egress: '',
};

const CONNTRACK_PRIORITY = -200;
const PRIORITIES: { readonly [table in Exclude<TableName, 'nat'>]: number } = {
  raw: -300,
  mangle: -150,
  filter: 0,
  security: 50,
};
const NAT_PRIORITY: { readonly [hook in NetfilterHook]?: number } = {
  prerouting: -100,
  output: -100,
  input: 100,
  postrouting: 100,
};
const TRACKING: readonly NetfilterHook[] = ['prerouting', 'output'];

/** The built-in chains of iptables that a packet of the hook passes, in any table. */
export const BUILT_IN_HOOKS: { readonly [hook in Hook]: readonly string[] } = {
  INPUT: ['PREROUTING', 'INPUT'],
  FORWARD: ['PREROUTING', 'FORWARD', 'POSTROUTING'],
  OUTPUT: ['OUTPUT', 'POSTROUTING'],
};

export const HOOKS: readonly Hook[] = ['INPUT', 'FORWARD', 'OUTPUT'];

/**
 * ICMPv6 types that are not tracked: multicast listener and neighbour discovery
 * (noct_valid_new of nf_conntrack_proto_icmpv6.c).
 */
export const UNTRACKED_TYPES: readonly number[] = [130, 131, 132, 133, 134, 135, 136, 143];

const CACHE = new WeakMap<CompiledRuleset, Map<Hook, readonly Stage[]>>();

/** The stages that packets of a hook pass, in the kernel's order. */
export function stagesOf(ruleset: CompiledRuleset, hook: Hook): readonly Stage[] {
  const known = CACHE.get(ruleset) ?? new Map<Hook, readonly Stage[]>();
  CACHE.set(ruleset, known);
  const stages = known.get(hook) ?? NETFILTER_HOOKS[hook].flatMap((each) => stagesAt(ruleset, each));
  known.set(hook, stages);
  return stages;
}

/** The chains among the stages, each once. */
export const tableStages = (ruleset: CompiledRuleset, hook: Hook): readonly TableStage[] =>
  stagesOf(ruleset, hook).flatMap(chainsOf);

const chainsOf = (stage: Stage): readonly TableStage[] => {
  if (stage.kind === 'table') return [stage];
  return stage.kind === 'unordered' ? (stage.orders[0] ?? []).flatMap(chainsOf) : [];
};

/** Whether a stage consists of chains that translate addresses. */
export const translates = (stage: Stage | undefined): boolean =>
  stage?.kind === 'table'
    ? stage.nat
    : stage?.kind === 'unordered' && (stage.orders[0] ?? []).every(translates);

/** Stages that run together, and where. */
interface Entry {
  readonly priority: number;
  readonly stages: readonly Stage[];
  /** It changes the packet, so that it matters whether other chains see it before or after. */
  readonly changes: boolean;
}

/** The stages at one hook of netfilter. */
function stagesAt(ruleset: CompiledRuleset, hook: NetfilterHook): readonly Stage[] {
  const name = CHAIN_NAMES[hook];
  const natPriority = NAT_PRIORITY[hook] ?? 0;
  const here = ruleset.baseChains.filter((chain) => chain.hook === hook);
  const entryOf = (table: string, chain: string, priority: number, nat: boolean): Entry => ({
    priority,
    changes: chainOf(ruleset, table, chain)?.rewrites === true,
    stages: [
      {
        kind: 'table',
        table,
        chain,
        nat,
        beforeNat: hook === 'ingress' || (TRACKING.includes(hook) && (nat || priority < natPriority)),
      },
    ],
  });
  const translation = inOrder(hook, [
    ...(BUILT_IN_CHAINS.nat.includes(name) ? [entryOf('nat', name, natPriority, true)] : []),
    ...here.filter(({ nat }) => nat).map((each) => entryOf(each.table, each.chain, each.priority, true)),
  ]);
  return inOrder(hook, [
    ...(TRACKING.includes(hook)
      ? [{ priority: CONNTRACK_PRIORITY, stages: [{ kind: 'conntrack' }] as const, changes: true }]
      : []),
    ...Object.entries(PRIORITIES)
      .filter(([table]) => BUILT_IN_CHAINS[table as TableName].includes(name))
      .map(([table, priority]) => entryOf(table, name, priority, false)),
    ...here.filter(({ nat }) => !nat).map((each) => entryOf(each.table, each.chain, each.priority, false)),
    ...(translation.length === 0 ? [] : [{ priority: natPriority, stages: translation, changes: true }]),
  ]);
}

/** By priority; where some change the packet, those of the same priority in every order. */
function inOrder(hook: NetfilterHook, entries: readonly Entry[]): readonly Stage[] {
  const byPriority = [...groupBy(entries, ({ priority }) => priority)].sort(([a], [b]) => a - b);
  return byPriority.flatMap(([priority, same]): readonly Stage[] => {
    const all = same.flatMap(({ stages }) => stages);
    if (same.length < 2 || !same.some(({ changes }) => changes)) return all;
    const name = `the order of the chains at ${hook} with priority ${priority}`;
    return [{ kind: 'unordered', name, orders: orders(same) }];
  });
}

/** Of more chains only two orders are considered, the reverse of one another. */
const MOST_PERMUTED = 4;

function orders(same: readonly Entry[]): readonly (readonly Stage[])[] {
  const stages = (list: readonly Entry[]): readonly Stage[] => list.flatMap((entry) => entry.stages);
  if (same.length > MOST_PERMUTED) return [stages(same), stages(same.toReversed())];
  const permute = (left: readonly Entry[]): readonly (readonly Entry[])[] =>
    left.length === 0
      ? [[]]
      : left.flatMap((first) =>
          permute(left.filter((each) => each !== first)).map((rest) => [first, ...rest]),
        );
  return permute(same).map(stages);
}
