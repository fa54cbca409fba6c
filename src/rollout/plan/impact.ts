/**
 * What a plan means for what a host is doing now: peers that are to be refused, ports that listen for nobody, and rules
 * that let in what nothing listens for. Addresses of strangers are counted, never told: reports are read by many.
 */
import type { Activity, CurrentFlow, Listener } from '../../host/client.js';
import { FAMILIES, type Family } from '../../lib/family.js';
import { formatAddress, networkRanges } from '../../lib/ip.js';
import { note, type Problem, warning } from '../../lib/problem.js';
import { has, intersect, isEmpty, normalise, type Range, type Ranges, subtract } from '../../lib/ranges.js';
import { list } from '../../lib/text.js';
import { createReachCache, type ReachCache, ruleLocation } from '../../map/reach-cache.js';
import { type AddressNames, createAddressNames } from '../../naming/address-names.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import type { DecidingRule } from '../../traffic/model.js';
import { everyPeer, PORTS, type Reach, type Reached, type ReachHook } from '../../traffic/questions/reach.js';
import { explainer } from '../../traffic/trace/explain.js';
import { PRIVATE } from '../snapshots/activity.js';

export interface ImpactQuestion {
  readonly host: Host;
  readonly activity: Activity;
  /** Every address that the kernel takes for its own. */
  readonly addresses: readonly string[];
  readonly before: Ruleset;
  readonly next: Ruleset;
}

/** Nothing is said where a ruleset could not be read to its end. */
export function impactOf(fleet: Fleet, question: ImpactQuestion): readonly Problem[] {
  const tools = toolsOf(fleet);
  return [
    ...flowProblems('in', question, tools),
    ...flowProblems('out', question, tools),
    ...listeningProblems(question, tools),
    ...idleProblems(question, tools),
  ];
}

interface Tools {
  readonly addressNames: AddressNames;
  readonly reach: ReachCache;
}

/** Hosts of one policy share names, and those with equal rules their reach. */
const TOOLS = new WeakMap<Fleet, Tools>();

function toolsOf(fleet: Fleet): Tools {
  const known = TOOLS.get(fleet) ?? { addressNames: createAddressNames(fleet), reach: createReachCache() };
  TOOLS.set(fleet, known);
  return known;
}

type Reaches = { readonly [family in Family]: Extract<Reached, { readonly ok: true }> };

function reachesOf(
  ruleset: Ruleset,
  { addresses }: ImpactQuestion,
  hook: ReachHook,
  { reach }: Tools,
): Reaches | undefined {
  const { v4, v6 } = reach({ ruleset, addresses }, hook);
  return v4.ok && v6.ok ? { v4, v6 } : undefined;
}

const PROTOCOLS = { tcp: 6n, udp: 17n } as const;

const keyOf = ({ protocol, port }: Pick<Listener, 'protocol' | 'port'>): bigint =>
  PROTOCOLS[protocol] * PORTS + BigInt(port);

const portText = ({ protocol, port }: Pick<Listener, 'protocol' | 'port'>): string => `${protocol}/${port}`;

/** Who may get through on a protocol-port key, here or at the host to which nat sends it on. */
const peersOn = ({ value, redirected }: Reaches[Family], family: Family, key: bigint): Ranges =>
  has(redirected, key)
    ? everyPeer(family)
    : (value.find(({ services: [from, to] }) => from <= key && key <= to)?.perhaps ?? []);

/** One address, as most peers are, is looked up. */
const meets = (ranges: Ranges, peers: Ranges): boolean =>
  peers.some((peer) => has(ranges, peer[0]) || (peer[0] !== peer[1] && !isEmpty(intersect(ranges, [peer]))));

interface Standing {
  readonly flow: CurrentFlow;
  readonly family: Family;
  readonly peers: Ranges;
}

const HOOKS = { in: 'INPUT', out: 'OUTPUT' } as const;

function flowProblems(
  direction: CurrentFlow['direction'],
  question: ImpactQuestion,
  tools: Tools,
): readonly Problem[] {
  const flows = question.activity.flows.filter((flow) => flow.direction === direction).flatMap(standing);
  if (flows.length === 0) return [];
  const hook = HOOKS[direction];
  const [old, next] = [question.before, question.next].map((one) => reachesOf(one, question, hook, tools));
  if (old === undefined || next === undefined) return [];
  const mayBegin = (reach: Reaches, { flow, family, peers }: Standing): boolean =>
    meets(peersOn(reach[family], family, keyOf(flow)), peers);
  const refused = flows.filter((one) => !mayBegin(next, one));
  const closed = refused.filter((one) => mayBegin(old, one));
  const before = refused.filter((one) => !mayBegin(old, one));
  return [
    ...byPort(closed).map((some) => closedFlows(direction, some, question, tools)),
    ...byPort(before).map((some) => leftOver(direction, some, question, tools)),
  ];
}

function standing(flow: CurrentFlow): readonly Standing[] {
  const family = flow.peer.includes(':') ? 'v6' : 'v4';
  const peers = networkRanges(flow.peer, family);
  return peers === undefined ? [] : [{ flow, family, peers }];
}

