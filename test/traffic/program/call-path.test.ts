import { callPathNumber } from '../../../src/traffic/program/call-path.js';
import {
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
  compileRuleset,
} from '../../../src/traffic/program/compiled-ruleset.js';
import { ruleset, table } from '../rules.js';

/** Each chain calls the next one twice; the last one counts packets. */
function ladder(rungs: number): CompiledRuleset {
  const rules = ['-A INPUT -p tcp -j C0', '-A INPUT -p udp -j C0'];
  for (let rung = 0; rung < rungs; rung++)
    rules.push(`-A C${rung} -s 10.0.0.${rung} -j C${rung + 1}`, `-A C${rung} -j C${rung + 1}`);
  rules.push(`-A C${rungs} -m limit --limit 5/min -j ACCEPT`);
  return compileRuleset(ruleset({ v4: table('filter', rules) }), 'v4', []);
}

const stepsOf = (program: CompiledRuleset, chain: string): readonly CompiledRule[] =>
  program.chains.get(chainKey('filter', chain))?.rules ?? [];

test('every way to a chain has a number of its own, in the order of the rules', () => {
  const program = ladder(3);
  let ways: readonly (readonly CompiledRule[])[] = [[]];
  for (const chain of ['INPUT', 'C0', 'C1', 'C2'])
    ways = ways.flatMap((way) => stepsOf(program, chain).map((step) => [...way, step]));
  const numbers = ways.map((way) => callPathNumber(program, 'INPUT', way));
  expect(ways).toHaveLength(16);
  expect(new Set(numbers)).toEqual(new Set(Array.from({ length: 16 }, (_, index) => BigInt(index))));
  expect(numbers[0]).toBe(0n);
  expect(numbers.at(-1)).toBe(15n);
});

test('ways that are too many to be listed are numbered all the same', () => {
  const program = ladder(60);
  const chains = ['INPUT', ...Array.from({ length: 60 }, (_, rung) => `C${rung}`)];
  const last = chains.flatMap((chain) => stepsOf(program, chain).slice(-1));
  expect(callPathNumber(program, 'INPUT', last)).toBe(2n ** 61n - 1n);
});

test('what a chain is called has no part in it', () => {
  const numbers = (name: string): readonly bigint[] => {
    const program = compileRuleset(
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
    const [first, second] = stepsOf(program, 'INPUT');
    const [inner] = stepsOf(program, name);
    if (first === undefined || second === undefined || inner === undefined) throw new Error('No such rule.');
    return [callPathNumber(program, 'INPUT', [first, inner]), callPathNumber(program, 'INPUT', [second])];
  };
  expect(numbers('A')).toEqual([0n, 1n]);
  expect(numbers('Z')).toEqual([0n, 1n]);
});
