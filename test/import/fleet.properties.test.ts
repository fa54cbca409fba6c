/** importFleet() on rules of our own compiler: a policy without literal rules and with equal traffic. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { importHosts } from '../../src/commands/import.js';
import { renderRuleset } from '../../src/compile/render.js';
import { compileHost } from '../../src/compile/rules/compile.js';
import { formatProblem } from '../../src/lib/problem.js';
import type { Ruleset } from '../../src/netfilter/model.js';
import { readFleet } from '../../src/policy/resolve/fleet.js';
import { compareTraffic } from '../../src/traffic/questions/compare.js';
import { proveLockout } from '../../src/traffic/questions/lockout.js';
import { policyFiles, type RandomPolicy, randomPolicy } from './policies.js';

const TODAY = '2026-07-01';
const addresses = ['192.0.2.10', '2001:db8::10'];

/** The rules of a policy that is valid and locks no administrator out. */
function rulesOf(policy: RandomPolicy): Ruleset | undefined {
  const fleet = readFleet(policyFiles(policy), 'policies', { today: TODAY });
  if (!fleet.ok) return undefined;
  const [host] = fleet.value.hosts;
  const compiled = host && compileHost(fleet.value, host);
  if (host === undefined || compiled === undefined || !compiled.ok) return undefined;
  const proof = proveLockout(
    compiled.value,
    { admin: fleet.value.admin, addresses, port: 22 },
    { addresses },
  );
  return proof.verdict === 'proved' ? compiled.value : undefined;
}

const noClient = async () => ({ ok: false as const, problems: [] });

async function imported(ruleset: Ruleset) {
  const text = renderRuleset(ruleset);
  const files = (['v4', 'v6', 'sets'] as const).map((kind) => ({
    name: 'h',
    path: `h.${kind}`,
    text: text[kind],
  }));
  return importHosts(
    {
      targets: [{ name: 'h', address: '192.0.2.10', port: 22 }],
      files: files.filter((file) => file.text !== ''),
      user: 'deploy',
      admin: ['203.0.113.0/28', '2001:db8:a::/48'],
      today: TODAY,
    },
    noClient,
  );
}

test('a compiled and rendered policy is imported without literal rules, with equal traffic', async () => {
  let seen = 0;
  await fc.assert(
    fc.asyncProperty(randomPolicy, async (policy) => {
      const before = rulesOf(policy);
      fc.pre(before !== undefined);
      if (before === undefined) return;
      seen++;
      const result = await imported(before);
      expect({ problems: result.problems.map(formatProblem), ok: result.ok }).toEqual({
        problems: [],
        ok: true,
      });
      if (!result.ok) return;
      expect(result.value.hosts.map(({ literal, foreign }) => ({ literal, foreign }))).toEqual([
        { literal: 0, foreign: 0 },
      ]);
      const files = new Map([...result.value.files].map(([path, text]) => [`policies/${path}`, text]));
      const fleet = readFleet(files, 'policies', { today: TODAY });
      const [host] = fleet.ok ? fleet.value.hosts : [];
      if (!fleet.ok || host === undefined) throw new Error(fleet.problems.map(formatProblem).join('\n'));
      const after = compileHost(fleet.value, host);
      expect(after.ok && compareTraffic(before, after.value, { addresses }).equal).toBe(true);
    }),
    { numRuns: 12 },
  );
  expect(seen).toBeGreaterThan(9);
}, 240_000);
