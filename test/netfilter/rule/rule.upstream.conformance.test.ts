import type { Family } from '../../../src/lib/family.js';
import { agree, format, inWords, judgeAll, judges, type Verdict } from '../kernel.js';
import { exceptionFor } from './exceptions.js';
import { fetchCases, readCases, type UpstreamCase } from './upstream.js';

const source = fetchCases();
const cases = 'folder' in source ? readCases(source.folder) : [];

/** libipt is IPv4, libip6t IPv6, the rest both. */
const familyOf = (file: string): Family | undefined =>
  file.startsWith('libipt_') ? 'v4' : file.startsWith('libip6t_') ? 'v6' : undefined;

const ADDRESS_OF_V4 = /\d+\.\d+\.\d+\.\d+/;

/** What upstream expects, where this kernel lacks the extension and cannot say. */
const expectation = ({ table, chain, expected }: UpstreamCase): Verdict =>
  expected === undefined
    ? { refused: 'upstream says so' }
    : { saved: `*${table}\n${`-A ${chain} ${expected}`.trim()}\nCOMMIT\n` };

const onlyRules = (verdict: Verdict): Verdict =>
  'saved' in verdict ? { saved: verdict.saved.replace(/^:.*\n/gm, '') } : verdict;

describe.each(judges)('upstream’s own cases against iptables-$backend, $family', (judge) => {
  test('every case that is not listed', () => {
    if ('missing' in source) {
      console.info(`upstream cases left out: ${source.missing}`);
      return;
    }
    const own = cases.filter(({ file }) => (familyOf(file) ?? judge.family) === judge.family);
    const texts = own.map(({ table, chain, rule }) => `*${table}\n-A ${chain} ${rule}\nCOMMIT\n`);
    const verdicts = judgeAll(judge, texts);
    const excepted = new Map<string, number>();
    const differences: string[] = [];
    let agreed = 0;
    for (const [index, text] of texts.entries()) {
      const [one, verdict] = [own[index] as UpstreamCase, verdicts[index] as Verdict];
      const ours = format(judge.family, text);
      const expected = expectation(one);
      const wrongFamily = judge.family === 'v6' && 'refused' in ours && ADDRESS_OF_V4.test(one.rule);
      const asUpstream =
        'refused' in verdict && one.expected !== undefined && agree(onlyRules(ours), expected);
      if (agree(ours, verdict) || asUpstream) agreed++;
      else if (wrongFamily)
        excepted.set('IPv4 addresses in IPv6 rules', (excepted.get('IPv4 addresses in IPv6 rules') ?? 0) + 1);
      else {
        const exception = exceptionFor(judge, text);
        if (exception === undefined)
          differences.push(
            `${one.file}: ${one.rule}\n  kernel: ${inWords(verdict)}\n  fmt:    ${inWords(ours)}`,
          );
        else excepted.set(exception.name, (excepted.get(exception.name) ?? 0) + 1);
      }
    }
    const named = [...excepted].map(([name, times]) => `${name} (${times})`).join(', ');
    console.info(
      `upstream, ${judge.backend} ${judge.family}: ${agreed} of ${own.length} agree; listed: ${named}`,
    );
    expect(differences).toEqual([]);
  });
});
