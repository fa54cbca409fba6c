/** A policy that locks SSH out: refused by the proof, and taken back by the host itself when the proof is overridden. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../../src/lab/lab.js';
import { meaning, outcomesOf, type Program, programIn, writePolicy } from '../lab-program.js';

jest.setTimeout(180_000);

const DROP_SSH = `    raw:
      - table: mangle
        chain: PREROUTING
        rule: -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j DROP
        reason: Brute force
`;
const CONFIRM_WITHIN = 10;

let lab: Lab;
let hosts: readonly Host[];
let sallyport: Program;
const states = () =>
  Promise.all(
    hosts.map(async (host) => ({ live: meaning(await host.liveRules()), saved: await host.savedRules() })),
  );

beforeAll(async () => {
  lab = await openLab();
  hosts = await Promise.all([
    lab.light({ name: 'web-1' }),
    lab.light({ name: 'web-2' }),
    lab.light({ name: 'web-3' }),
  ]);
  sallyport = await programIn(lab);
  writePolicy(lab, hosts);
  expect(await sallyport('deploy')).toMatchObject({ code: 0 });
  // A change for everyone, and a lock-out for the canary.
  writePolicy(lab, hosts, {
    rules: '  - {allow: tcp/8443, from: any, reason: Preview}\n',
    own: { 'web-1': DROP_SSH },
  });
});
afterAll(() => lab.close());

describe('a policy that drops new SSH on the canary', () => {
  test('is refused by the proof, and no host is touched', async () => {
    const before = await states();
    const refused = await sallyport('deploy', '--format', 'json');
    expect(refused.code).toBe(1);
    expect(outcomesOf(refused)).toEqual(['web-1 refused', 'web-2 not-reached', 'web-3 not-reached']);
    expect(await states()).toEqual(before);
    expect(await sallyport('check')).toMatchObject({ code: 1 });
  });

  test('ends rolled back by the host in time when the risk is accepted; nothing saved, no other host touched', async () => {
    const before = await states();
    const deployed = await sallyport('deploy', '--accept-lockout-risk', 'web-1', '--format', 'json');
    expect(deployed.code).toBe(1);
    expect(outcomesOf(deployed)).toEqual(['web-1 rolled-back', 'web-2 not-reached', 'web-3 not-reached']);
    const [canary] = (JSON.parse(deployed.stdout) as { hosts: { seconds: number }[] }).hosts;
    expect(canary?.seconds).toBeLessThanOrEqual(CONFIRM_WITHIN + 5);
    expect(await states()).toEqual(before);
  });

  test('and a good policy goes on from there', async () => {
    writePolicy(lab, hosts, { rules: '  - {allow: tcp/8443, from: any, reason: Preview}\n' });
    const deployed = await sallyport('deploy', '--format', 'json');
    expect(outcomesOf(deployed)).toEqual(['web-1 confirmed', 'web-2 confirmed', 'web-3 confirmed']);
  });
});
