/**
 * Flows that one host of the fleet lets through and the other does not: sent to a host that does not let them in, or
 * let in from a host whose locked output does not let them out.
 */
import { FAMILIES, type Family } from '../lib/family.js';
import { groupBy } from '../lib/group.js';
import { formatAddress } from '../lib/ip.js';
import { note, type Problem, type SourceLocation } from '../lib/problem.js';
import { intersect, isEmpty, normalise, type Range, type Ranges, subtract, unionOf } from '../lib/ranges.js';
import type { AddressNames, MapNode } from '../naming/address-names.js';
import { protocolName } from '../netfilter/extensions/protocols.js';
import { rangesOf } from '../policy/addresses.js';
import type { Fleet } from '../policy/fleet.js';
import { isAccepted } from '../policy/lint/lint.js';
import type { DecidingRule } from '../traffic/model.js';
import { isOpen, PORTS, type Reach, type ReachHook } from '../traffic/questions/reach.js';
import { explainer } from '../traffic/trace/explain.js';
import type { MapContext, MapHost } from './context.js';
import { entriesFor, ruleLocation } from './reach-cache.js';

export interface OneSided {
  /** Whose rules let it through: the sender's or the receiver's. */
  readonly allowedBy: 'sender' | 'receiver';
  readonly from: MapNode;
  readonly to: MapNode;
  readonly service: string;
  readonly families: readonly Family[];
  /** The hosts at either end. */
  readonly senders: readonly string[];
  readonly receivers: readonly string[];
  /** The line that lets it through, and the one that refuses it, where the policy has one. */
  readonly allowing?: SourceLocation;
  readonly refusing?: SourceLocation;
}

/** Adjacent protocol-port keys in one family, before equal ones are joined. */
interface Row extends Omit<OneSided, 'service' | 'families'> {
  readonly family: Family;
  readonly services: Range;
}

/** Hosts with the same reach. */
interface HostGroup {
  readonly reach: Reach;
  readonly hosts: readonly MapHost[];
  readonly addresses: Ranges;
}

/**
 * Checks every rule whose other side is hosts of the fleet alone: a network or anywhere does not mean that each of its
 * hosts takes part. A rule for several ports is one-sided when none of a range of ports gets through.
 */
export function findOneSided(hosts: readonly MapHost[], context: MapContext): readonly OneSided[] {
  const rows = FAMILIES.flatMap((family) => {
    const locked = groupByReach(hosts, 'OUTPUT', family, context).filter(
      ({ reach }) => !isOpen(reach, family),
    );
    if (locked.length === 0) return [];
    const inputs = groupByReach(hosts, 'INPUT', family, context);
    return [
      ...locked.flatMap((sender) => refusedRows(sender, inputs, 'sender', family, context)),
      ...inputs.flatMap((receiver) => refusedRows(receiver, locked, 'receiver', family, context)),
    ];
  });
  return joinRows(rows).flatMap((group) => nameRows(group, context));
}

/** Joins the rows of the same hosts by the same line; each group differs in family and services alone. */
function joinRows(rows: readonly Row[]): readonly (readonly Row[])[] {
  const keyOf = ({ allowedBy, from, to, allowing }: Row, ...more: readonly unknown[]): string =>
    JSON.stringify([allowedBy, from.id, to.id, allowing, ...more]);
  const join = (some: readonly Row[], joined: 'senders' | 'receivers', same: 'senders' | 'receivers') =>
    [...groupBy(some, (row) => keyOf(row, row.family, row.services.join(), row[same])).values()].flatMap(
      ([first, ...others]) =>
        first === undefined || others.length === 0
          ? (first ?? [])
          : { ...first, [joined]: uniqueNames([first, ...others].flatMap((row) => row[joined])) },
    );
  const ordered = rows.toSorted((a, b) => (hostsText(a) < hostsText(b) ? -1 : 1));
  const all = join(join(ordered, 'receivers', 'senders'), 'senders', 'receivers');
  return [...groupBy(all, (row) => keyOf(row, row.senders, row.receivers)).values()];
}

