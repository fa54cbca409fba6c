/** The client is killed, or its wire is cut, in every phase: the host ends whole without it. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Phase } from '../../../src/host/port.js';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { changeTo, open } from '../host/change.js';
import { type Client, clientOf, policyHost } from '../host/hosts.js';
import { expectOld, fault, oldOrNew, type Stand, standOf } from './faults.js';
import { bundleClient, killedAt } from './program.js';

jest.setTimeout(180_000);

const PHASES = [
  ...[
    'connect',
    'preflight',
    'snapshot',
    'rehearse',
    'arm',
    'apply',
    'verify',
    'confirm',
    'persist',
    'disarm',
  ],
] as Phase[];
/** In these the host has been told nothing that it could keep: it ends with the old rules. */
const BEFORE_CONFIRM = new Set<Phase>(PHASES.slice(0, PHASES.indexOf('confirm')));

let lab: Lab;
let client: Client;
const hosts = new Map<Phase, { readonly host: LabHost; readonly before: Stand }>();

beforeAll(async () => {
  lab = await openLab();
  client = clientOf(lab);
  const made = await Promise.all(PHASES.map((phase) => lab.light({ name: `at-${phase}` })));
  client = clientOf(lab);
  for (const [index, host] of made.entries()) {
    expect((await client.deploy(host, open(80))).result).toMatchObject({ outcome: 'confirmed' });
    hosts.set(PHASES[index] as Phase, { host, before: await standOf(host) });
  }
});
afterAll(async () => {
  await client.close();
  await lab.close();
});

fault('A1', 'the client is killed in any phase', 'all old or all new, by the host alone', async () => {
  await bundleClient(lab);
  const ends = await Promise.all(
    PHASES.map(async (phase) => {
      const { host, before } = hosts.get(phase) as { host: LabHost; before: Stand };
      const killed = killedAt(lab, host, phase, 8443);
      await killed.ended;
      expect(killed.said()).not.toContain('outcome');
      return [phase, await oldOrNew(host, before, 8443)] as const;
    }),
  );
  for (const [phase, end] of ends)
    if (BEFORE_CONFIRM.has(phase)) expect([phase, end]).toEqual([phase, 'old']);
});

fault(
  'A3',
  'the wire is cut in any phase',
  'the host ends as it says; the client says the same',
  async () => {
    await Promise.all(
      PHASES.map(async (phase) => {
        const { host } = hosts.get(phase) as { host: LabHost; before: Stand };
        const before = await standOf(host);
        let mended: Promise<void> | undefined;
        const { result } = await client.deploy(host, open(9443), {
          change: { confirmWithinSeconds: 5 },
          onPhase: (begun) => {
            if (begun !== phase) return;
            mended = host.cutWire().then(async (mend) => {
              await new Promise((resolve) => setTimeout(resolve, 9_000));
              await mend();
            });
          },
        });
        await mended;
        const end = await oldOrNew(host, before, 9443);
        const { record } = await client.state(host);
        const expected =
          end === 'new' ? 'confirmed' : expect.stringMatching(/^(rolled-back|refused|unreachable)$/);
        expect([phase, result]).toEqual([phase, expect.objectContaining({ outcome: expected })]);
        if (result.outcome !== 'unreachable') expect(record.last?.outcome).toBe(result.outcome);
      }),
    );
  },
);

fault(
  'G2',
  'a host is left armed by a dead client',
  'the next run finds the old rules and goes on',
  async () => {
    const { host } = hosts.get('verify') as { host: LabHost; before: Stand };
    const before = await standOf(host);
    const killed = killedAt(lab, host, 'verify', 7443);
    await killed.ended;
    const { record } = await client.state(host);
    expect(record.pending).toMatchObject({ phase: 'verify', owner: 'anna@laptop' });
    const policy = policyHost(host);
    const busy = await client.port.transact(policy, changeTo(await client.state(host), open(1)), () => {});
    expect(busy).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('not confirmed yet') });
    await oldOrNew(host, before, 7443);
    await expectOld(host, before);
    expect((await client.deploy(host, open(7443))).result).toMatchObject({ outcome: 'confirmed' });
  },
);
