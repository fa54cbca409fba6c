import { compare, tell } from './compare.js';
import { RULES } from './corpus.js';
import { TEXTS } from './corpus-texts.js';
import { judges } from './kernel.js';

describe.each(judges)('fmt against iptables-$backend, $family', (judge) => {
  test('prints every hand-written rule as the kernel saves it', () => {
    const texts = RULES[judge.family].map(
      (rule) => `*filter\n:USERCHAIN - [0:0]\n-A FORWARD ${rule}\nCOMMIT\n`,
    );
    const comparison = compare(judge, texts);
    tell('hand-written rules', judge, comparison);
    expect(comparison.differences).toEqual([]);
  });

  test('reads whole texts as iptables-restore does', () => {
    const comparison = compare(judge, TEXTS);
    tell('whole texts', judge, comparison);
    expect(comparison.differences).toEqual([]);
  });
});
