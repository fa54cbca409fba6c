/** The proof that nobody is locked out: administrators can reach SSH, for every packet and through all tables. */

import { FAMILIES, type Family } from '../../lib/family.js';
import { networkRanges, parseAddresses } from '../../lib/ip.js';
import { between, ofValues, one, type Ranges, subtract, union, unionOf } from '../../lib/ranges.js';
import { FAMILY } from '../../lib/text.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { AddressSet } from '../../policy/fleet.js';
import type { Hook, LockoutProof, TrafficOptions } from '../model.js';
import { compileRuleset } from '../program/compiled-ruleset.js';
import { flagBits, PROTOCOL, STATE } from '../program/fields.js';
import { all, field, notLoopback, type Predicate } from '../program/predicate.js';
import { tryProof } from '../space/proof-limits.js';
import { explainer } from '../trace/explain.js';
import { byRule, packetText } from '../trace/sentences.js';
import { DEFAULT_BUDGET } from './compare.js';
import { type Claim, createProver, type Proof } from './prove.js';

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
 * Proves, for every admin network and the run's own address, every address of the host and each family that both have:
 * new connections to SSH are accepted for sure, their replies may leave, and established sessions pass; for IPv6 also
 * neighbour discovery. `violated` names a packet that is dropped in every case, however unknown matches turn out.
 */
export function proveLockout(
  ruleset: Ruleset,
  question: LockoutQuestion,
  options: TrafficOptions = {},
): LockoutProof {
  const verdicts: Proof['verdict'][] = [];
  const reasons: string[] = [];
  const families = FAMILIES.filter((family) => peersOf(question, family).length > 0);
  if (families.length === 0) {
    verdicts.push('not-proven');
    reasons.push(
      'No admin network is of the same family as an address of the host, so access to SSH cannot be checked.',
    );
  }
  for (const family of families)
    tryProof(
      () => proveFamily(ruleset, question, family, options, verdicts, reasons),
      (reason) => {
        verdicts.push('not-proven');
        reasons.push(`${FAMILY[family]}: ${reason}`);
      },
    );
  const failed = (['violated', 'not-proven'] as const).find((verdict) => verdicts.includes(verdict));
  return { verdict: failed ?? 'proved', reasons, accepted: false };
}

/** Addresses that must have access. */
interface Peer {
  readonly name: string;
  readonly ranges: Ranges;
}

const EVERYONE: { readonly [family in Family]: readonly string[] } = { v4: ['0.0.0.0/0'], v6: ['::/0'] };

