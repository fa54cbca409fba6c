/**
 * Rules made up from the table of extensions, loaded into the kernel: `fmt` must print what iptables-save prints.
 * An extension that this kernel lacks is left out by name.
 */
import fc from 'fast-check';
import { EXTENSIONS } from '../../../src/netfilter/extensions/index.js';
import type { ExtensionRow } from '../../../src/netfilter/extensions/row.js';
import { agree, format, type Judge, judgeAll, judges, LACKING, type Verdict } from '../kernel.js';
import { compare, report } from './compare.js';
import { placesOf, ruleText } from './generate.js';

const rowsFor = (judge: Judge): readonly ExtensionRow[] =>
  EXTENSIONS.filter((row) => (row.family ?? judge.family) === judge.family);

/** One rule that `fmt` accepts, with as few options as may be. */
function shortest(row: ExtensionRow, judge: Judge): string {
  const samples = fc.sample(ruleText([row], judge.family), { numRuns: 60, seed: 1 });
  const accepted = samples.filter((text) => 'saved' in format(judge.family, text));
  return accepted.toSorted((a, b) => a.length - b.length)[0] ?? '';
}

/** Extensions that this kernel lacks, asked through iptables-nft, which says so. */
function lacking(judge: Judge): ReadonlySet<ExtensionRow> {
  const rows = rowsFor(judge);
  const verdicts = judgeAll(
    { ...judge, backend: 'nft' },
    rows.map((row) => shortest(row, judge)),
  );
  return new Set(rows.filter((_, index) => isLacking(verdicts[index] as Verdict)));
}

const isLacking = (verdict: Verdict): boolean => 'refused' in verdict && LACKING.test(verdict.refused);

/** Many texts of one rule as one text with one section a table. */
function join(texts: readonly string[]): string {
  const sections = new Map<string, string[]>();
  for (const text of texts) {
    const [table = '', rule = ''] = text.split('\n');
    sections.set(table, [...(sections.get(table) ?? []), rule]);
  }
  return [...sections].map(([table, rules]) => `${[table, ...rules, 'COMMIT'].join('\n')}\n`).join('');
}

/** Rules that are loaded together; names of kernel objects may clash, so a refusal is settled rule by rule. */
const TOGETHER = 60;
const RUNS = 3;

/** The same rules on every run; another seed explores others. */
const SEED = Number(process.env.SALLYPORT_SEED ?? 20_260_101);

describe.each(judges)('rules from the table against iptables-$backend, $family', (judge) => {
  const absent = lacking(judge);
  const rows = rowsFor(judge).filter((row) => !absent.has(row));
  const matches = rows.filter((row) => row.kind === 'match');
  const targets = rows.filter((row) => row.kind === 'target');

  beforeAll(() => {
    const names = [...absent].map((row) => row.name).join(', ');
    console.info(
      `${judge.backend} ${judge.family}: ${rows.length} extensions; this kernel lacks ${names || 'none'}`,
    );
  });

  test('every extension alone, many ways', () => {
    const texts = rows.flatMap((row) => fc.sample(ruleText([row], judge.family), { numRuns: 5, seed: SEED }));
    const comparison = compare(judge, texts);
    report('extensions alone', judge, comparison);
    expect(comparison.differences).toEqual([]);
  });

  test('several extensions in one rule', () => {
    const rule = fc
      .tuple(fc.constantFrom(...matches), fc.constantFrom(...matches), fc.constantFrom(...targets))
      .filter((chosen) => placesOf(chosen).length > 0)
      .chain((chosen) => ruleText(chosen, judge.family))
      .filter((text) => 'saved' in format(judge.family, text));
    const together = fc.array(rule, { minLength: TOGETHER, maxLength: TOGETHER });
    fc.assert(
      fc.property(together, (texts) => {
        const joined = join(texts);
        const verdict = judgeAll(judge, [joined])[0] as Verdict;
        if (agree(verdict, format(judge.family, joined))) return;
        expect(compare(judge, texts).differences).toEqual([]);
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
  });
});