const uniqueNames = (names: readonly string[]): readonly string[] => [...new Set(names)].sort();

const hostsText = ({ senders, receivers }: Row): string => [...senders, '', ...receivers].join('\n');

function nameRows(rows: readonly Row[], { nameServices }: MapContext): readonly OneSided[] {
  const [first] = rows;
  if (first === undefined) return [];
  const { services: _, family: __, ...rest } = first;
  return nameServices(normalise(rows.map(({ services }) => services))).map(({ name, services }) => ({
    ...rest,
    service: name,
    families: FAMILIES.filter((family) =>
      rows.some((row) => row.family === family && !isEmpty(intersect([row.services], services))),
    ),
  }));
}

function groupByReach(
  hosts: readonly MapHost[],
  hook: ReachHook,
  family: Family,
  { reach }: MapContext,
): readonly HostGroup[] {
  const found = new Map<string, { reach: Reach; hosts: MapHost[] }>();
  for (const mapHost of hosts) {
    const shared = reach({ ruleset: mapHost.ruleset, addresses: mapHost.host.addresses }, hook);
    const reached = shared[family];
    if (!reached.ok) continue;
    const group = found.get(shared.key);
    if (group === undefined) found.set(shared.key, { reach: reached.value, hosts: [mapHost] });
    else group.hosts.push(mapHost);
  }
  return [...found.values()].map((group) => ({ ...group, addresses: addressesOf(group.hosts, family) }));
}

const addressesOf = (hosts: readonly MapHost[], family: Family): Ranges =>
  rangesOf(hosts.flatMap(({ host }) => host.addresses))[family];

/** Adjacent services (protocol-port keys) that one rule lets through, and for whom. */
interface Allowance {
  readonly rule: DecidingRule;
  readonly services: Range;
  readonly peers: Ranges;
}

function allowances(reach: Reach, addressNames: AddressNames, family: Family): readonly Allowance[] {
  const parts = reach.flatMap(({ services, by }) =>
    by.flatMap(({ rule, peers }) =>
      rule === null || !isEmpty(subtract(peers, addressNames.fleet[family]))
        ? []
        : [{ rule, services, peers }],
    ),
  );
  const rules = new Map<DecidingRule, Allowance[]>();
  for (const part of parts) rules.set(part.rule, [...(rules.get(part.rule) ?? []), part]);
  return [...rules].flatMap(([rule, own]) =>
    normalise(own.map(({ services }) => services)).map((services): Allowance => {
      const within = own.filter((part) => !isEmpty(intersect([part.services], [services])));
      return { rule, services, peers: unionOf(within.map(({ peers }) => peers)) };
    }),
  );
}

function refusedRows(
  allower: HostGroup,
  others: readonly HostGroup[],
  allowedBy: OneSided['allowedBy'],
  family: Family,
  context: MapContext,
): readonly Row[] {
  const { addressNames } = context;
  return allowances(allower.reach, addressNames, family).flatMap((allowance) =>
    others.flatMap((other) => {
      const far = intersect(allowance.peers, other.addresses);
      if (isEmpty(far)) return [];
      const reached = entriesFor(other.reach, allowance.services).map(({ perhaps }) => perhaps);
      const near = subtract(allower.addresses, unionOf(reached));
      const [farHosts, nearHosts] = [addressNames.hostsIn(far, family), addressNames.hostsIn(near, family)];
      const [first] = nearHosts;
      // Packets of a host to itself use lo.
      if (first === undefined || (nearHosts.length === 1 && farHosts.length === 1 && first === farHosts[0]))
        return [];
      const sides = { allower, other, allowance, allowedBy, family, addressNames };
      return byNode(nearHosts, addressNames).flatMap((some) =>
        byNode(farHosts, addressNames).map((names) => rowOf(some, names, sides)),
      );
    }),
  );
}

const byNode = (hosts: readonly string[], { groupOf }: AddressNames): readonly (readonly string[])[] => [
  ...groupBy(hosts, (name) => groupOf(name).id).values(),
];

