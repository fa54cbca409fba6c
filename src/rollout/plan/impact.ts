/**
 * What a plan means for what a host is doing now: peers that will be refused, listening ports that nobody can reach, and
 * rules that allow ports where nothing listens. Public addresses without a name are only counted, since reports are
 * published.
 */
import type { Activity, CurrentFlow, Listener } from '../../host/client.js';
import { FAMILIES, type Family } from '../../lib/family.js';
import { groupBy } from '../../lib/group.js';
import { formatAddress, networkRanges } from '../../lib/ip.js';
import { note, type Problem, warning } from '../../lib/problem.js';
import { has, intersect, isEmpty, normalise, type Range, type Ranges, subtract } from '../../lib/ranges.js';
import { count, list } from '../../lib/text.js';
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
  /** All local addresses of the host. */
  readonly addresses: readonly string[];
  readonly before: Ruleset;
  readonly next: Ruleset;
}

/** The findings of one host; none where the reach of its rules could not be computed. */
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

/** The peers that may get through on a protocol-port key; all of them where nat redirects it to another host. */
const peersOn = ({ value, redirected }: Reaches[Family], family: Family, key: bigint): Ranges =>
  has(redirected, key)
    ? everyPeer(family)
    : (value.find(({ services: [from, to] }) => from <= key && key <= to)?.perhaps ?? []);

/** Most peers are one address, for which a lookup is enough. */
const meets = (ranges: Ranges, peers: Ranges): boolean =>
  peers.some((peer) => has(ranges, peer[0]) || (peer[0] !== peer[1] && !isEmpty(intersect(ranges, [peer]))));

interface OpenFlow {
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
  const flows = question.activity.flows.filter((flow) => flow.direction === direction).flatMap(openFlow);
  if (flows.length === 0) return [];
  const hook = HOOKS[direction];
  const [old, next] = [question.before, question.next].map((one) => reachesOf(one, question, hook, tools));
  if (old === undefined || next === undefined) return [];
  const isAllowed = (reach: Reaches, { flow, family, peers }: OpenFlow): boolean =>
    meets(peersOn(reach[family], family, keyOf(flow)), peers);
  const refused = flows.filter((one) => !isAllowed(next, one));
  const closed = refused.filter((one) => isAllowed(old, one));
  const before = refused.filter((one) => !isAllowed(old, one));
  return [
    ...byPort(closed).map((group) => closedFlows(group, question, tools)),
    ...byPort(before).map((group) => refusedFlows(group, question, tools)),
  ];
}

function openFlow(flow: CurrentFlow): readonly OpenFlow[] {
  const family = flow.peer.includes(':') ? 'v6' : 'v4';
  const peers = networkRanges(flow.peer, family);
  return peers === undefined ? [] : [{ flow, family, peers }];
}

/** Grouped by `tcp/443 from` or `tcp/443 to`. */
const byPort = (flows: readonly OpenFlow[]): readonly (readonly [string, readonly OpenFlow[]])[] => [
  ...groupBy(flows, ({ flow }) => `${portText(flow)} ${flow.direction === 'in' ? 'from' : 'to'}`),
];

const countOf = (flows: readonly OpenFlow[]): number => flows.reduce((sum, { flow }) => sum + flow.count, 0);

/** `12 flows`; `at least 12 flows` where the host had more than it listed. */
function countText(flows: readonly OpenFlow[], { more }: Activity): string {
  return `${more ? 'at least ' : ''}${count(countOf(flows), 'flow')}`;
}

function closedFlows(
  [port, flows]: readonly [string, readonly OpenFlow[]],
  question: ImpactQuestion,
  { addressNames }: Tools,
): Problem {
  return warning(
    'closes-current-flows',
    `In use now: ${port} ${peersText(flows, addressNames)} (${countText(flows, question.activity)}); new connections will be refused. ${fate(flows, question)}`,
    { hint: `Allow ${port} them if they still need it.` },
  );
}

function refusedFlows(
  [port, flows]: readonly [string, readonly OpenFlow[]],
  question: ImpactQuestion,
  { addressNames }: Tools,
): Problem {
  return note(
    'flows-of-refused-peers',
    `Open flows that no rule allows, before or after: ${port} ${peersText(flows, addressNames)} (${countText(flows, question.activity)}). ${fate(flows, question)}`,
    {
      hint: 'They were opened under other rules, or by another address or interface; `conntrack -D` on the host ends them.',
    },
  );
}

/** What happens to open flows, which depends on whether connection tracking has them. */
function fate(flows: readonly OpenFlow[], question: ImpactQuestion): string {
  const [first] = flows;
  const total = countOf(flows);
  const they = total === 1 ? 'It' : 'They';
  if (!question.activity.tracked || first === undefined)
    return `Connection tracking does not have ${total === 1 ? 'this flow: it' : 'these flows: they'} may be cut.`;
  const { verdict, rule } = established(first, question);
  const where = rule?.source === undefined ? '' : ` (${rule.source.file}:${rule.source.line})`;
  if (verdict === 'accept')
    return `${count(total, 'established flow')} will stay open until ${total === 1 ? 'it ends' : 'they end'}: the rules accept packets of established connections${where}.`;
  return verdict === 'unknown'
    ? `Whether ${they.toLowerCase()} will stay open is not known.`
    : `${they} will be cut: the rules do not accept packets of established connections.`;
}

