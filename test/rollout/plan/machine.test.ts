/** A host's rules go to the host's machine, and to no other one that happens to answer. */
import { expect, test } from '@jest/globals';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { fleetOf } from '../fleet.js';
import { type ModelHost, modelFleet, modelHost } from '../model-host.js';

const fleet = fleetOf();
const [host] = fleet.hosts;
if (host === undefined) throw new Error('The policy has no host.');
const one = (machine: ModelHost) => modelFleet({ [host.name]: machine });
const facts = {
  ...{ addresses: host.addresses, interfaces: ['eth0'], client: '203.0.113.5', sshPort: 22 },
  ...{ systemd: true, ipv6: true },
};
const machine = (machineId: string, hostname = host.name): ModelHost =>
  modelHost({ state: { facts: { ...facts, machineId, hostname } } });

test('a plan is of one machine: another one that answers at deploy is refused', async () => {
  const reviewed = await planFleet(fleet, [host], one(machine('m1')));
  expect(reviewed.hosts[0]?.machine).toMatch(/^sha256:[0-9a-f]{64}$/);
  const deploy = async (to: ModelHost) =>
    (await deployFleet(fleet, [host], one(to), { owner: 'test', reviewed })).hosts[0];
  for (const other of [machine('m2'), machine('m1', 'clone')])
    expect(await deploy(other)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('another machine answers'),
    });
  expect(await deploy(machine('m1'))).toMatchObject({ outcome: 'confirmed' });
});

test('a machine-id is never shown', async () => {
  const plan = await planFleet(fleet, [host], one(machine('0123456789abcdef0123456789abcdef')));
  expect(JSON.stringify(plan)).not.toContain('0123456789abcdef');
});

test('the machine of another host of the policy is refused; one that was renamed or copied is not', async () => {
  const lastWas = (name: string, machineId = 'm1') => {
    const entry = { number: 1, run: 'r', commit: '', time: '', digest: '', host: name, machineId };
    return modelHost({
      state: {
        facts: { ...facts, machineId: 'm1', hostname: 'web-2' },
        record: { history: [entry], current: entry },
      },
    });
  };
  const found = async (model: ModelHost) =>
    (await planFleet(fleet, [host], one(model))).hosts[0]?.findings.map(({ id }) => id);
  expect(await found(lastWas('web-2'))).toContain('machine-of-another-host');
  for (const fine of [lastWas('web-1'), lastWas('gone-9'), lastWas('web-2', 'm2')])
    expect(await found(fine)).not.toContain('machine-of-another-host');
  const { hosts } = await deployFleet(fleet, [host], one(lastWas('web-2')), { owner: 'test' });
  expect(hosts[0]).toMatchObject({
    outcome: 'refused',
    reason: expect.stringContaining('was last deployed as web-2'),
  });
});

test('two hosts of the policy that one machine answers for are refused, before either is changed', async () => {
  const hosts = fleet.hosts.slice(0, 2);
  const named = (name: string, boot: string): ModelHost =>
    modelHost({
      state: {
        facts: { ...facts, machineId: 'm1', hostname: name },
        drops: { now: { boot, uptime: 10, rules: [] } },
      },
    });
  const deploy = async (one: ModelHost, two: ModelHost) => {
    const client = modelFleet({ 'web-1': one, 'web-2': two });
    return { client, ...(await deployFleet(fleet, hosts, client, { owner: 'test' })) };
  };
  const { hosts: refused, client } = await deploy(named('web', 'b1'), named('web', 'b1'));
  expect(refused).toMatchObject([
    { outcome: 'refused', reason: expect.stringContaining('web-1 and web-2 are one machine') },
    { outcome: 'refused', reason: expect.stringContaining('web-1 and web-2 are one machine') },
  ]);
  expect(client.changes).toEqual([]);
  // Copies that kept the machine-id, with another name, or on another kernel.
  for (const [name, boot] of [
    ['copy', 'b1'],
    ['web', 'b2'],
  ] as const)
    expect((await deploy(named('web', 'b1'), named(name, boot))).hosts).toMatchObject([
      { outcome: 'confirmed' },
      { outcome: 'confirmed' },
    ]);
});
