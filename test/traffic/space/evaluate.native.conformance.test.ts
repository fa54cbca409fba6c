/** The diagrams and the trace share no code: on rulesets with native tables, as nft lists them, they must agree too. */
import { spawnSync } from 'node:child_process';
import type { Ruleset } from '../../../src/netfilter/model.js';
import { nativeTablesText, readNftables } from '../../../src/netfilter/nftables/read.js';
import { compareTraffic } from '../../../src/traffic/questions/compare.js';
import { explainer } from '../../../src/traffic/trace/explain.js';
import { change } from '../questions/changes.js';
import { classifier } from '../questions/classify.js';
import { generatePackets, generateRules, generateSets, OWN_ADDRESSES } from '../trace/kernel/generate.js';
import { generateNft } from '../trace/kernel/generate-nft.js';
import { rulesetOf } from '../trace/kernel/judge.js';
import { seededRandom } from '../trace/kernel/random.js';

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);
const familyOf = (seed: number): 'v4' | 'v6' => (seed % 2 === 0 ? 'v4' : 'v6');

/** What nft prints of tables that it loads in a network namespace of their own. */
function listingOf(text: string): string {
  const ran = spawnSync('unshare', ['-n', 'sh', '-c', 'nft -f - && nft -j list ruleset'], {
    input: text,
    encoding: 'utf8',
  });
  if (ran.status !== 0) throw new Error(`${ran.stderr}\n${text}`);
  return ran.stdout;
}

/** Chains of netdev need their device. */
const withoutNetdev = (text: string): string => text.replace(/^table netdev early \{\n[\s\S]*?^\}\n/m, '');

interface Pair {
  readonly before: Ruleset;
  readonly after: Ruleset;
}

function pair(seed: number): Pair {
  const random = seededRandom(seed);
  const family = familyOf(seed);
  const [rules, sets] = [generateRules(random, family), generateSets(random, family)];
  const listing = listingOf(withoutNetdev(generateNft(random, family)));
  const nft = readNftables(nativeTablesText([listing], 'nft'));
  return {
    before: { ...rulesetOf(family, rules, sets), nft },
    after: { ...rulesetOf(family, change(random, rules), sets), nft },
  };
}

test.each(SEEDS)('ruleset %i: explain and the diagrams give the same verdicts', (seed) => {
  const family = familyOf(seed);
  const { before } = pair(seed);
  const addresses = OWN_ADDRESSES[family];
  const explain = explainer(before, { addresses });
  const classify = classifier(before, family, addresses);
  const wrong = generatePackets(seededRandom(seed), family, 400).flatMap(({ packet }) => {
    const { verdict } = explain(packet);
    const verdicts = classify(packet);
    const agrees = verdict === 'unknown' ? verdicts.size > 0 : verdicts.has(verdict) && verdicts.size === 1;
    return agrees ? [] : [`${JSON.stringify(packet)}: ${verdict}, ${[...verdicts].join(' or ')}`];
  });
  expect(wrong).toEqual([]);
});

test.each(SEEDS)('ruleset %i: a packet whose verdict changes is in the difference', (seed) => {
  const family = familyOf(seed);
  const { before, after } = pair(seed);
  const options = { addresses: OWN_ADDRESSES[family] };
  const [old, next] = [explainer(before, options), explainer(after, options)];
  const differs = generatePackets(seededRandom(seed), family, 400).some(({ packet }) => {
    const verdicts = [old(packet).verdict, next(packet).verdict];
    return !verdicts.includes('unknown') && verdicts[0] !== verdicts[1];
  });
  const diff = compareTraffic(before, after, options);
  expect(diff.proved).toBe(true);
  if (differs) expect(diff.equal).toBe(false);
  expect(compareTraffic(before, before, options).equal).toBe(true);
});
