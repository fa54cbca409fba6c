/** What is decided without a diagram must be what the diagram says. */
import { expect, test } from '@jest/globals';
import { networkRanges } from '../../../src/lib/ip.js';
import { ofValues, one } from '../../../src/lib/ranges.js';
import type { Ruleset } from '../../../src/netfilter/model.js';
import type { Hook } from '../../../src/traffic/model.js';
import { compileRuleset } from '../../../src/traffic/program/compiled-ruleset.js';
import { narrowed } from '../../../src/traffic/program/narrow.js';
import { all, any, field, type Predicate } from '../../../src/traffic/program/predicate.js';
import { findAnomalies } from '../../../src/traffic/questions/anomalies.js';
import { compareTraffic, DEFAULT_BUDGET, differingHooks } from '../../../src/traffic/questions/compare.js';
import { type Claim, createProver, type Proof } from '../../../src/traffic/questions/prove.js';
import { quickProof } from '../../../src/traffic/questions/quick-proof.js';
import { everyRuleHasWitness } from '../../../src/traffic/questions/witness.js';
import { DROPS, rowsOf, ruleset, table } from '../rules.js';
import { generateRules, generateSets, OWN_ADDRESSES } from '../trace/kernel/generate.js';
import { rulesetOf } from '../trace/kernel/judge.js';
import { chance } from '../trace/kernel/random.js';
import { change, harden } from './changes.js';

const SEEDS = Array.from({ length: 100 }, (_, index) => index + 1);
const familyOf = (seed: number): 'v4' | 'v6' => (seed % 2 === 0 ? 'v4' : 'v6');

const random = (seed: number): Ruleset => {
  const [by, family] = [chance(seed), familyOf(seed)];
  return rulesetOf(family, harden(by, generateRules(by, family)), generateSets(by, family));
};

/** Questions as the lock-out proof and guards ask them. */
function questions(family: 'v4' | 'v6', seed: number): readonly Predicate[] {
  const by = chance(seed * 7919);
  const network = family === 'v4' ? '10.0.0.0/8' : 'fd00::/8';
  return [22n, 80n, 443n].map((port) =>
    all(
      field('state', one(BigInt(by.below(2)))),
      field('protocol', one(by.below(2) === 0 ? 6n : 17n)),
      field('src', networkRanges(network, family) ?? []),
      field('dport', one(port)),
    ),
  );
}

/** The same packets, said in a way that no shortcut reads. */
const opaque = (question: Predicate): Predicate => any(question, all(question, field('code', one(255n))));

const verdictOf = (given: Ruleset, family: 'v4' | 'v6', claim: Claim): Proof['verdict'] =>
  createProver(compileRuleset(given, family, OWN_ADDRESSES[family]), [claim], DEFAULT_BUDGET)(claim).verdict;

test('a short proof never says more than the long one', () => {
  const short: boolean[] = [];
  for (const seed of SEEDS) {
    const [given, family] = [random(seed), familyOf(seed)];
    const program = compileRuleset(given, family, OWN_ADDRESSES[family]);
    for (const hook of ['INPUT', 'OUTPUT'] satisfies Hook[])
      for (const packets of questions(family, seed)) {
        const plain = quickProof(program, hook, packets);
        short.push(plain);
        const long = verdictOf(given, family, { hook, packets: opaque(packets), verdict: 'accept' });
        if (plain) expect([seed, hook, long]).toEqual([seed, hook, 'proved']);
      }
  }
  expect(short).toContain(true);
  expect(short).toContain(false);
});

test('rules that cannot match the packets in question do not change the proof', () => {
  const shorter: boolean[] = [];
  for (const seed of SEEDS) {
    const [given, family] = [random(seed), familyOf(seed)];
    for (const packets of questions(family, seed))
      for (const verdict of ['accept', 'refuse'] as const) {
        const claim: Claim = { hook: 'INPUT', packets, verdict };
        const short = verdictOf(given, family, claim);
        expect([seed, short]).toEqual([
          seed,
          verdictOf(given, family, { ...claim, packets: opaque(packets) }),
        ]);
      }
    const program = compileRuleset(given, family, OWN_ADDRESSES[family]);
    const count = (of: typeof program): number =>
      [...of.chains.values()].reduce((sum, { rules: steps }) => sum + steps.length, 0);
    shorter.push(count(narrowed(program, questions(family, seed))) < count(program));
  }
  expect(shorter).toContain(true);
});

