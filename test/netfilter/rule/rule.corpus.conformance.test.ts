import { judges } from '../kernel.js';
import { compare, report } from './compare.js';
import { RULES } from './corpus.js';
import { TEXTS } from './corpus-texts.js';
import { TEXTS_V6 } from './corpus-texts-v6.js';
import { RULES_V6 } from './corpus-v6.js';

describe.each(judges)('fmt against iptables-$backend, $family', (judge) => {
  test('prints every hand-written rule as the kernel saves it', () => {
    const texts = RULES[judge.family].map(
      (rule) => `*filter\n:USERCHAIN - [0:0]\n-A FORWARD ${rule}\nCOMMIT\n`,
    );
    const comparison = compare(judge, texts);
    report('hand-written rules', judge, comparison);
    expect(comparison.differences).toEqual([]);
  });

  test('reads whole texts as iptables-restore does', () => {
    const comparison = compare(judge, TEXTS);
    report('whole texts', judge, comparison);
    expect(comparison.differences).toEqual([]);
  });
});

describe.each(judges.filter(({ family }) => family === 'v6'))('fmt against ip6tables-$backend', (judge) => {
  test('prints what people write by hand as the kernel saves it', () => {
    const rules = RULES_V6.map((rule) => `*filter\n:USERCHAIN - [0:0]\n-A FORWARD ${rule}\nCOMMIT\n`);
    const comparison = compare(judge, [...rules, ...TEXTS_V6]);
    report('IPv6 by hand', judge, comparison);
    expect(comparison.differences).toEqual([]);
  });
});
