/** The checks of a policy on its own rules: guards, proved for every packet, and tests of single packets. */
import { isIP } from 'node:net';
import { FAMILIES, type Family } from '../../lib/family.js';
import { networkRanges, parseAddresses } from '../../lib/ip.js';
import { error, type Problem } from '../../lib/problem.js';
import { between, isEmpty, ofValues, one, type Ranges, subtract, unionOf } from '../../lib/ranges.js';
import { FAMILY } from '../../lib/text.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { AddressSet, Fleet, Guard, Host, PolicyTest, Service } from '../../policy/fleet.js';
import type { Packet, Verdict } from '../model.js';
import { compileRuleset } from '../program/compiled-ruleset.js';
import { domain, flagBits, STATE } from '../program/fields.js';
import { UNTRACKED_TYPES } from '../program/pipeline.js';
import { ALWAYS, all, any, field, NEVER, not, notLoopback, type Predicate } from '../program/predicate.js';
import { tryProof } from '../space/proof-limits.js';
import { explainer } from '../trace/explain.js';
import { readPacket } from '../trace/read-packet.js';
import { byRule, packetText } from '../trace/sentences.js';
import { DEFAULT_BUDGET } from './compare.js';
import { type Claim, createProver, type Proof } from './prove.js';

/**
 * Proves every guard that names the host, for every packet from outside that opens a connection. The problem of a guard
 * that fails has an example packet and the rule that decides on it; a guard that depends on an unmodelled match fails too.
 */
export function proveGuards(fleet: Fleet, host: Host, ruleset: Ruleset): readonly Problem[] {
  const guards = fleet.guards.filter((guard) => guard.on.includes(host.name));
  return FAMILIES.flatMap((family) => proveFamily(guards, host, ruleset, family));
}

function proveFamily(
  guards: readonly Guard[],
  host: Host,
  ruleset: Ruleset,
  family: Family,
): readonly Problem[] {
  const claims = guards
    .map((guard) => ({ guard, claim: claimOf(guard, host, family) }))
    .filter(({ claim }) => claim.packets !== NEVER);
  if (claims.length === 0) return [];
  const problems: Problem[] = [];
  tryProof(
    () => {
      const prove = createProver(
        compileRuleset(ruleset, family, host.addresses),
        claims.map(({ claim }) => claim),
        DEFAULT_BUDGET,
      );
      const explain = explainer(ruleset, { addresses: host.addresses });
      for (const { guard, claim } of claims) problems.push(...failure(guard, host, prove(claim), explain));
    },
    (reason) => {
      const spent = claims.map(({ guard }) =>
        error(
          'guard-not-proven',
          `The guard "${guard.name}" is not proven on ${host.name} for ${FAMILY[family]}: ${reason}`,
          { location: guard.location },
        ),
      );
      problems.push(...spent);
    },
  );
  return problems;
}

function claimOf(guard: Guard, host: Host, family: Family): Claim {
  const wanted = guard.verdict === 'accept' ? 'accept' : 'refuse';
  const src = subtract(addresses(guard.from, family), guard.except ? addresses(guard.except, family) : []);
  const own = ofValues(parseAddresses(host.addresses, family));
  const services = guard.services.map((service) => serviceOf(service, family, wanted));
  const opening = all(field('state', one(STATE.NEW)), notLoopback('in'), any(...services), field('src', src));
  // An ordinary client's packet to this host must be accepted; any packet at all must be refused.
  const ordinary =
    guard.verdict === 'accept'
      ? all(field('packetType', one(0n)), isEmpty(own) ? ALWAYS : field('dst', own))
      : ALWAYS;
  return { hook: 'INPUT', packets: all(opening, ordinary), verdict: wanted };
}

const addresses = (set: AddressSet, family: Family): Ranges =>
  set.any
    ? [domain('src', family)]
    : unionOf(set[family].map((network) => networkRanges(network, family) ?? []));

const protocol = (name: string): Predicate => field('protocol', one(BigInt(protocolNumber(name) ?? 0)));

/** Neighbour discovery belongs to no connection and is not a service. */
const DISCOVERY: Predicate = all(protocol('ipv6-icmp'), field('type', ofValues(UNTRACKED_TYPES.map(BigInt))));