test('admin networks that several rules let in are proved in short', () => {
  const rules = table(
    'filter',
    [
      '-A INPUT -j OURS',
      '-A OURS -i lo -j ACCEPT',
      '-A OURS -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A OURS -s 10.0.0.0/9 -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A OURS -p udp -m udp --dport 53 -m limit --limit 5/min -j ACCEPT',
      '-A OURS -s 10.128.0.0/9 -p tcp -m multiport --dports 22,80 -j ACCEPT',
      '-A OURS -j DROP',
    ],
    DROPS,
  );
  const ask = (text: string): boolean => {
    const program = compileRuleset(ruleset({ v4: text }), 'v4', []);
    const question = all(
      field('state', one(0n)),
      field('in', one(0n)),
      field('protocol', one(6n)),
      field('src', networkRanges('10.0.0.0/8', 'v4') ?? []),
      field('dport', one(22n)),
    );
    return quickProof(program, 'INPUT', question);
  };
  expect(ask(rules)).toBe(true);
  expect(ask(rules.replace('10.128.0.0/9', '10.128.0.0/10'))).toBe(false);
  expect(ask(rules.replace('-A OURS -s 10.0', '-A OURS -s 10.3.0.0/16 -j DROP\n-A OURS -s 10.0'))).toBe(
    false,
  );
  expect(ask(rules.replace('multiport', 'limit --limit 9/min -m multiport'))).toBe(false);
});

test('neighbour discovery, which connection tracking leaves out, is proved in short', () => {
  const rules = (discovery: string): string =>
    table(
      'filter',
      [
        '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        '-A INPUT -m conntrack --ctstate INVALID -j DROP',
        discovery,
        '-A INPUT -j DROP',
      ],
      DROPS,
    );
  const ask = (text: string, types: readonly bigint[]): boolean =>
    quickProof(
      compileRuleset(ruleset({ v6: text }), 'v6', []),
      'INPUT',
      all(field('protocol', one(58n)), field('type', ofValues(types)), field('code', one(0n))),
    );
  const any = '-A INPUT -p ipv6-icmp -j ACCEPT';
  expect(ask(rules(any), [135n, 136n])).toBe(true);
  expect(ask(rules(any), [128n])).toBe(false);
  expect(ask(rules(`${any.replace('-j', '-m conntrack --ctstate NEW -j')}`), [135n])).toBe(false);
});

test('where every rule has a witness, the search by sets finds nothing', () => {
  const witnessed: boolean[] = [];
  for (const seed of SEEDS) {
    const family = familyOf(seed);
    const rules = generateRules(chance(seed), family)
      .split('*')
      .filter((part) => part.startsWith('filter'));
    for (const size of [3, 6, 12]) {
      const given = rulesetOf(family, first(`*${rules.join('*')}`, size), generateSets(chance(seed), family));
      if (!everyRuleHasWitness(compileRuleset(given, family, []))) {
        witnessed.push(false);
        continue;
      }
      witnessed.push(true);
      // A rule in another table, which witnesses are not sought for.
      const more = rulesetOf(
        family,
        `*security\n-A INPUT -s ${family === 'v4' ? '192.0.2.77' : '2001:db8::77'} -j DROP\nCOMMIT\n`,
        '',
      )[family];
      expect([seed, findAnomalies({ ...given, [family]: [...given[family], ...more] })]).toEqual([seed, []]);
    }
  }
  expect(witnessed).toContain(true);
  expect(witnessed).toContain(false);
});

