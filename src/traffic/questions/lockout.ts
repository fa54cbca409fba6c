/** The proof that nobody is locked out: SSH stays reachable for administrators, over all tables, for every packet. */

import { FAMILIES, type Family } from '../../lib/family.js';
import { networkRanges, parseAddress, parseAddresses } from '../../lib/ip.js';
import { between, ofValues, one, type Ranges, subtract, union } from '../../lib/ranges.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { AddressSet } from '../../policy/fleet.js';
import type { Hook, LockoutProof, TrafficOptions } from '../model.js';
import { compileRuleset } from '../program/compiled-ruleset.js';
import { flagBits, LOOPBACK } from '../program/fields.js';
import { all, field, type Predicate } from '../program/predicate.js';
import { tryProof } from '../space/proof-limits.js';
import { explainer } from '../trace/explain.js';
import { byRule, packetText } from '../trace/sentences.js';
import { DEFAULT_BUDGET } from './compare.js';
import { type Claim, createProver, familyName, type Proof } from './prove.js';

export interface LockoutQuestion {
  /** Networks that must always reach SSH. */
  readonly admin: AddressSet;
  /** Every address of the host, of both families, without prefix length. */
  readonly addresses: readonly string[];
  /** The port of SSH. */
  readonly port: number;
  /** The address that the run itself connects from. */
  readonly client?: string;
}

/**
 * Proves, for every admin network and the run's own address, every address of the host and each family that both are
 * of: a new connection to SSH is accepted for sure, its replies may leave, and sessions that stand go on; for IPv6
 * also that neighbours are found. `violated` names a packet that is refused whatever is not known.
 */
export function proveLockout(
  ruleset: Ruleset,
  question: LockoutQuestion,
  options: TrafficOptions = {},
): LockoutProof {
  const verdicts: Proof['verdict'][] = [];
  const reasons: string[] = [];
  const families = FAMILIES.filter((family) => peersOf(question, family).length > 0);
  if (families.length === 0)
    return {
      verdict: 'not-proven',
      reasons: [
        'No admin network is of the same family as an address of the host, so there is nothing to prove.',
      ],
      accepted: false,
    };
  for (const family of families) {
    tryProof(
      () => proveFamily(ruleset, question, family, options, verdicts, reasons),
      (reason) => {
        verdicts.push('not-proven');
        reasons.push(`${familyName(family)}: ${reason}`);
      },
    );
  }
  const verdict = verdicts.includes('violated')
    ? 'violated'
    : verdicts.includes('not-proven')
      ? 'not-proven'
      : 'proved';
  return { verdict, reasons, accepted: false };
}

/** Whoever must get in, by name. */
interface Peer {
  readonly name: string;
  readonly ranges: Ranges;
}

const EVERYONE: { readonly [family in Family]: readonly string[] } = { v4: ['0.0.0.0/0'], v6: ['::/0'] };

