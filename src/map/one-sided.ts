/**
 * Flows that one host of the fleet lets through and the other does not: sent to a host that does not let them in, or
 * let in from a host whose locked output does not let them out.
 */
import { FAMILIES, type Family } from '../lib/family.js';
import { formatAddress, parseAddresses } from '../lib/ip.js';
import { note, type Problem, type SourceLocation } from '../lib/problem.js';
import {
  intersect,
  isEmpty,
  normalise,
  ofValues,
  type Range,
  type Ranges,
  subtract,
  union,
} from '../lib/ranges.js';
import type { AddressNames, MapNode } from '../naming/address-names.js';
import { protocolName } from '../netfilter/extensions/protocols.js';
import type { Fleet } from '../policy/fleet.js';
import { isAccepted } from '../policy/lint/lint.js';
import type { DecidingRule } from '../traffic/model.js';
import { isOpen, PORTS, type Reach, type ReachHook } from '../traffic/questions/reach.js';
import { explainer } from '../traffic/trace/explain.js';
import { ruleLocation } from './reaches.js';
import type { MapContext, MapHost } from './tools.js';

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

/** One row of ports in one family, before it is joined with its like. */
interface Row extends Omit<OneSided, 'service' | 'families'> {
  readonly family: Family;
  readonly wire: Range;
}

/** Hosts with the same reach. */
interface Crowd {
  readonly reach: Reach;
  readonly hosts: readonly MapHost[];
  readonly addresses: Ranges;
}

/**
 * Asks this of every rule whose other side is hosts of the fleet and no one else: of a network or of anywhere nobody says
 * that each host in it takes part. A rule for several ports is one-sided when none of a row of ports gets through.
 */
export function findOneSided(hosts: readonly MapHost[], tools: MapContext): readonly OneSided[] {
  const rows = FAMILIES.flatMap((family) => {
    const locked = crowds(hosts, 'OUTPUT', family, tools).filter(({ reach }) => !isOpen(reach, family));
    if (locked.length === 0) return [];
    const inputs = crowds(hosts, 'INPUT', family, tools);
    return [
      ...locked.flatMap((sender) => refusedBy(sender, inputs, 'sender', family, tools)),
      ...inputs.flatMap((receiver) => refusedBy(receiver, locked, 'receiver', family, tools)),
    ];
  });
  return joined(rows).flatMap((alike) => oneSided(alike, tools));
}

