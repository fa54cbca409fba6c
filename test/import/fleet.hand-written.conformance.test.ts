/** importFleet() on rulesets from tutorials and generators (`hand-written.txt`), with a limit on literal rules. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BUILT_IN_CHAINS } from '../../src/netfilter/model.js';
import { importOf, messagesOf } from './import-texts.js';

const SHORT: Readonly<Record<string, string>> = {
  '@lo': '-A INPUT -i lo -j ACCEPT',
  '@established': '-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT',
  '@ssh': '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
};

interface Case {
  readonly name: string;
  readonly maxLiteral: number;
  readonly v4: string;
  readonly sets?: string;
  readonly admin?: readonly string[];
}

/** `# MAX NAME`, then lines: `policy ACCEPT`, `admin NETWORK`, `set …`, and rules, those of other tables after their name. */
function read(block: string): Case {
  const [head = '', ...lines] = block.trim().split('\n');
  const [, max = '', name = ''] = /^# (\d+) (.*)$/.exec(head) ?? [];
  const after = (word: string): readonly string[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const rules = lines.flatMap((line) =>
    line.startsWith('@') ? line.split(' ').map((word) => SHORT[word] ?? word) : [line],
  );
  const [policy = 'DROP'] = after('policy');
  const [sets, admin] = [after('set'), after('admin')];
  return {
    name,
    maxLiteral: Number(max),
    v4: (['raw', 'mangle', 'nat', 'filter'] as const)
      .map((table) =>
        tableOf(
          table,
          table === 'filter' ? rules.filter((rule) => rule.startsWith('-')) : after(table),
          policy,
        ),
      )
      .join(''),
    sets: sets.length === 0 ? undefined : sets.map((line) => `${line}\n`).join(''),
    admin: admin.length === 0 ? undefined : admin,
  };
}

function tableOf(table: keyof typeof BUILT_IN_CHAINS, rules: readonly string[], policy: string): string {
  if (rules.length === 0) return '';
  const builtIn = BUILT_IN_CHAINS[table];
  const policyOf = (name: string): string => (table === 'filter' && name !== 'OUTPUT' ? policy : 'ACCEPT');
  const own = new Set(
    rules.map((rule) => rule.split(' ')[1] ?? '').filter((name) => !builtIn.includes(name)),
  );
  return [
    `*${table}`,
    ...builtIn.map((name) => `:${name} ${policyOf(name)} [0:0]`),
    ...[...own].map((name) => `:${name} - [0:0]`),
    ...rules,
    'COMMIT',
    '',
  ].join('\n');
}

const CASES = readFileSync(join(import.meta.dirname, 'hand-written.txt'), 'utf8')
  .split(/\n\n+/)
  .map(read);

test('hand-written.txt has more than 80 rulesets', () => {
  expect(CASES.length).toBeGreaterThan(80);
  expect(CASES.filter(({ name, v4 }) => name === '' || v4 === '')).toEqual([]);
});

test.each(CASES)('$name: at most $maxLiteral literal rules', async ({ maxLiteral, v4, sets, admin }) => {
  const result = await importOf({ v4, sets }, admin);
  expect({ ok: result.ok, messages: result.ok ? [] : messagesOf(result) }).toEqual({
    ok: true,
    messages: [],
  });
  const [host] = result.ok ? result.value.hosts : [];
  expect(host?.literal).toBeLessThanOrEqual(maxLiteral);
});
