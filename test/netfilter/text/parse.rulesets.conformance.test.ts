/** Rulesets that nobody wrote for this project; see their README. They are read where they lie beside the repository. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { byTable, format, inWords, judgeAll, judges, type Verdict } from '../kernel.js';

const FOLDER = join(import.meta.dirname, '../../../../shared/data/rulesets');
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.v4')) : [];

/** Files that do not load as they stand, and why. */
const NOT_LOADABLE: Readonly<Record<string, RegExp>> = {
  'serverfault-759927.v4': /Set whitelist doesn't exist/,
};

describe.each(judges.filter((judge) => judge.family === 'v4'))(
  'real rulesets, iptables-$backend',
  (judge) => {
    const texts = files.map((name) => readFileSync(join(FOLDER, name), 'utf8'));
    const verdicts = judgeAll(judge, texts);

    test(`there are ${files.length} files beside the repository`, () => {
      if (files.length === 0) console.info(`no real rulesets at ${FOLDER}: nothing to compare`);
      expect(verdicts).toHaveLength(files.length);
    });

    for (const [index, name] of files.entries())
      test(name, () => {
        const verdict = verdicts[index] as Verdict;
        const reason = NOT_LOADABLE[name];
        if (reason !== undefined) {
          expect('refused' in verdict && verdict.refused).toMatch(reason);
          return;
        }
        const ours = format('v4', texts[index] ?? '');
        if ('refused' in ours || 'refused' in verdict)
          throw new Error(`${inWords(ours)} / ${inWords(verdict)}`);
        expect(byTable(ours.saved)).toEqual(byTable(verdict.saved));
      });
  },
);