function serviceOf(service: Service, family: Family, wanted: Claim['verdict']): Predicate {
  switch (service.kind) {
    case 'ports': {
      const ordinary =
        wanted === 'refuse'
          ? []
          : [
              field('sport', between(1024n, 65535n)),
              ...(service.protocol === 'tcp' ? [field('flags', one(flagBits('SYN')))] : []),
            ];
      return all(
        protocol(service.protocol),
        field('dport', unionOf(service.ports.map(({ from, to }) => between(BigInt(from), BigInt(to))))),
        ...ordinary,
      );
    }
    case 'icmp': {
      if (service.family !== family) return NEVER;
      const [type, code] = service.type.split('/').map((part) => one(BigInt(part)));
      return all(
        protocol(family === 'v4' ? 'icmp' : 'ipv6-icmp'),
        ...(type ? [field('type', type)] : []),
        ...(code ? [field('code', code)] : []),
      );
    }
    case 'protocol':
      return protocol(service.protocol);
    case 'any':
      return family === 'v6' ? not(DISCOVERY, family) : ALWAYS;
  }
}

function failure(
  guard: Guard,
  host: Host,
  proof: Proof,
  explain: ReturnType<typeof explainer>,
): readonly Problem[] {
  if (proof.verdict === 'proved') return [];
  const { example } = proof;
  const { rule, verdict } = explain(example);
  const packet = packetText(example);
  if (proof.verdict === 'violated')
    return [
      error(
        'guard-broken',
        `The guard "${guard.name}" does not hold on ${host.name}: ${packet} is ${DONE[verdict]}${byRule(rule)}.`,
        {
          location: guard.location,
          hint:
            guard.verdict === 'accept'
              ? 'Allow that traffic, or take it out of the guard.'
              : 'Narrow the rule that lets it in, or name the exception with "except".',
        },
      ),
    ];
  const why =
    proof.because.length === 0
      ? 'the interface on which a packet comes in'
      : proof.because.map((text) => `"${text}"`).join(' and ');
  return [
    error(
      'guard-not-proven',
      `The guard "${guard.name}" is not proven on ${host.name}: for ${packet} it depends on ${why}${byRule(rule)}.`,
      { location: guard.location },
    ),
  ];
}

const DONE: { readonly [verdict in Verdict]: string } = {
  accept: 'accepted',
  drop: 'dropped',
  reject: 'rejected',
  unknown: 'perhaps accepted',
};

/** Checks the verdict on the packet of every policy test that names the host. */
export function runPolicyTests(fleet: Fleet, host: Host, ruleset: Ruleset): readonly Problem[] {
  const explain = explainer(ruleset, { addresses: host.addresses });
  return fleet.tests
    .filter((test) => test.on.includes(host.name))
    .flatMap((test) => runTest(test, host, explain));
}

function runTest(test: PolicyTest, host: Host, explain: ReturnType<typeof explainer>): readonly Problem[] {
  const packet = readPacket(wholePacket(test, host), test.location);
  if (!packet.ok) return packet.problems;
  const { verdict, rule, assumptions } = explain(packet.value satisfies Packet);
  if (verdict === test.verdict) return [];
  const why =
    verdict === 'unknown' ? ` ${assumptions.filter((text) => text.startsWith('It depends')).join(' ')}` : '';
  return [
    error(
      'policy-test-failed',
      `The test "${test.name}" expects ${test.verdict} on ${host.name}, but ${packetText(packet.value)} is ${DONE[verdict]}${byRule(rule)}.${why}`,
      { location: test.location },
    ),
  ];
}

/** The host's own address may be left out: it is the one of the other address's family. */
function wholePacket({ packet }: PolicyTest, { addresses }: Host): PolicyTest['packet'] {
  const side = packet.hook === 'OUTPUT' ? 'src' : 'dst';
  const other = String(packet[side === 'src' ? 'dst' : 'src'] ?? '');
  const own = addresses.find((address) => isIP(address) === isIP(other));
  return packet.hook === 'FORWARD' || own === undefined ? packet : { [side]: own, ...packet };
}
