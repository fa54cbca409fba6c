/** The client is killed or cut off, in every phase: the host ends the change without it. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Phase } from '../../../src/host/client.js';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { until } from '../../../src/lab/shell.js';
import { changeTo, lockedOut, open, type Wanted } from '../change.js';
import { diallingClient, leftovers, policyHost, type TestClient, testClient } from '../hosts.js';
import { bundleClient, killedAt } from './client-program.js';
import { expectOld, fault, oldOrNew, rulesetsOf, watch } from './faults.js';

jest.setTimeout(240_000);

const PHASES: readonly Phase[] = [
  ...(['connect', 'preflight', 'snapshot', 'rehearse', 'arm', 'apply', 'verify'] as const),
  ...(['confirm', 'persist', 'disarm', 'rollback'] as const),
];
/** The rules after the client is lost in this phase; when `confirm` begins, the host may or may not have been asked. */
const endIn = (phase: Phase): unknown => {
  if (phase === 'confirm') return expect.stringMatching(/^(old|new)$/);
  return phase === 'persist' || phase === 'disarm' ? 'new' : 'old';
};
/** The phase `rollback` needs a change that fails verification. */
const wantedIn = (phase: Phase, port: number): Wanted => (phase === 'rollback' ? lockedOut : open(port));

let lab: Lab;
let client: TestClient;
const hosts = new Map<Phase, LabHost>();
const hostAt = (phase: Phase): LabHost => hosts.get(phase) as LabHost;

beforeAll(async () => {
  lab = await openLab();
  await Promise.all(PHASES.map(async (phase) => hosts.set(phase, await lab.light({ name: `at-${phase}` }))));
  client = testClient(lab);
  const deployed = await Promise.all([...hosts.values()].map((host) => client.deploy(host, open(80))));
  for (const { result } of deployed) expect(result).toMatchObject({ outcome: 'confirmed' });
});
afterAll(async () => {
  await client.close();
  await lab.close();
});

fault(
  'A1',
  'the client is killed, in every phase',
  'all old or all new rules; the host ends the change by itself',
  async () => {
    await bundleClient(lab);
    const ends = await Promise.all(
      PHASES.map(async (phase) => {
        const host = hostAt(phase);
        watch({ lab, host, client });
        const before = await rulesetsOf(host);
        const killed = killedAt(lab, host, phase, wantedIn(phase, 8443));
        await killed.ended;
        expect([phase, killed.output().trim().split('\n').at(-1)]).toEqual([phase, phase]);
        return [phase, await oldOrNew(host, before, 8443)] as const;
      }),
    );
    expect(ends).toEqual(PHASES.map((phase) => [phase, endIn(phase)]));
  },
);

fault(
  'A3',
  'the network is cut, in every phase, until the host has ended the change and the client retries',
  'the host ends the change by itself; the client reports the same outcome',
  async () => {
    await Promise.all(
      PHASES.map(async (phase) => {
        const host = hostAt(phase);
        const before = await rulesetsOf(host);
        let answered = false;
        const { client: cut, dials } = diallingClient(lab);
        watch({ lab, host, client: cut });
        const { result } = await cut.deploy(host, wantedIn(phase, 9443), {
          change: { confirmWithinSeconds: 8 },
          onPhase: async (begun) => {
            if (begun === 'done') answered = true;
            if (begun !== phase) return;
            const [repair, earlier] = [await host.cutLink(), dials.length];
            await until(
              `${phase}: the host has ended the change, and the client retries`,
              async () =>
                (answered || dials.length > earlier) && (await leftovers(host)) === '' ? true : undefined,
              60,
            );
            await repair();
          },
        });
        await cut.close();
        const end = await oldOrNew(host, before, 9443);
        const expected =
          end === 'new' ? 'confirmed' : expect.stringMatching(/^(rolled-back|refused|unreachable)$/);
        expect([phase, result]).toEqual([phase, expect.objectContaining({ outcome: expected })]);
        const { record } = await client.state(host);
        if (result.outcome !== 'unreachable') expect(record.last?.outcome).toBe(result.outcome);
      }),
    );
  },
);

fault(
  'G2',
  'a dead client leaves a host armed',
  'the next run finds the old rules and continues',
  async () => {
    const host = hostAt('verify');
    watch({ lab, host, client });
    const before = await rulesetsOf(host);
    const killed = killedAt(lab, host, 'verify', open(7443));
    await killed.ended;
    const { record } = await client.state(host);
    expect(record.pending).toMatchObject({ phase: 'verify', owner: 'anna@laptop' });
    const policy = policyHost(host);
    const busy = await client.hosts.transact(policy, changeTo(await client.state(host), open(1)), () => {});
    expect(busy).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('not confirmed yet') });
    await oldOrNew(host, before, 7443);
    await expectOld(host, before);
    expect((await client.deploy(host, open(7443))).result).toMatchObject({ outcome: 'confirmed' });
  },
);