/** Addresses that no packet from another host carries: routing drops them before any table but raw. */
export const NO_SENDER: { readonly [family in Family]: Ranges } = {
  v4: union(
    ...['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].map((network) => networkRanges(network, 'v4') ?? []),
  ),
  v6: union(...['::/127', 'ff00::/8'].map((network) => networkRanges(network, 'v6') ?? [])),
};

function peersOf({ admin, addresses, client }: LockoutQuestion, family: Family): readonly Peer[] {
  if (!addresses.some((text) => parseAddress(text, family) !== undefined)) return [];
  const networks = admin.any ? EVERYONE[family] : admin[family];
  const own = client === undefined ? undefined : parseAddress(client, family);
  return [
    ...networks.map((network) => ({
      name: network,
      ranges: subtract(networkRanges(network, family) ?? [], NO_SENDER[family]),
    })),
    ...(own === undefined ? [] : [{ name: `${client} (the address of this run)`, ranges: one(own) }]),
  ];
}

/** One thing that must be possible. */
interface Way {
  readonly hook: Hook;
  /** Begins a sentence about what is dropped. */
  readonly what: (peer: string) => string;
  readonly packets: (peer: Ranges) => Predicate;
  readonly nat?: 'unknown';
}

const CLIENT_PORTS = between(1024n, 65535n);
const NEW = one(0n);
const ESTABLISHED = one(1n);
const flags = (...texts: readonly string[]): Predicate => field('flags', ofValues(texts.map(flagBits)));
const everyInterface = (side: 'in' | 'out'): Predicate =>
  field(side, subtract([[0n, (1n << 128n) - 1n]], one(LOOPBACK)));

function ways(host: Ranges, port: number): readonly Way[] {
  const ssh = one(BigInt(port));
  const tcp = field('protocol', one(6n));
  const unicast = field('packetType', one(0n));
  const inward = (peer: Ranges, state: Ranges, ...flagSets: readonly string[]): Predicate =>
    all(
      field('state', state),
      everyInterface('in'),
      tcp,
      unicast,
      field('src', peer),
      field('dst', host),
      field('dport', ssh),
      field('sport', CLIENT_PORTS),
      flags(...flagSets),
    );
  return [
    {
      hook: 'INPUT',
      what: (peer) => `New SSH connections from ${peer}`,
      packets: (peer) => inward(peer, NEW, 'SYN'),
      nat: 'unknown',
    },
    {
      hook: 'INPUT',
      what: (peer) => `Packets of standing SSH sessions from ${peer}`,
      packets: (peer) => inward(peer, ESTABLISHED, 'ACK', 'PSH,ACK'),
    },
    {
      hook: 'OUTPUT',
      what: (peer) => `Replies of SSH to ${peer}`,
      packets: (peer) =>
        all(
          field('state', ESTABLISHED),
          everyInterface('out'),
          tcp,
          field('src', host),
          field('dst', peer),
          field('sport', ssh),
          field('dport', CLIENT_PORTS),
          flags('SYN,ACK', 'ACK', 'PSH,ACK'),
        ),
    },
  ];
}

/** Neighbour solicitation and advertisement (RFC 4861), without which no IPv6 packet finds its way on a link. */
function neighbourWays(host: Ranges): readonly Way[] {
  const linkLocal = networkRanges('fe80::/10', 'v6') ?? [];
  const solicited = networkRanges('ff02::1:ff00:0/104', 'v6') ?? [];
  const own = union(host, linkLocal);
  const discovery = all(
    field('protocol', one(58n)),
    field('type', between(135n, 136n)),
    field('code', one(0n)),
  );
  return [
    {
      hook: 'INPUT',
      what: () => 'IPv6 neighbour discovery from the local link',
      packets: () =>
        all(discovery, everyInterface('in'), field('src', linkLocal), field('dst', union(own, solicited))),
    },
    {
      hook: 'OUTPUT',
      what: () => 'IPv6 neighbour discovery of this host',
      packets: () =>
        all(discovery, everyInterface('out'), field('src', own), field('dst', union(linkLocal, solicited))),
    },
  ];
}

/** RFC 4861, 7.1: neighbour discovery never crosses a router, and its hop limit says so. */
const DISCOVERY_HOP_LIMIT = ['hl --hl-eq 255'];

/** The most failing networks that are named one by one. */
const MOST_NAMED = 10;

function proveFamily(
  ruleset: Ruleset,
  question: LockoutQuestion,
  family: Family,
  options: TrafficOptions,
  verdicts: Proof['verdict'][],
  reasons: string[],
): void {
  const addresses = options.addresses ?? question.addresses;
  const program = compileRuleset(ruleset, family, addresses);
  const host = ofValues(parseAddresses(question.addresses, family));
  const peers = peersOf(question, family).filter((peer) => peer.ranges.length > 0);
  const everyone: Peer = { name: 'admin networks', ranges: union(...peers.map((peer) => peer.ranges)) };
  const plan = ways(host, question.port).map((way) => ({
    way,
    together: claimOf(way, everyone),
    each: peers.map((peer) => ({ peer, claim: claimOf(way, peer) })),
  }));
  const found =
    family === 'v6'
      ? neighbourWays(host).map((way) => ({ way, claim: claimOf(way, everyone, DISCOVERY_HOP_LIMIT) }))
      : [];
  const claims = [
    ...plan.flatMap(({ together, each }) => [together, ...each.map(({ claim }) => claim)]),
    ...found.map(({ claim }) => claim),
  ];
  const prove = createProver(program, claims, options.budget ?? DEFAULT_BUDGET);
  const explain = explainer(ruleset, { ...options, addresses });
  const report = (way: Way, peer: Peer, proof: Proof): void => {
    verdicts.push(proof.verdict);
    const sentence = describe(way, peer, proof, explain);
    if (sentence !== undefined) reasons.push(sentence);
  };
  for (const { way, together, each } of plan) {
    if (prove(together).verdict === 'proved') {
      verdicts.push('proved');
      continue;
    }
    const failing = each
      .map(({ peer, claim }) => ({ peer, proof: prove(claim) }))
      .filter(({ proof }) => proof.verdict !== 'proved');
    for (const { peer, proof } of failing.slice(0, MOST_NAMED)) report(way, peer, proof);
    for (const { proof } of failing.slice(MOST_NAMED)) verdicts.push(proof.verdict);
    if (failing.length > MOST_NAMED)
      reasons.push(`The same holds for ${failing.length - MOST_NAMED} more admin networks.`);
  }
  for (const { way, claim } of found) report(way, everyone, prove(claim));
}

const claimOf = (way: Way, peer: Peer, given: readonly string[] = []): Claim => ({
  hook: way.hook,
  packets: way.packets(peer.ranges),
  verdict: 'accept',
  given,
  ...(way.nat && { nat: way.nat }),
});

function describe(
  way: Way,
  peer: Peer,
  proof: Proof,
  explain: ReturnType<typeof explainer>,
): string | undefined {
  if (proof.verdict === 'proved') return undefined;
  const { example } = proof;
  const what = way.what(peer.name);
  const shown = `for example ${packetText(example)}`;
  const { rule, verdict } = explain(example);
  const by = verdict === 'accept' ? '' : byRule(rule);
  if (proof.verdict === 'violated')
    return `${what} would be ${verdict === 'reject' ? 'rejected' : 'dropped'}, ${shown}${by}.`;
  const why =
    proof.because.length > 0
      ? `that depends on ${proof.because.map((text) => `"${text}"`).join(' and ')}`
      : 'that depends on the interface on which they pass';
  return `${what} may be dropped: ${why}, ${shown}${by}.`;
}
