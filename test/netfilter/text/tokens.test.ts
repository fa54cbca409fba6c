import fc from 'fast-check';
import { quote, tokenise } from '../../../src/netfilter/text/tokens.js';

const words = (line: string) => {
  const tokens = tokenise(line);
  return 'openQuote' in tokens ? tokens : tokens.map((token) => token.text);
};

test.each([
  ['-A INPUT -j ACCEPT', ['-A', 'INPUT', '-j', 'ACCEPT']],
  ['\t-A \t INPUT  ', ['-A', 'INPUT']],
  ['--comment "two words"', ['--comment', 'two words']],
  [String.raw`--comment "it\'s \"q\" \\ done"`, ['--comment', `it's "q" \\ done`]],
  [`--comment 'a b'`, ['--comment', `'a`, `b'`]],
  ['--comment ""', ['--comment', '']],
  ['a"b c"d', ['ab c', 'd']],
  [String.raw`a\b`, [String.raw`a\b`]],
  ['', []],
] as const)('%s', (line, expected) => {
  expect(words(line)).toEqual(expected);
});

test('a word knows where it stands and whether it was quoted', () => {
  expect(tokenise('-j  "LOG"')).toEqual([
    { text: '-j', column: 1, quoted: false },
    { text: 'LOG', column: 5, quoted: true },
  ]);
});

test('an open quote is reported with its location', () => {
  expect(tokenise('-m comment --comment "never closed')).toEqual({ openQuote: 22 });
  expect(tokenise(String.raw`--comment "ends in \"`)).toEqual({ openQuote: 11 });
});

test.each([
  ['plain', 'plain'],
  ['a-b_C9', 'a-b_C9'],
  ['', '""'],
  ['two words', '"two words"'],
  ['a:b', '"a:b"'],
  [`it's`, String.raw`"it\'s"`],
  ['say "hi"', String.raw`"say \"hi\""`],
  ['back\\slash', String.raw`"back\\slash"`],
])('%s is printed as %s', (text, printed) => {
  expect(quote(text)).toBe(printed);
});

test('what is quoted is read back as it was', () => {
  fc.assert(fc.property(fc.string(), (text) => expect(words(quote(text))).toEqual([text])));
});