test('rules that differ are all that a comparison needs', () => {
  const unused = ruleset({ sets: 'create unused bitmap:port range 0-65535\n' }).sets;
  const equal: boolean[] = [];
  for (const seed of Array.from({ length: 400 }, (_, index) => index + 1)) {
    const [by, family] = [chance(seed), familyOf(seed)];
    // Where rules change packets there is no shortcut.
    const rules = generateRules(by, family)
      .split('*')
      .filter((part) => /^(filter|security)/.test(part) || (part !== '' && by.in100(10)))
      .map((part) => `*${part}`)
      .join('');
    const [old, sets] = [harden(by, rules), generateSets(by, family)];
    const [before, after] = [old, change(by, change(by, old))].map((text) => rulesetOf(family, text, sets));
    if (before === undefined || after === undefined) throw new Error('There are two.');
    const options = { addresses: OWN_ADDRESSES[family] };
    const short = compareTraffic(before, after, options);
    // Where the sets are not the same, everything is compared. That may take a limit for another one where a call before
    // it is gone, and then say "possibly" of what is equal; with these seeds it does not.
    const long = compareTraffic(before, { ...after, sets: [...after.sets, ...unused] }, options);
    expect([seed, short.equal, short.proved, rowsOf(short)]).toEqual([seed, long.equal, true, rowsOf(long)]);
    expect([seed, differingHooks(before, after, options).hooks.length === 0]).toEqual([seed, long.equal]);
    equal.push(long.equal);
  }
  expect(equal).toContain(true);
  expect(equal).toContain(false);
});

test('a limit behind two calls of one chain answers each call anew, whatever rules stand before', () => {
  const rules = (...calls: readonly string[]): string =>
    table(
      'filter',
      [
        '-A INPUT -p udp -m udp --dport 53 -j ACCEPT',
        '-A INPUT -p udp -m udp --dport 123 -j ACCEPT',
        ...calls,
        '-A SLOWLY -m limit --limit 5/min -j ACCEPT',
      ],
      DROPS,
    );
  const call = '-A INPUT -p tcp -j SLOWLY';
  const diff = compareTraffic(ruleset({ v4: rules(call, call) }), ruleset({ v4: rules(call) }));
  expect(rowsOf(diff)).toEqual(['possibly closed INPUT v4 tcp']);
});

test('a set that rules begin to change is another one for every rule that asks for it, in both families', () => {
  const sets =
    'create guests hash:ip family inet hashsize 1024 maxelem 65536\nadd guests 10.0.0.1\ncreate doors bitmap:port range 0-65535\nadd doors 443\n';
  const asks = [
    '-A INPUT -p tcp -m set --match-set guests src -m tcp --dport 22 -j ACCEPT',
    '-A INPUT -p tcp -m set --match-set doors dst -j ACCEPT',
  ];
  const before = ruleset({ v4: table('filter', asks, DROPS), sets });
  const knock = (chain: string, set: string): string =>
    `-A ${chain} -p udp -m udp --dport 53 -j SET --add-set ${set} src`;
  for (const chain of ['INPUT', 'OUTPUT']) {
    const after = ruleset({ v4: table('filter', [knock(chain, 'guests'), ...asks], DROPS), sets });
    expect(compareTraffic(before, after)).toMatchObject({
      equal: false,
      possiblyOpened: [{ hook: 'INPUT' }],
      possiblyClosed: [{ hook: 'INPUT' }],
    });
  }
  const other = { ...before, v6: ruleset({ v6: table('filter', [knock('INPUT', 'doors')]) }).v6 };
  expect(rowsOf(compareTraffic(before, other))).toContain('possibly closed INPUT v4 tcp dport 443');
});

/** The first rules of each chain. */
function first(text: string, size: number): string {
  const seen = new Map<string, number>();
  return text
    .split('\n')
    .filter((line) => {
      const chain = /^-A (\S+)/.exec(line)?.[1];
      if (chain === undefined) return true;
      seen.set(chain, (seen.get(chain) ?? 0) + 1);
      return (seen.get(chain) ?? 0) <= size;
    })
    .join('\n');
}
