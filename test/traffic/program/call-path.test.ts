import { callPathNumber } from '../../../src/traffic/program/call-path.js';
import {
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
  compileRuleset,
} from '../../../src/traffic/program/compiled-ruleset.js';
import { ruleset, table } from '../rules.js';

/** Each chain calls the next one twice; the last one counts packets. */
function doubling(depth: number): CompiledRuleset {
  const rules = ['-A INPUT -p tcp -j C0', '-A INPUT -p udp -j C0'];
  for (let level = 0; level < depth; level++)
    rules.push(`-A C${level} -s 10.0.0.${level} -j C${level + 1}`, `-A C${level} -j C${level + 1}`);
  rules.push(`-A C${depth} -m limit --limit 5/min -j ACCEPT`);
  return compileRuleset(ruleset({ v4: table('filter', rules) }), 'v4', []);
}

const rulesIn = (compiled: CompiledRuleset, chain: string): readonly CompiledRule[] =>
  compiled.chains.get(chainKey('filter', chain))?.rules ?? [];

test('callPathNumber() numbers every path to a chain in the order of the rules', () => {
  const compiled = doubling(3);
  let paths: readonly (readonly CompiledRule[])[] = [[]];
  for (const chain of ['INPUT', 'C0', 'C1', 'C2'])
    paths = paths.flatMap((path) => rulesIn(compiled, chain).map((rule) => [...path, rule]));
  const numbers = paths.map((path) => callPathNumber(compiled, 'INPUT', path));
  expect(paths).toHaveLength(16);
  expect(new Set(numbers)).toEqual(new Set(Array.from({ length: 16 }, (_, index) => BigInt(index))));
  expect(numbers[0]).toBe(0n);
  expect(numbers.at(-1)).toBe(15n);
});

test('callPathNumber() numbers more paths than can be listed', () => {
  const compiled = doubling(60);
  const chains = ['INPUT', ...Array.from({ length: 60 }, (_, level) => `C${level}`)];
  const last = chains.flatMap((chain) => rulesIn(compiled, chain).slice(-1));
  expect(callPathNumber(compiled, 'INPUT', last)).toBe(2n ** 61n - 1n);
});

test('callPathNumber() does not depend on the names of chains', () => {
  const numbers = (name: string): readonly bigint[] => {
    const compiled = compileRuleset(
      ruleset({
        v4: table('filter', [
          `-A INPUT -p tcp -j ${name}`,
          '-A INPUT -p udp -j LAST',
          `-A ${name} -j LAST`,
          '-A LAST -m limit --limit 5/min -j ACCEPT',
        ]),
      }),
      'v4',
      [],
    );
    const [first, second] = rulesIn(compiled, 'INPUT');
    const [inner] = rulesIn(compiled, name);
    if (first === undefined || second === undefined || inner === undefined) throw new Error('No such rule.');
    return [callPathNumber(compiled, 'INPUT', [first, inner]), callPathNumber(compiled, 'INPUT', [second])];
  };
  expect(numbers('A')).toEqual([0n, 1n]);
  expect(numbers('Z')).toEqual([0n, 1n]);
});