/** Addresses that no packet from another host has as its source: routing drops them before any table but raw. */
export const NO_SENDER: { readonly [family in Family]: Ranges } = {
  v4: union(
    ...['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].map((network) => networkRanges(network, 'v4') ?? []),
  ),
  v6: unionOf(['::/127', 'ff00::/8'].map((network) => networkRanges(network, 'v6') ?? [])),
};

function peersOf({ admin, addresses, client }: LockoutQuestion, family: Family): readonly Peer[] {
  if (parseAddresses(addresses, family).length === 0) return [];
  const networks = admin.any ? EVERYONE[family] : admin[family];
  const own = client === undefined ? [] : parseAddresses([client], family);
  return [
    ...networks.map((network) => ({
      name: network,
      ranges: subtract(networkRanges(network, family) ?? [], NO_SENDER[family]),
    })),
    ...own.map((address) => ({ name: `${client} (the address of this run)`, ranges: one(address) })),
  ];
}

/** Packets that must be accepted. */
interface Requirement {
  readonly hook: Hook;
  /** The subject of a sentence that says they are dropped. */
  readonly subject: (peer: string) => string;
  readonly packets: (peer: Ranges) => Predicate;
  readonly nat?: 'unknown';
}

const CLIENT_PORTS = between(1024n, 65535n);
const NEW = one(STATE.NEW);
const ESTABLISHED = one(STATE.ESTABLISHED);
const flags = (...texts: readonly string[]): Predicate => field('flags', ofValues(texts.map(flagBits)));

function requirements(host: Ranges, port: number): readonly Requirement[] {
  const ssh = one(BigInt(port));
  const tcp = field('protocol', one(PROTOCOL.TCP));
  const toHost = (peer: Ranges, state: Ranges, ...flagSets: readonly string[]): Predicate =>
    all(
      field('state', state),
      notLoopback('in'),
      tcp,
      field('packetType', one(0n)),
      field('src', peer),
      field('dst', host),
      field('dport', ssh),
      field('sport', CLIENT_PORTS),
      flags(...flagSets),
    );
  return [
    {
      hook: 'INPUT',
      subject: (peer) => `New SSH connections from ${peer}`,
      packets: (peer) => toHost(peer, NEW, 'SYN'),
      nat: 'unknown',
    },
    {
      hook: 'INPUT',
      subject: (peer) => `Packets of established SSH sessions from ${peer}`,
      packets: (peer) => toHost(peer, ESTABLISHED, 'ACK', 'PSH,ACK'),
    },
    {
      hook: 'OUTPUT',
      subject: (peer) => `SSH replies to ${peer}`,
      packets: (peer) =>
        all(
          field('state', ESTABLISHED),
          notLoopback('out'),
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

/** Neighbour solicitation and advertisement (RFC 4861), without which no IPv6 packet is delivered on a link. */
function discoveryRequirements(host: Ranges): readonly Requirement[] {
  const linkLocal = networkRanges('fe80::/10', 'v6') ?? [];
  const solicited = networkRanges('ff02::1:ff00:0/104', 'v6') ?? [];
  const own = union(host, linkLocal);
  const discovery = all(
    field('protocol', one(PROTOCOL.ICMPV6)),
    field('type', between(135n, 136n)),
    field('code', one(0n)),
  );
  return [
    {
      hook: 'INPUT',
      subject: () => 'IPv6 neighbour discovery from the local link',
      packets: () =>
        all(discovery, notLoopback('in'), field('src', linkLocal), field('dst', union(own, solicited))),
    },
    {
      hook: 'OUTPUT',
      subject: () => 'IPv6 neighbour discovery of this host',
      packets: () =>
        all(discovery, notLoopback('out'), field('src', own), field('dst', union(linkLocal, solicited))),
    },
  ];
}

/** RFC 4861, 7.1: neighbour discovery never crosses a router, so that its hop limit is always 255. */
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
  const host = ofValues(parseAddresses(question.addresses, family));
  const peers = peersOf(question, family).filter((peer) => peer.ranges.length > 0);
  const everyone: Peer = { name: 'admin networks', ranges: unionOf(peers.map((peer) => peer.ranges)) };
  const access = requirements(host, question.port).map((requirement) => ({
    requirement,
    together: claimOf(requirement, everyone),
    each: peers.map((peer) => ({ peer, claim: claimOf(requirement, peer) })),
  }));
  const discovery = (family === 'v6' ? discoveryRequirements(host) : []).map((requirement) => ({
    requirement,
    claim: claimOf(requirement, everyone, DISCOVERY_HOP_LIMIT),
  }));
  const claims = [
    ...access.flatMap(({ together, each }) => [together, ...each.map(({ claim }) => claim)]),
    ...discovery.map(({ claim }) => claim),
  ];
  const compiled = compileRuleset(ruleset, family, addresses);
  const prove = createProver(compiled, claims, options.budget ?? DEFAULT_BUDGET);
  const explain = explainer(ruleset, { ...options, addresses });
  const report = (requirement: Requirement, peer: Peer, proof: Proof): void => {
    verdicts.push(proof.verdict);
    if (proof.verdict !== 'proved') reasons.push(describe(requirement.subject(peer.name), proof, explain));
  };
  for (const { requirement, together, each } of access) {
    if (prove(together).verdict === 'proved') continue;
    const failing = each
      .map(({ peer, claim }) => ({ peer, proof: prove(claim) }))
      .filter(({ proof }) => proof.verdict !== 'proved');
    for (const { peer, proof } of failing.slice(0, MOST_NAMED)) report(requirement, peer, proof);
    for (const { proof } of failing.slice(MOST_NAMED)) verdicts.push(proof.verdict);
    if (failing.length > MOST_NAMED)
      reasons.push(`The same applies to ${failing.length - MOST_NAMED} more admin networks.`);
  }
  for (const { requirement, claim } of discovery) report(requirement, everyone, prove(claim));
}

const claimOf = (
  { hook, packets, nat }: Requirement,
  { ranges }: Peer,
  given: readonly string[] = [],
): Claim => ({ hook, packets: packets(ranges), verdict: 'accept', given, nat });

function describe(
  subject: string,
  proof: Exclude<Proof, { verdict: 'proved' }>,
  explain: ReturnType<typeof explainer>,
): string {
  const { rule, verdict } = explain(proof.example);
  const example = `for example ${packetText(proof.example)}${verdict === 'accept' ? '' : byRule(rule)}`;
  if (proof.verdict === 'violated')
    return `${subject} would be ${verdict === 'reject' ? 'rejected' : 'dropped'}, ${example}.`;
  const why =
    proof.because.length > 0
      ? proof.because.map((text) => `"${text}"`).join(' and ')
      : 'the interface on which they pass';
  return `${subject} may be dropped, depending on ${why}, ${example}.`;
}
