/** After a boot, rules that reference a set are loaded: the sets load first, else none of the rules would. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { open } from '../change.js';
import { type TestClient, testClient, waitUntilIdle } from '../hosts.js';

jest.setTimeout(120_000);

let lab: Lab;
let host: LabHost;
let client: TestClient;
beforeAll(async () => {
  lab = await openLab();
  host = await lab.systemd({ name: 'sets-1' });
  client = testClient(lab);
});
afterAll(async () => {
  await client.close();
  await lab.close();
});

const SET_RULE = '-p tcp -m tcp --dport 81 -m set --match-set SALLYPORT-office-4 src -j ACCEPT';

test('sets and the rules that reference them are loaded at boot, and gone after their removal', async () => {
  const { rules } = open(80);
  const office = ['192.0.2.0/24', '198.51.100.7'];
  const { result } = await client.deploy(host, { rules: [...rules, SET_RULE], v6: rules, office });
  expect(result).toMatchObject({ outcome: 'confirmed', reason: '' });
  await waitUntilIdle(host);
  const before = { live: await host.liveRules(), saved: await host.savedRules() };

  await host.powerCut();
  await host.boot();
  const { live } = await client.state(host);
  expect(live.v4).toContain(`-A SALLYPORT-INPUT ${SET_RULE}\n`);
  for (const member of office) expect(live.sets).toContain(`add SALLYPORT-office-4 ${member}`);
  const { v4, v6 } = await host.liveRules();
  expect({ v4, v6 }).toEqual({ v4: before.live.v4, v6: before.live.v6 });
  expect(await host.savedRules()).toEqual(before.saved);

  expect((await client.deploy(host, open(80))).result).toMatchObject({ outcome: 'confirmed', reason: '' });
  await waitUntilIdle(host);
  await host.powerCut();
  await host.boot();
  const after = (await client.state(host)).live;
  expect(after.v4).toContain('--dport 80 -j ACCEPT');
  expect(after.sets).not.toContain('SALLYPORT-office-4');
});