interface Sides {
  readonly allower: HostGroup;
  readonly other: HostGroup;
  readonly allowance: Allowance;
  readonly allowedBy: OneSided['allowedBy'];
  readonly family: Family;
  readonly addressNames: AddressNames;
}

/**
 * @param near hosts whose rules let it through
 * @param far hosts whose rules do not
 */
function rowOf(near: readonly string[], far: readonly string[], sides: Sides): Row {
  const { allower, other, allowance, allowedBy, family, addressNames } = sides;
  const [senders, receivers] = allowedBy === 'sender' ? [near, far] : [far, near];
  const allows = allower.hosts.find(({ host }) => near.includes(host.name));
  const refuses = other.hosts.find(({ host }) => far.includes(host.name));
  return {
    allowedBy,
    from: addressNames.groupOf(senders[0] ?? ''),
    to: addressNames.groupOf(receivers[0] ?? ''),
    services: allowance.services,
    family,
    senders,
    receivers,
    allowing: allows && ruleLocation(allows.ruleset, family, allowance.rule),
    refusing: allows && refuses && refusingLocation(allows, refuses, sides),
  };
}

/** The rule that refuses the first packet between the first hosts of both sides. */
function refusingLocation(
  allows: MapHost,
  refuses: MapHost,
  { allowance, allowedBy, family }: Sides,
): SourceLocation | undefined {
  const [own, peer] = [refuses, allows].map((host) => addressesOf([host], family)[0]?.[0]);
  if (own === undefined || peer === undefined) return undefined;
  const [sender, receiver] = allowedBy === 'sender' ? [peer, own] : [own, peer];
  const [key] = allowance.services;
  const { rule } = explainer(refuses.ruleset, { addresses: refuses.host.addresses })({
    hook: allowedBy === 'sender' ? 'INPUT' : 'OUTPUT',
    src: formatAddress(sender, family),
    dst: formatAddress(receiver, family),
    protocol: protocolName(Number(key / PORTS)),
    dport: Number(key % PORTS),
  });
  return rule?.source;
}

/**
 * A note for each flow at the line that lets it through, unless the policy suppresses it there; notes that differ in
 * family or hosts alone are one.
 */
export function oneSidedNotes(
  found: readonly OneSided[],
  fleet: Fleet,
  addressNames: AddressNames,
): readonly Problem[] {
  const notes = new Map<string, Problem>();
  for (const { allowedBy, service, allowing, refusing, ...one } of found) {
    const bySender = allowedBy === 'sender';
    const from = hostsName(one.from, one.senders, addressNames);
    const to = hostsName(one.to, one.receivers, addressNames);
    const refused = refusing === undefined ? '' : ` (${refusing.file}:${refusing.line})`;
    const made = note(
      bySender ? 'sent-but-not-let-in' : 'let-in-but-not-sent',
      bySender
        ? `${from} may send ${service} to ${to}, but the rules of ${to} do not let it in${refused}.`
        : `${to} lets ${service} in from ${from}, but the rules of ${from} do not let it out${refused}.`,
      {
        location: allowing,
        hint: `Allow it in ${bySender ? `"input" of ${to}` : `"output" of ${from}`}, or take it out here.`,
      },
    );
    const names = bySender ? one.senders : one.receivers;
    if (fleet.hosts.some((host) => names.includes(host.name) && !isAccepted(fleet, host, made)))
      notes.set(JSON.stringify([made.message, made.location]), made);
  }
  return [...notes.values()];
}

const MOST_NAMED = 3;

function hostsName(node: MapNode, hosts: readonly string[], addressNames: AddressNames): string {
  const all = addressNames.groups.find(({ id }) => id === node.id)?.hosts ?? [];
  if (hosts.length >= all.length) return node.name;
  return hosts.length > MOST_NAMED
    ? `${hosts.length} of ${all.length} hosts of ${node.name}`
    : hosts.join(', ');
}
