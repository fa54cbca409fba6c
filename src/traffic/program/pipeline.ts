/**
 * The order in which a packet passes the tables, by hook (priorities of include/uapi/linux/netfilter_ipv4.h: raw -300,
 * connection tracking -200, mangle -150, destination nat -100, filter 0, security 50, source nat 100).
 */
import type { TableName } from '../../netfilter/model.js';
import type { Hook } from '../model.js';

/** A built-in chain of one table. */
export interface TableStage {
  readonly kind: 'table';
  readonly table: TableName;
  readonly chain: string;
}

/** `conntrack`: a packet becomes part of a connection, or the kernel leaves it untracked. */
export type Stage = TableStage | { readonly kind: 'conntrack' };

const table = (name: TableName, chain: string): Stage => ({ kind: 'table', table: name, chain });
const CONNTRACK: Stage = { kind: 'conntrack' };

const ARRIVING: readonly Stage[] = [
  table('raw', 'PREROUTING'),
  CONNTRACK,
  table('mangle', 'PREROUTING'),
  table('nat', 'PREROUTING'),
];
const LEAVING: readonly Stage[] = [table('mangle', 'POSTROUTING'), table('nat', 'POSTROUTING')];

/** The stages of each hook, in the kernel's order. */
export const PIPELINES: { readonly [hook in Hook]: readonly Stage[] } = {
  INPUT: [
    ...ARRIVING,
    table('mangle', 'INPUT'),
    table('filter', 'INPUT'),
    table('security', 'INPUT'),
    table('nat', 'INPUT'),
  ],
  FORWARD: [
    ...ARRIVING,
    table('mangle', 'FORWARD'),
    table('filter', 'FORWARD'),
    table('security', 'FORWARD'),
    ...LEAVING,
  ],
  OUTPUT: [
    table('raw', 'OUTPUT'),
    CONNTRACK,
    table('mangle', 'OUTPUT'),
    table('nat', 'OUTPUT'),
    table('filter', 'OUTPUT'),
    table('security', 'OUTPUT'),
    ...LEAVING,
  ],
};

export const HOOKS: readonly Hook[] = ['INPUT', 'FORWARD', 'OUTPUT'];

/**
 * ICMPv6 types that are not tracked: multicast listener and neighbour discovery
 * (noct_valid_new of nf_conntrack_proto_icmpv6.c).
 */
export const UNTRACKED_TYPES: readonly number[] = [130, 131, 132, 133, 134, 135, 136, 143];

/** Tables in which nat has not yet translated the packet; the others see it translated. */
export const isBeforeNat = ({ table: name, chain }: TableStage): boolean =>
  (chain === 'PREROUTING' || chain === 'OUTPUT') && name !== 'filter' && name !== 'security';
