import { expect, test } from '@jest/globals';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { rollbackHost } from '../../../src/rollout/deploy/rollback.js';
import { fleetOf } from '../fleet.js';
import { modelFleet, modelHost } from '../model-host.js';

const HOSTS = '\n  web-1: { addresses: [192.0.2.1, "2001:db8::1"], roles: [web] }\n';
const first = fleetOf({ hosts: HOSTS });
const PREVIEW = '  - {allow: tcp/8443, from: any, reason: Preview}\n';
const second = fleetOf({ hosts: HOSTS, web: PREVIEW });
const RUN = { run: 'r', commit: '', owner: 'test' };

async function deployedTwice() {
  const model = modelHost();
  const client = modelFleet({ 'web-1': model });
  await deployFleet(first, first.hosts, client, { owner: 'test', commit: 'one' });
  const old = model.live;
  await deployFleet(second, second.hosts, client, { owner: 'test', commit: 'two' });
  const [host] = second.hosts;
  if (host === undefined) throw new Error('no host');
  return { model, client, old, host };
}

test('a rollback restores the previous rules, live and saved', async () => {
  const { model, client, old, host } = await deployedTwice();
  expect(model.live.v4).toContain('8443');
  const outcomes = await rollbackHost(second, host, client, RUN, { to: 2 });
  expect(outcomes.hosts[0]).toMatchObject({ host: 'web-1', outcome: 'confirmed' });
  expect(model.live).toEqual(old);
  expect(model.saved).toEqual(old);
  expect(client.changes.at(-1)?.change.commit).toBe('one');
});

test('without a number a rollback skips states that were rolled back from', async () => {
  const { model, client, old, host } = await deployedTwice();
  const back = () => rollbackHost(second, host, client, RUN, {});
  const newest = model.live;
  expect((await back()).hosts[0]).toMatchObject({ outcome: 'confirmed' });
  expect(model.live).toEqual(old);
  expect(client.changes.at(-1)?.change.commit).toBe('one');
  expect((await back()).hosts[0]).toMatchObject({
    outcome: 'refused',
    reason:
      'The host has no known-good state before its current rules. Choose one by its number with `--to`.',
  });
  expect(model.live).toEqual(old);
  await rollbackHost(second, host, client, RUN, { to: 2 });
  expect(model.live).toEqual(newest);
});

test('rules that were deployed a second time have the state in between before them', async () => {
  const { model, client, old, host } = await deployedTwice();
  const newest = model.live;
  await deployFleet(first, first.hosts, client, { owner: 'test', commit: 'three' });
  await deployFleet(second, second.hosts, client, { owner: 'test', commit: 'four' });
  expect(model.live).toEqual(newest);
  await rollbackHost(second, host, client, RUN, {});
  expect(model.live).toEqual(old);
  expect(client.changes.at(-1)?.change.commit).toBe('three');
});

test('unmanaged rules that were added since are kept', async () => {
  const { model, client, host } = await deployedTwice();
  model.live = { ...model.live, v4: model.live.v4.replace(/^-A/m, ':f2b-sshd - [0:0]\n-A') };
  await rollbackHost(second, host, client, RUN, { to: 2 });
  expect(model.live.v4).toContain(':f2b-sshd');
  expect(model.saved.v4).not.toContain(':f2b-sshd');
});

test('a rollback to the current state is no change', async () => {
  const { client, host } = await deployedTwice();
  const outcomes = await rollbackHost(second, host, client, RUN, { to: 1 });
  expect(outcomes.hosts[0]?.outcome).toBe('unchanged');
});

test('a missing state is refused with the numbers that exist', async () => {
  const { client, host } = await deployedTwice();
  const outcomes = await rollbackHost(second, host, client, RUN, { to: 7 });
  expect(outcomes.hosts[0]).toMatchObject({
    outcome: 'refused',
    reason: 'The host has no known-good state 7; it has 1 to 2.',
  });
  expect(client.changes).toHaveLength(2);
});

test('a rollback of a bastion must keep the hosts behind it reachable', async () => {
  const hosts = `
  web-1: { addresses: [192.0.2.1], roles: [web] }
  web-2: { addresses: [192.0.2.2], roles: [web], ssh: {bastion: {host: web-1, user: jump}} }
`;
  const [before, after] = [fleetOf({ hosts }), fleetOf({ hosts, web: PREVIEW })];
  const client = modelFleet({ 'web-1': modelHost(), 'web-2': modelHost() });
  for (const fleet of [before, after]) await deployFleet(fleet, fleet.hosts, client, { owner: 'test' });
  const [bastion] = after.hosts;
  if (bastion === undefined) throw new Error('no host');
  await rollbackHost(after, bastion, client, RUN, { to: 2 });
  expect(client.changes.at(-1)).toMatchObject({
    host: 'web-1',
    change: { hostsBehind: [{ name: 'web-2' }] },
  });
});
