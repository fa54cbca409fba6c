/** Properties of every ruleset, tested on the random ones of the kernel tests with small changes. */

import { networkRanges, parseAddress } from '../../../src/lib/ip.js';
import { has } from '../../../src/lib/ranges.js';
import { protocolNumber } from '../../../src/netfilter/extensions/protocols.js';
import type { Ruleset } from '../../../src/netfilter/model.js';
import type { Flow, Packet } from '../../../src/traffic/model.js';
import { interfaceNumber, interfaceRange } from '../../../src/traffic/program/fields.js';
import { findAnomalies, liveAnomalies } from '../../../src/traffic/questions/anomalies.js';
import { compareTraffic } from '../../../src/traffic/questions/compare.js';
import { OTHER_INTERFACE } from '../../../src/traffic/trace/example.js';
import { explainer } from '../../../src/traffic/trace/explain.js';
import { generatePackets, generateRules, generateSets, OWN_ADDRESSES } from '../trace/kernel/generate.js';
import { rulesetOf } from '../trace/kernel/judge.js';
import { seededRandom } from '../trace/kernel/random.js';
import { change, harden } from './changes.js';
import { classifier } from './classify.js';

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);
const familyOf = (seed: number): 'v4' | 'v6' => (seed % 2 === 0 ? 'v4' : 'v6');

interface Pair {
  readonly before: Ruleset;
  readonly after: Ruleset;
}

function pair(seed: number): Pair {
  const random = seededRandom(seed);
  const family = familyOf(seed);
  const [rules, sets] = [generateRules(random, family), generateSets(random, family)];
  return { before: rulesetOf(family, rules, sets), after: rulesetOf(family, change(random, rules), sets) };
}

const listed = (texts: readonly string[], value: number): boolean =>
  texts.length === 0 ||
  texts.some((text) => {
    const [from = 0, to = from] = text.split('-').map(Number);
    return from <= value && value <= to;
  });

function onInterface(names: readonly string[], name: string | undefined): boolean {
  const number = interfaceNumber(name ?? OTHER_INTERFACE);
  const within = (pattern: string): boolean => has([interfaceRange(pattern)], number);
  const excluded = names.filter((each) => each.startsWith('!')).map((each) => each.slice(1));
  const included = names.filter((each) => !each.startsWith('!'));
  return !excluded.some(within) && (included.length === 0 || included.some(within));
}

/** Whether a packet is in a row, from the fields of the row alone. */
function inRow(row: Flow, packet: Packet, family: 'v4' | 'v6'): boolean {
  const address = (list: readonly string[], text: string): boolean =>
    list.length === 0 ||
    list.some((network) => has(networkRanges(network, family) ?? [], parseAddress(text, family) ?? 0n));
  const protocols = row.protocol
    .replace('any but ', '')
    .split(', ')
    .flatMap((text) => {
      const [from = '', to = from] = text.split(/-(?=\d+$)/);
      const [low, high] = [protocolNumber(from) ?? -1, protocolNumber(to) ?? protocolNumber(from) ?? -1];
      return [[low, high] as const];
    });
  const number = protocolNumber(packet.protocol) ?? 0;
  const named = protocols.some(([low, high]) => low <= number && number <= high);
  const icmp = number === 1 || number === 58;
  const types =
    row.type.length === 0 ||
    (icmp &&
      row.type.some((text) => {
        const [type = '', code = '0-255'] = text.split('/');
        return listed([type], packet.type ?? 8) && listed([code], packet.code ?? 0);
      }));
  const ported = packet.protocol === 'tcp' || packet.protocol === 'udp';
  return (
    row.hook === packet.hook &&
    onInterface(row.in, packet.in) &&
    onInterface(row.out, packet.out) &&
    (row.state.length === 0 || row.state.includes(packet.state ?? 'NEW')) &&
    (row.protocol === 'any' || (row.protocol.startsWith('any but') ? !named : named)) &&
    address(row.src, packet.src) &&
    address(row.dst, packet.dst) &&
    (row.sport.length === 0 || (ported && listed(row.sport, packet.sport ?? 0))) &&
    (row.dport.length === 0 || (ported && listed(row.dport, packet.dport ?? 0))) &&
    types &&
    flagsFit(row, packet)
  );
}

function flagsFit(row: Flow, packet: Packet): boolean {
  const text = row.also?.find((each) => each.startsWith('tcp flags '));
  if (text === undefined) return true;
  if (packet.protocol !== 'tcp') return false;
  const set = new Set((packet.flags ?? 'SYN').split(',').filter((flag) => flag !== 'NONE'));
  return text
    .replace('tcp flags ', '')
    .split(' or ')
    .some((cube) => {
      const [wanted = '', mask = ''] = cube.split(' of ');
      const names = wanted === 'none' ? [] : wanted.split(',');
      return mask === 'none' || mask.split(',').every((flag) => names.includes(flag) === set.has(flag));
    });
}

