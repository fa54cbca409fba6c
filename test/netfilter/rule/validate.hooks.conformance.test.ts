/** In which tables and chains the kernel takes each extension: the table of extensions must say the same. */
import fc from 'fast-check';
import type { Family } from '../../../src/lib/family.js';
import { EXTENSIONS } from '../../../src/netfilter/extensions/index.js';
import { BUILT_IN_CHAINS, type TableName } from '../../../src/netfilter/model.js';
import { format, judgeAll } from '../kernel.js';
import { ruleText } from './generate.js';

const PLACES = (Object.keys(BUILT_IN_CHAINS) as TableName[]).flatMap((table) =>
  BUILT_IN_CHAINS[table].map((chain) => `*${table}\n-A ${chain} `),
);

describe.each([{ family: 'v4' as Family }, { family: 'v6' as Family }])(
  'tables and chains of $family',
  ({ family }) => {
    const rows = EXTENSIONS.filter((row) => (row.family ?? family) === family);
    const rules = rows.map((row) => {
      const samples = fc.sample(ruleText([row], family), { numRuns: 80, seed: 3 });
      const accepted = samples.filter((text) => 'saved' in format(family, text));
      const text = accepted.toSorted((a, b) => a.length - b.length)[0] ?? '';
      return text.replace(/^\*.*\n-A \S+ /, '');
    });
    const texts = rules.flatMap((rule) => PLACES.map((at) => at + rule));
    // The legacy backend asks the kernel for every rule on its own, so a refusal is about this rule.
    const verdicts = judgeAll({ backend: 'legacy', family }, texts);

    for (const [index, row] of rows.entries())
      test(`${row.kind} ${row.name}`, () => {
        const here = PLACES.map((at, offset) => ({
          at,
          verdict: verdicts[index * PLACES.length + offset],
        }));
        const taken = here.filter(({ verdict }) => verdict && 'saved' in verdict).map(({ at }) => at);
        if (taken.length === 0) {
          console.info(`${family} ${row.kind} ${row.name}: this kernel lacks it, or what it names`);
          return;
        }
        const allowed = PLACES.filter((at) => 'saved' in format(family, at + (rules[index] ?? '')));
        expect(taken).toEqual(allowed);
      });
  },
);