/** What happens to the next packet of an open flow. */
function established({ flow, family, peers }: OpenFlow, { next, addresses }: ImpactQuestion) {
  const own = addresses.find((address) => address.includes(':') === (family === 'v6')) ?? '';
  const peer = formatAddress(peers[0]?.[0] ?? 0n, family);
  const [src, dst] = flow.direction === 'in' ? [peer, own] : [own, peer];
  return explainer(next, { addresses })({
    hook: HOOKS[flow.direction],
    src,
    dst,
    protocol: flow.protocol,
    dport: flow.port,
    flags: flow.protocol === 'tcp' ? 'ACK' : undefined,
    state: 'ESTABLISHED',
  });
}

const MOST_NAMED = 5;

/** Names of networks and hosts where the policy has them, private addresses as they are, and the number of others. */
function peersText(flows: readonly OpenFlow[], addressNames: AddressNames): string {
  const named = new Set<string>();
  const unnamed = new Set<string>();
  for (const { flow, family, peers } of flows) {
    const [only, ...others] = addressNames.name(peers, family);
    // A network that is named only in part counts as unnamed.
    const one = others.length === 0 ? only : undefined;
    if (one?.hosts !== undefined) for (const host of one.hosts) named.add(host);
    else if (one?.node.kind === 'network') named.add(one.node.name);
    else if (isEmpty(subtract(peers, PRIVATE[family]))) named.add(flow.peer);
    else unnamed.add(flow.peer);
  }
  const names = [...named].sort();
  if (unnamed.size > 0) {
    const networks = [...unnamed].some((peer) => peer.includes('/'));
    const [one, many] = networks ? ['network', 'networks'] : ['address', 'addresses'];
    names.push(`${unnamed.size} ${named.size > 0 ? 'other ' : ''}${unnamed.size === 1 ? one : many}`);
  }
  return list(names, MOST_NAMED);
}

/** From here on, a UDP socket is most likely a client's (the default of ip_local_port_range). */
const EPHEMERAL = 32768;
const MOST_PORTS = 8;

/**
 * A DHCPv6 client sends to a multicast address, and the reply is from a link-local one (RFC 8415, sections 5 and 7.1),
 * which is NEW for connection tracking. The host notices only when the lease ends, hours after the change was confirmed.
 */
const DHCPV6_CLIENT = 'udp/546';
const LEASE_LOST = warning(
  'dhcpv6-blocked',
  'A DHCPv6 client runs on this host (udp/546), and its replies will be dropped: the host loses its IPv6 address when the lease ends.',
  { hint: 'Allow dhcpv6-client from link-local.' },
);

function listeningProblems(question: ImpactQuestion, tools: Tools): readonly Problem[] {
  const [old, next] = [question.before, question.next].map((one) => reachesOf(one, question, 'INPUT', tools));
  if (old === undefined || next === undefined) return [];
  const servers = question.activity.listening.filter(
    ({ protocol, port }) => protocol === 'tcp' || port < EPHEMERAL,
  );
  const isReachable = (reach: Reaches, listener: Listener): boolean =>
    listener.families.some((family) => !isEmpty(peersOn(reach[family], family, keyOf(listener))));
  const reached = (reach: Reaches): ReadonlySet<string> =>
    new Set(servers.filter((one) => isReachable(reach, one)).map(portText));
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
            `The host listens on ${list(lost, MOST_PORTS)}, which nobody can reach any more.`,
            { hint: 'Allow it from the peers that need it, or stop the service.' },
          ),
        ]),
    ...(still.length === 0
      ? []
      : [
          note(
            'listens-for-nobody',
            `The host listens on ${list(still, MOST_PORTS)}, which nobody can reach, before or after.`,
          ),
        ]),
  ];
}

/** Longer port ranges are for programs that open ports on demand. */
const LONGEST_RANGE = 100n;

/** A note for each rule of the policy that allows ports where nothing listens. */
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
        (range) => range[1] - range[0] < LONGEST_RANGE && isRead(range) && !isListening(range, listening),
      );
      if (idle.length === 0) continue;
      const made = note(
        'nothing-listens',
        `This rule allows ${list(idle.map(rangeText), MOST_PORTS)}, where nothing listens now.`,
        { location, hint: 'Remove it if the service is gone for good.' },
      );
      notes.set(JSON.stringify([made.message, location]), made);
    }
  return [...notes.values()];
}

/** Port ranges by the rule that accepts them for certain; what nat redirects may be served on another host. */
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

/** Listening sockets are read for tcp and udp only. */
const isRead = ([from, to]: Range): boolean =>
  from / PORTS === to / PORTS && Object.values(PROTOCOLS).includes((from / PORTS) as 6n | 17n);

function isListening([from, to]: Range, listening: ReadonlySet<bigint>): boolean {
  for (let key = from; key <= to; key++) if (listening.has(key)) return true;
  return false;
}

function rangeText([from, to]: Range): string {
  const protocol = from / PORTS === PROTOCOLS.tcp ? 'tcp' : 'udp';
  const [low, high] = [from % PORTS, to % PORTS];
  return `${protocol}/${low === high ? low : `${low}-${high}`}`;
}
