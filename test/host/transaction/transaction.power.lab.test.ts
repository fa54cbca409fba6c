/** Power cuts in every phase: the host boots with complete rules, and the next run is confirmed. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Phase } from '../../../src/host/client.js';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { lockedOut, open } from '../change.js';
import { type TestClient, testClient } from '../hosts.js';
import { expectNew, fault, rulesetsOf, watch } from './faults.js';

jest.setTimeout(240_000);

const PHASES: readonly Phase[] = [
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
  'rollback',
];

let lab: Lab;
let client: TestClient;
let hosts: readonly LabHost[];

beforeAll(async () => {
  lab = await openLab();
  hosts = await Promise.all(PHASES.map((phase) => lab.systemd({ name: `at-${phase}` })));
  client = testClient(lab);
  const deployed = await Promise.all(hosts.map((host) => client.deploy(host, open(80))));
  for (const { result } of deployed) expect(result).toMatchObject({ outcome: 'confirmed' });
});
afterAll(async () => {
  await client.close();
  await lab.close();
});

fault(
  'F9',
  'the power is cut, in every phase',
  'after the boot the saved rules are loaded, old or new',
  async () => {
    await Promise.all(
      hosts.map(async (host, index) => {
        const phase = PHASES[index];
        watch({ lab, host, client });
        const before = await rulesetsOf(host);
        const { result } = await client.deploy(host, phase === 'rollback' ? lockedOut : open(8443), {
          change: { confirmWithinSeconds: 8 },
          onPhase: async (begun) => {
            if (begun !== phase) return;
            await host.powerCut();
            await host.boot();
          },
        });
        const { live, saved } = await rulesetsOf(host);
        expect([phase, saved.v4]).toEqual([phase, live.v4]);
        expect([phase, saved.v6]).toEqual([phase, live.v6]);
        const kept = live.v4.includes('--dport 8443');
        if (!kept) expect({ live, saved }).toEqual(before);
        if (result.outcome === 'confirmed') expect([phase, kept]).toEqual([phase, true]);
        if (result.outcome === 'rolled-back' || result.outcome === 'refused')
          expect([phase, kept]).toEqual([phase, false]);
        // The next run finishes whatever was left.
        const again = await client.deploy(host, open(8443, 9443));
        const settled =
          again.result.outcome === 'confirmed' ? again : await client.deploy(host, open(8443, 9443));
        expect([phase, settled.result]).toMatchObject([phase, { outcome: 'confirmed' }]);
        await expectNew(host, 9443);
        await host.powerCut();
        await host.boot();
        await expectNew(host, 9443);
      }),
    );
  },
);
