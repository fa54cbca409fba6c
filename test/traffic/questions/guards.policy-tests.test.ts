/** Policy tests on the hosts of the example. */
import { expect, test } from '@jest/globals';
import { compileHost } from '../../../src/compile/rules/compile.js';
import type { PolicyTest } from '../../../src/policy/fleet.js';
import { loadFleet } from '../../../src/policy/load.js';
import { runPolicyTests } from '../../../src/traffic/questions/guards.js';

const LOCATION = { kind: 'policy' as const, file: 'policies/fleet.yml', line: 1, column: 1 };
const VISITOR = { hook: 'INPUT', src: '198.51.100.7', protocol: 'tcp', dport: 443 };

async function problems(
  packet: PolicyTest['packet'],
  verdict: PolicyTest['verdict'],
): Promise<readonly string[]> {
  const fleet = await loadFleet('policies');
  if (!fleet.ok) throw new Error('The example does not load.');
  const host = fleet.value.hosts.find(({ name }) => name === 'web-1');
  if (host === undefined) throw new Error('The example has no web-1.');
  const compiled = compileHost(fleet.value, host);
  if (!compiled.ok) throw new Error('The example does not compile.');
  const tests = [{ name: 'A visitor', on: ['web-1'], packet, verdict, location: LOCATION }];
  return runPolicyTests({ ...fleet.value, tests }, host, compiled.value).map(({ message }) => message);
}

test("a test that passes has no problem; the host's own address may be left out", async () => {
  expect(await problems(VISITOR, 'accept')).toEqual([]);
  expect(await problems({ ...VISITOR, src: '2001:db8:ffff::7' }, 'accept')).toEqual([]);
});

test('a test that fails names the verdict and the rule', async () => {
  const [message, ...others] = await problems(VISITOR, 'drop');
  expect(others).toEqual([]);
  expect(message).toContain('"A visitor" expects drop on web-1');
  expect(message).toContain('by "web: The public site" at policies/roles/web.yml');
});

test('an address in the test is kept', async () => {
  const [message] = await problems({ ...VISITOR, dst: '192.0.2.250' }, 'drop');
  expect(message).toContain('192.0.2.250');
});