function byPort(flows: readonly Standing[]): readonly (readonly Standing[])[] {
  const ports = new Map<string, Standing[]>();
  for (const one of flows) {
    const port = portText(one.flow);
    const some = ports.get(port);
    if (some === undefined) ports.set(port, [one]);
    else some.push(one);
  }
  return [...ports.values()];
}

const countOf = (flows: readonly Standing[]): number => flows.reduce((sum, { flow }) => sum + flow.count, 0);

/** `12 flows`, `at least 12 flows` where the host had more than it told. */
function countText(flows: readonly Standing[], { more }: Activity): string {
  const count = countOf(flows);
  return `${more ? 'at least ' : ''}${count} flow${count === 1 ? '' : 's'}`;
}

function closedFlows(
  direction: CurrentFlow['direction'],
  flows: readonly Standing[],
  question: ImpactQuestion,
  { addressNames }: Tools,
): Problem {
  const [first] = flows;
  const port = first === undefined ? '' : portText(first.flow);
  const peers = peersText(flows, addressNames);
  const way = direction === 'in' ? `${port} by ${peers}` : `${port} of ${peers} by this host`;
  return warning(
    'closes-current-flows',
    `In use now: ${way} (${countText(flows, question.activity)}); new connections will be refused. ${fate(flows, question)}`,
    undefined,
    `Allow ${port} ${direction === 'in' ? 'from' : 'to'} them if they are to go on.`,
  );
}

function leftOver(
  direction: CurrentFlow['direction'],
  flows: readonly Standing[],
  question: ImpactQuestion,
  { addressNames }: Tools,
): Problem {
  const [first] = flows;
  const port = first === undefined ? '' : portText(first.flow);
  const way = direction === 'in' ? 'from' : 'to';
  return note(
    'flows-of-refused-peers',
    `There are flows that no rule would let begin, before or after: ${port} ${way} ${peersText(flows, addressNames)} (${countText(flows, question.activity)}). ${fate(flows, question)}`,
    undefined,
    'They began under other rules, or with an address or interface of their own; `conntrack -D` on the host ends them.',
  );
}

/** What becomes of flows that stand: connection tracking knows them, or it does not. */
function fate(flows: readonly Standing[], question: ImpactQuestion): string {
  const [first] = flows;
  const count = countOf(flows);
  const [they, end] = count === 1 ? ['It', 'ends'] : ['They', 'end'];
  if (!question.activity.tracked || first === undefined)
    return `Connection tracking does not know ${count === 1 ? 'this flow: it' : 'these flows: they'} may be cut.`;
  const { verdict, rule } = established(first, question);
  const where = rule?.source === undefined ? '' : ` (${rule.source.file}:${rule.source.line})`;
  if (verdict === 'accept')
    return `${count} established flow${count === 1 ? '' : 's'} will stay alive until ${they.toLowerCase()} ${end}: the rules let packets of standing connections pass${where}.`;
  return verdict === 'unknown'
    ? `Whether ${they.toLowerCase()} ${count === 1 ? 'goes' : 'go'} on cannot be told.`
    : `${they} will be cut: the rules let no packet of standing connections pass.`;
}

/** What becomes of the next packet of the first one of the flows. */
function established({ flow, family, peers }: Standing, { next, addresses }: ImpactQuestion) {
  const own = addresses.find((address) => address.includes(':') === (family === 'v6')) ?? '';
  const peer = formatAddress(peers[0]?.[0] ?? 0n, family);
  const [src, dst] = flow.direction === 'in' ? [peer, own] : [own, peer];
  return explainer(next, { addresses })({
    hook: HOOKS[flow.direction],
    src,
    dst,
    protocol: flow.protocol,
    dport: flow.port,
    ...(flow.protocol === 'tcp' ? { flags: 'ACK' } : {}),
    state: 'ESTABLISHED',
  });
}

const MOST_NAMED = 5;

/** Networks and hosts by the names of the policy, private addresses as they are, strangers as a number. */
function peersText(flows: readonly Standing[], addressNames: AddressNames): string {
  const named = new Set<string>();
  const strangers = new Set<string>();
  for (const { flow, family, peers } of flows) {
    const [only, ...others] = addressNames.name(peers, family);
    // A network of which some has a name may have been meant with the rest.
    const one = others.length === 0 ? only : undefined;
    if (one?.hosts !== undefined) for (const host of one.hosts) named.add(host);
    else if (one?.node.kind === 'network') named.add(one.node.name);
    else if (isEmpty(subtract(peers, PRIVATE[family]))) named.add(flow.peer);
    else strangers.add(flow.peer);
  }
  const count = strangers.size;
  const kind = [...strangers].some((peer) => peer.includes('/')) ? 'network' : 'address';
  const plural = kind === 'network' ? 'networks' : 'addresses';
  const unnamed =
    count === 0 ? [] : [`${count} ${named.size > 0 ? 'other ' : ''}${count === 1 ? kind : plural}`];
  return list([...[...named].sort(), ...unnamed], MOST_NAMED);
}

