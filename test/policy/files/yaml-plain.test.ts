/** The fast reader and the package `yaml` give the same result for every text that the fast one reads. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readAnyYaml, type Source } from '../../../src/policy/files/yaml.js';
import { readPlain } from '../../../src/policy/files/yaml-plain.js';

const RUNS = Number(process.env.SALLYPORT_RUNS ?? 2000);
const root = join(import.meta.dirname, '../../../policies');
const examples = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.yml'))
  .map((path) => readFileSync(join(root, path), 'utf8'));

/** Every value with the line and column of its key and of itself. */
function withLocations(source: Pick<Source, 'value' | 'at' | 'keyAt'>): unknown {
  const visit = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const keys: readonly (string | number)[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
    return keys.map((key) => {
      const [at, keyAt] = [source.at(value, key), source.keyAt(value, key)];
      const inner = (value as Readonly<Record<string | number, unknown>>)[key];
      return [key, `${keyAt.line}:${keyAt.column}`, `${at.line}:${at.column}`, visit(inner)];
    });
  };
  return [Array.isArray(source.value), visit(source.value)];
}

function plainSource(text: string): Pick<Source, 'value' | 'at' | 'keyAt'> | undefined {
  const reading = readPlain(text);
  if (reading === undefined) return undefined;
  const find = (kind: 'values' | 'keyOffsets') => (container: object, key: string | number) => {
    const found = reading.offsets.get(container);
    const offset = found?.[kind][typeof key === 'number' ? key : (found.keys?.indexOf(key) ?? -1)] ?? -1;
    const line = reading.lineStarts.findLastIndex((start) => start <= offset);
    return {
      kind: 'policy' as const,
      file: 'f',
      line: line + 1,
      column: offset - (reading.lineStarts[line] ?? 0) + 1,
    };
  };
  return { value: reading.value, at: find('values'), keyAt: find('keyOffsets') };
}

/** Checks one text; false when the fast reader does not read it. */
function expectSame(text: string): boolean {
  const plain = plainSource(text);
  if (plain === undefined) return false;
  const { source, problems } = readAnyYaml(text, 'f');
  expect({ text, problems, placed: withLocations(source) }).toEqual({
    text,
    problems: [],
    placed: withLocations(plain),
  });
  return true;
}

const oddScalar = fc.constantFrom(
  ...'a|a b|it\'s|tcp/443|role:web|10.0.0.0/8|2001:db8::1|"::1"|"a: b # c"|""|443|0|007|0x1|1.5|1e3|.5|12e03|-1|true|True|null|~|yes|a #c|a#c|a,b|a, b|[a, b]|[ "x" ,tcp/1 ]|[a,b,]|[]|[a: b]|[a [b]]|{a: b}|a: b|a:|:a|- a|*a|&a b|!t a|\'q\'|> |\\||"x" y|"x"#|"x" # c|[a] # c|[a]#c|[a, # b]|%a|@a|é|a\u00a0b|...|---|?|? a|=|1_000|0o7|1.2.3|+1|12:30|[12:30, a]|[a b,c  d]|  a  '.split(
    '|',
  ),
);
const word = fc
  .array(fc.constantFrom(..."aZ0./-_:, '%*&!|>#~é"), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join(''));
const flow = fc
  .array(fc.oneof(word, fc.constantFrom('"::/0"', ' a', 'b ', 'tcp/443', '1')), { maxLength: 3 })
  .map((items) => `[${items.join(',')}]`);
const scalar = fc.oneof(
  { weight: 2, arbitrary: oddScalar },
  { weight: 4, arbitrary: word },
  { weight: 2, arbitrary: flow },
);
const oddKey = fc.constantFrom('null', 'true', 'constructor', '"q"', '1', '');
const key = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('a', 'b', 'c', 'input', 'x-y', 'n.m') },
  { weight: 1, arbitrary: oddKey },
);
const indent = fc.constantFrom('', '', '', '  ', '  ', '    ', '    ', ' ', '      ');
const dash = fc.constantFrom('', '', '', '- ', '- ', '-  ');

/** Lines of every indentation, with simple values. */
const layout = fc
  .array(
    fc
      .tuple(
        indent,
        dash,
        fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { freq: 9 }),
        fc.boolean(),
      )
      .map(
        ([space, item, name, valued]) =>
          `${space}${item}${name === null ? '' : `${name}:`}${valued ? ' x' : ''}`,
      ),
    { minLength: 1, maxLength: 6 },
  )
  .map((lines) => ['z:', ...lines].join('\n'));

/** Values of every kind in a valid layout. */
const values = fc
  .tuple(scalar, fc.option(scalar), fc.option(scalar), key)
  .map(([first, second, third, name]) =>
    [
      `${name}: ${first}`,
      ...(second === null ? [] : [`list:\n  - ${second}`]),
      ...(third === null ? [] : [`deep:\n  - one: ${third}\n    two: x`]),
      'last: 1',
    ].join('\n'),
  );

const piece = fc.constantFrom(
  ...': |\n|  |- |#| #|"|[|]|,|a|1|\n  |\n- |\n    |:|\'|&|*|!|{|}|>|\t'.split('|'),
  '|',
);
const mutant = fc
  .tuple(fc.constantFrom(...examples), fc.array(fc.tuple(fc.nat(2000), fc.nat(4), piece), { maxLength: 3 }))
  .map(([text, edits]) =>
    edits.reduce((now, [at, length, put]) => {
      const index = at % (now.length + 1);
      return now.slice(0, index) + put + now.slice(index + length);
    }, text),
  );

test.each([
  ['lines of every indentation', layout],
  ['values of every kind', values],
  ['mutants of the example fleet', mutant],
])('both readers agree on %s', (_, texts) => {
  let read = 0;
  const property = fc.property(texts, (text) => {
    if (expectSame(text)) read++;
  });
  fc.assert(property, { numRuns: RUNS });
  expect(read).toBeGreaterThan(RUNS / 100);
});

test('readPlain() reads the common parts of policies', () => {
  expect(
    readPlain('# c\ninput:\n  - allow: [http, tcp/8443]\n    from: "::/0"\n    reason: A site, ours # c\n')
      ?.value,
  ).toEqual({
    input: [{ allow: ['http', 'tcp/8443'], from: '::/0', reason: 'A site, ours' }],
  });
});