test.each(SEEDS)('seed %i: a ruleset is equal to itself with other comments', (seed) => {
  const random = seededRandom(seed);
  const family = familyOf(seed);
  const [rules, sets] = [generateRules(random, family), generateSets(random, family)];
  const commented = rules.replace(/^-A (\S+)/gm, '-A $1 -m comment --comment same');
  expect(compareTraffic(rulesetOf(family, rules, sets), rulesetOf(family, commented, sets))).toMatchObject({
    equal: true,
    proved: true,
  });
});

test.each(SEEDS)('seed %i: the diagrams and explain() agree on every packet', (seed) => {
  const family = familyOf(seed);
  const { before } = pair(seed);
  const addresses = OWN_ADDRESSES[family];
  const classify = classifier(before, family, addresses);
  const explain = explainer(before, { addresses });
  for (const { packet } of generatePackets(seededRandom(seed), family, 300)) {
    const { verdict } = explain(packet);
    const possible = [...classify(packet)];
    // explain() may be less certain: it does not follow several destinations of nat.
    if (verdict !== 'unknown') expect({ packet, possible }).toEqual({ packet, possible: [verdict] });
  }
});

test.each(SEEDS)('seed %i: opened packets were refused and are accepted, and rows do not overlap', (seed) => {
  const family = familyOf(seed);
  const { before, after } = pair(seed);
  const addresses = OWN_ADDRESSES[family];
  const diff = compareTraffic(before, after, { addresses });
  expect(diff.proved).toBe(true);
  const [old, next] = [explainer(before, { addresses }), explainer(after, { addresses })];
  for (const { packet } of generatePackets(seededRandom(seed * 7), family, 300)) {
    const inRows = (rows: readonly Flow[]): number => rows.filter((row) => inRow(row, packet, family)).length;
    const [was, is] = [old(packet).verdict, next(packet).verdict];
    if (was === 'unknown' || is === 'unknown') continue;
    const [opened, closed] = [inRows(diff.opened), inRows(diff.closed)];
    expect({ packet, was, is, opened }).toMatchObject({
      opened: was !== 'accept' && is === 'accept' ? 1 : 0,
    });
    expect({ packet, was, is, closed }).toMatchObject({
      closed: was === 'accept' && is !== 'accept' ? 1 : 0,
    });
    expect(inRows(diff.possiblyOpened) + inRows(diff.possiblyClosed)).toBe(0);
  }
  for (const [rows, was, is] of [
    [diff.opened, false, true],
    [diff.closed, true, false],
  ] as const)
    for (const row of rows) {
      const answers = [old(row.example), next(row.example)] as const;
      const verdicts = answers.map(({ verdict }) => verdict);
      if (!verdicts.includes('unknown'))
        expect([row.before, row.after]).toEqual(answers.map(({ rule }) => rule));
      if (!verdicts.includes('unknown'))
        expect({ row: row.example, verdicts: verdicts.map((verdict) => verdict === 'accept') }).toEqual({
          row: row.example,
          verdicts: [was, is],
        });
    }
});

test.each(SEEDS)('seed %i: a rule that is reported as without effect can be removed', (seed) => {
  const random = seededRandom(seed);
  const family = familyOf(seed);
  const [rules, sets] = [harden(random, generateRules(random, family)), generateSets(random, family)];
  const lines = rules.split('\n');
  const before = rulesetOf(family, rules, sets);
  for (const { message, location } of findAnomalies(before)) {
    const at = (location?.line ?? 0) - 1;
    expect(lines[at]).toMatch(/^-A /);
    const { proved, opened, closed } = compareTraffic(
      before,
      rulesetOf(family, lines.toSpliced(at, 1).join('\n'), sets),
    );
    expect({ message, proved, opened, closed }).toEqual({ message, proved: true, opened: [], closed: [] });
  }
});

test('no packet matches a rule that is reported as unreachable', () => {
  let reported = 0;
  for (const seed of SEEDS) {
    const random = seededRandom(seed);
    const family = familyOf(seed);
    const rules = rulesetOf(
      family,
      harden(random, generateRules(random, family)),
      generateSets(random, family),
    );
    const addresses = OWN_ADDRESSES[family];
    const { found, notSearched } = liveAnomalies(rules, { addresses });
    expect(notSearched).toEqual([]);
    const idle = new Set(found.filter(({ reached }) => !reached).map(({ rule }) => rule.spec.location?.line));
    reported += idle.size;
    const explain = explainer(rules, { addresses });
    for (const { packet } of generatePackets(random, family, 100)) {
      const passed = explain(packet).path?.map(({ rule }) => rule.source?.line) ?? [];
      const wrong = passed.filter((line) => line !== undefined && idle.has(line));
      expect({ seed, packet, wrong }).toEqual({ seed, packet, wrong: [] });
    }
  }
  expect(reported).toBeGreaterThan(SEEDS.length);
});