/** A UDP socket there is most likely a client's (ip_local_port_range begins so). */
const EPHEMERAL = 32768;
const MOST_PORTS = 8;

/**
 * A DHCPv6 client asks a multicast address and is answered by a link-local one (RFC 8415, 5 and 7.1), which connection
 * tracking takes for new. Everything goes well until the lease ends, hours after the change was confirmed.
 */
const DHCPV6_CLIENT = 'udp/546';
const LEASE_LOST = warning(
  'dhcpv6-blocked',
  'A DHCPv6 client runs on this host (udp/546), and the answers to it will be dropped: the host loses its IPv6 address when the lease ends.',
  undefined,
  'Allow dhcpv6-client from link-local.',
);

function listeningProblems(question: ImpactQuestion, tools: Tools): readonly Problem[] {
  const [old, next] = [question.before, question.next].map((one) => reachesOf(one, question, 'INPUT', tools));
  if (old === undefined || next === undefined) return [];
  const servers = question.activity.listening.filter(
    ({ protocol, port }) => protocol === 'tcp' || port < EPHEMERAL,
  );
  const open = (reach: Reaches, listener: Listener): boolean =>
    listener.families.some((family) => !isEmpty(peersOn(reach[family], family, keyOf(listener))));
  const reached = (reach: Reaches): ReadonlySet<string> =>
    new Set(servers.filter((one) => open(reach, one)).map(portText));
  const [was, will] = [reached(old), reached(next)];
  const all = [...new Map(servers.map((one) => [portText(one), keyOf(one)]))]
    .sort(([, a], [, b]) => (a < b ? -1 : 1))
    .map(([port]) => port)
    .filter((port) => !will.has(port));
  const [gone, still] = [all.filter((port) => was.has(port)), all.filter((port) => !was.has(port))];
  const lost = gone.filter((port) => port !== DHCPV6_CLIENT);
  return [
    ...(gone.includes(DHCPV6_CLIENT) ? [LEASE_LOST] : []),
    ...(lost.length === 0
      ? []
      : [
          note(
            'listens-for-nobody-now',
            `Something listens on ${list(lost, MOST_PORTS)}, and nobody may reach it any more.`,
            undefined,
            'Allow it from those who need it, or stop what listens.',
          ),
        ]),
    ...(still.length === 0
      ? []
      : [
          note(
            'listens-for-nobody',
            `Something listens on ${list(still, MOST_PORTS)}, and nobody may reach it, before or after.`,
          ),
        ]),
  ];
}

/** A longer row of ports is for programs that open them as they need them. */
const LONGEST_ROW = 100n;

/** Rules of the policy that let in what nothing listens for, a note each. */
function idleProblems(question: ImpactQuestion, tools: Tools): readonly Problem[] {
  const next = reachesOf(question.next, question, 'INPUT', tools);
  if (next === undefined) return [];
  const listening = new Set(question.activity.listening.map(keyOf));
  const notes = new Map<string, Problem>();
  for (const family of FAMILIES)
    for (const [rule, keys] of rulesOf(next[family].value)) {
      const location = ruleLocation(question.next, family, rule);
      if (location?.kind !== 'policy') continue;
      const idle = keys.filter(
        (row) => row[1] - row[0] < LONGEST_ROW && isRead(row) && !somethingOn(row, listening),
      );
      if (idle.length === 0) continue;
      const made = note(
        'nothing-listens',
        `This rule lets in ${list(idle.map(rowText), MOST_PORTS)}, and nothing listens there now.`,
        location,
        'Take it out when the service is gone for good.',
      );
      notes.set(JSON.stringify([made.message, location]), made);
    }
  return [...notes.values()];
}

/** Rows of ports by the rule that lets them in for sure: what nat sends on may be listened for elsewhere. */
function rulesOf(reach: Reach): ReadonlyMap<DecidingRule, Ranges> {
  const found = new Map<DecidingRule, Range[]>();
  for (const { services, by, surely } of reach)
    for (const { rule, peers } of by) {
      if (rule === null || isEmpty(intersect(surely, peers))) continue;
      const known = found.get(rule);
      if (known === undefined) found.set(rule, [services]);
      else known.push(services);
    }
  return new Map([...found].map(([rule, keys]) => [rule, normalise(keys)]));
}

/** Of other protocols it is not read what listens. */
const isRead = ([from, to]: Range): boolean =>
  from / PORTS === to / PORTS && Object.values(PROTOCOLS).includes((from / PORTS) as 6n | 17n);

function somethingOn([from, to]: Range, listening: ReadonlySet<bigint>): boolean {
  for (let key = from; key <= to; key++) if (listening.has(key)) return true;
  return false;
}

function rowText([from, to]: Range): string {
  const protocol = from / PORTS === PROTOCOLS.tcp ? 'tcp' : 'udp';
  const [low, high] = [from % PORTS, to % PORTS];
  return `${protocol}/${low === high ? low : `${low}-${high}`}`;
}