/** Rows about the same hosts, by the same line, in one family and another, on one port and another. */
function joined(rows: readonly Row[]): readonly (readonly Row[])[] {
  const about = ({ allowedBy, from, to, allowing }: Row): unknown => [allowedBy, from.id, to.id, allowing];
  const ordered = rows.toSorted((a, b) => (hostsOf(a) < hostsOf(b) ? -1 : 1));
  const receivers = merged(
    ordered,
    (row) => [about(row), row.family, row.wire.join(), row.senders],
    (one, other) => ({ ...one, receivers: both(one.receivers, other.receivers) }),
  );
  const senders = merged(
    receivers,
    (row) => [about(row), row.family, row.wire.join(), row.receivers],
    (one, other) => ({ ...one, senders: both(one.senders, other.senders) }),
  );
  const groups = new Map<string, Row[]>();
  for (const row of senders) {
    const key = JSON.stringify([about(row), row.senders, row.receivers]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

const hostsOf = ({ senders, receivers }: Row): string => [...senders, '', ...receivers].join('\n');

const both = (one: readonly string[], other: readonly string[]): readonly string[] =>
  [...new Set([...one, ...other])].sort();

function merged(
  rows: readonly Row[],
  keyOf: (row: Row) => unknown,
  join: (one: Row, other: Row) => Row,
): readonly Row[] {
  const found = new Map<string, Row>();
  for (const row of rows) {
    const key = JSON.stringify(keyOf(row));
    const known = found.get(key);
    found.set(key, known === undefined ? row : join(known, row));
  }
  return [...found.values()];
}

function oneSided(rows: readonly Row[], { naming }: MapContext): readonly OneSided[] {
  const [first] = rows;
  if (first === undefined) return [];
  const { wire: _, family: __, ...rest } = first;
  const services = naming(normalise(rows.map(({ wire }) => wire)));
  return services.map(({ name, wires }) => ({
    ...rest,
    service: name,
    families: FAMILIES.filter((family) =>
      rows.some((row) => row.family === family && !isEmpty(intersect([row.wire], wires))),
    ),
  }));
}

function crowds(
  hosts: readonly MapHost[],
  hook: ReachHook,
  family: Family,
  { reach }: MapContext,
): readonly Crowd[] {
  const found = new Map<string, { reach: Reach; hosts: MapHost[] }>();
  for (const one of hosts) {
    const shared = reach({ ruleset: one.ruleset, addresses: one.host.addresses }, hook);
    const reached = shared[family];
    if (!reached.ok) continue;
    const crowd = found.get(shared.key);
    if (crowd === undefined) found.set(shared.key, { reach: reached.value, hosts: [one] });
    else crowd.hosts.push(one);
  }
  return [...found.values()].map((crowd) => ({
    ...crowd,
    addresses: union(...crowd.hosts.map(({ host }) => numbersOf(host.addresses, family))),
  }));
}

const numbersOf = (addresses: readonly string[], family: Family): Ranges =>
  ofValues(parseAddresses(addresses, family));

/** A row of ports that one rule lets through, and for whom. */
interface Allowance {
  readonly rule: DecidingRule;
  readonly wire: Range;
  readonly peers: Ranges;
}

function allowances(reach: Reach, atlas: AddressNames, family: Family): readonly Allowance[] {
  const rules = new Map<DecidingRule, { readonly wire: Range; readonly peers: Ranges }[]>();
  for (const { services: wire, by } of reach)
    for (const { rule, peers } of by) {
      if (rule === null || !isEmpty(subtract(peers, atlas.fleet[family]))) continue;
      const list = rules.get(rule);
      if (list === undefined) rules.set(rule, [{ wire, peers }]);
      else list.push({ wire, peers });
    }
  return [...rules].flatMap(([rule, pieces]) =>
    normalise(pieces.map(({ wire }) => wire)).map(
      (wire): Allowance => ({
        rule,
        wire,
        peers: union(
          ...pieces.filter((piece) => !isEmpty(intersect([piece.wire], [wire]))).map(({ peers }) => peers),
        ),
      }),
    ),
  );
}

/** Peers with whom nothing on the wire is let through. */
const refusedOn = (reach: Reach, wire: Range, peers: Ranges): Ranges =>
  subtract(
    peers,
    union(
      ...reach
        .filter((atom) => atom.services[0] <= wire[1] && wire[0] <= atom.services[1])
        .map(({ perhaps }) => perhaps),
    ),
  );

function refusedBy(
  allower: Crowd,
  others: readonly Crowd[],
  allowedBy: OneSided['allowedBy'],
  family: Family,
  tools: MapContext,
): readonly Row[] {
  const { addressNames: atlas } = tools;
  return allowances(allower.reach, atlas, family).flatMap((allowance) =>
    others.flatMap((other) => {
      const far = intersect(allowance.peers, other.addresses);
      if (isEmpty(far)) return [];
      const near = refusedOn(other.reach, allowance.wire, allower.addresses);
      const [farHosts, nearHosts] = [atlas.hostsIn(far, family), atlas.hostsIn(near, family)];
      // What a host says to itself goes over lo.
      const [first] = nearHosts;
      if (first === undefined || (nearHosts.length === 1 && farHosts.length === 1 && first === farHosts[0]))
        return [];
      const sides = { allower, other, allowance, allowedBy, family, tools };
      return pairs(nearHosts, farHosts, atlas).map((pair) => describe(pair, sides));
    }),
  );
}

interface Pair {
  readonly near: readonly string[];
  readonly far: readonly string[];
}

/** Hosts by the node that they belong to, each near node with each far one. */
function pairs(near: readonly string[], far: readonly string[], atlas: AddressNames): readonly Pair[] {
  const split = (names: readonly string[]): readonly (readonly string[])[] => {
    const groups = new Map<string, string[]>();
    for (const name of names) {
      const { id } = atlas.groupOf(name);
      groups.set(id, [...(groups.get(id) ?? []), name]);
    }
    return [...groups.values()];
  };
  return split(near).flatMap((one) => split(far).map((other) => ({ near: one, far: other })));
}

interface Sides {
  readonly allower: Crowd;
  readonly other: Crowd;
  readonly allowance: Allowance;
  readonly allowedBy: OneSided['allowedBy'];
  readonly family: Family;
  readonly tools: MapContext;
}

function describe({ near, far }: Pair, sides: Sides): Row {
  const { allower, other, allowance, allowedBy, family, tools } = sides;
  const [senders, receivers] = allowedBy === 'sender' ? [near, far] : [far, near];
  const allows = allower.hosts.find(({ host }) => near.includes(host.name));
  const refuses = other.hosts.find(({ host }) => far.includes(host.name));
  const allowing = allows && ruleLocation(allows.ruleset, family, allowance.rule);
  const refusing = allows && refuses && refusingPlace(allows, refuses, sides);
  return {
    allowedBy,
    from: tools.addressNames.groupOf(senders[0] ?? ''),
    to: tools.addressNames.groupOf(receivers[0] ?? ''),
    wire: allowance.wire,
    family,
    senders,
    receivers,
    ...(allowing === undefined ? {} : { allowing }),
    ...(refusing === undefined ? {} : { refusing }),
  };
}

/** The rule that refuses the first packet between the first hosts of both sides. */
function refusingPlace(
  allows: MapHost,
  refuses: MapHost,
  { allowance, allowedBy, family }: Sides,
): SourceLocation | undefined {
  const [own, peer] = [refuses, allows].map(({ host }) => numbersOf(host.addresses, family)[0]?.[0]);
  if (own === undefined || peer === undefined) return undefined;
  const [sender, receiver] = allowedBy === 'sender' ? [peer, own] : [own, peer];
  const { rule } = explainer(refuses.ruleset, { addresses: refuses.host.addresses })({
    hook: allowedBy === 'sender' ? 'INPUT' : 'OUTPUT',
    src: formatAddress(sender, family),
    dst: formatAddress(receiver, family),
    protocol: protocolName(Number(allowance.wire[0] / PORTS)),
    dport: Number(allowance.wire[0] % PORTS),
  });
  return rule?.source;
}

const MOST_NAMED = 3;

/** A note at the line that lets the flow through, unless the policy accepts it; families and hosts about which the same is to be said are one note. */
export function oneSidedNotes(
  found: readonly OneSided[],
  fleet: Fleet,
  atlas: AddressNames,
): readonly Problem[] {
  const notes = new Map<string, Problem>();
  for (const one of found) {
    const [from, to] = [nameOf(one.from, one.senders, atlas), nameOf(one.to, one.receivers, atlas)];
    const refusing = one.refusing === undefined ? '' : ` (${one.refusing.file}:${one.refusing.line})`;
    const message =
      one.allowedBy === 'sender'
        ? `${from} may send ${one.service} to ${to}, but the rules of ${to} do not let it in${refusing}.`
        : `${to} lets ${one.service} in from ${from}, but the rules of ${from} do not let it out${refusing}.`;
    const hint =
      one.allowedBy === 'sender'
        ? `Allow it in "input" of ${to}, or take it out here.`
        : `Allow it in "output" of ${from}, or take it out here.`;
    const made = note(
      one.allowedBy === 'sender' ? 'sent-but-not-let-in' : 'let-in-but-not-sent',
      message,
      one.allowing,
      hint,
    );
    const allowing = one.allowedBy === 'sender' ? one.senders : one.receivers;
    const hosts = fleet.hosts.filter(({ name }) => allowing.includes(name));
    if (hosts.some((host) => !isAccepted(fleet, host, made)))
      notes.set(JSON.stringify([made.message, made.location]), made);
  }
  return [...notes.values()];
}

function nameOf(node: MapNode, hosts: readonly string[], atlas: AddressNames): string {
  const all = atlas.groups.find(({ id }) => id === node.id)?.hosts ?? [];
  if (hosts.length >= all.length) return node.name;
  const named = hosts.slice(0, MOST_NAMED).join(', ');
  return hosts.length > MOST_NAMED ? `${hosts.length} of ${all.length} hosts of ${node.name}` : named;
}
