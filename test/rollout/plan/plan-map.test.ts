/** The map in a plan: what the hosts will run, against what they run now. */
import { expect, test } from '@jest/globals';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { readPlan } from '../../../src/rollout/results/read.js';
import { fleetOf } from '../fleet.js';
import { modelFleet, modelHost } from '../model-host.js';

const OPEN = {
  v4: '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 25 -j DROP\nCOMMIT\n',
  v6: '',
  sets: '',
};

async function drawn(hosts: Parameters<typeof modelFleet>[0] = {}) {
  const fleet = fleetOf();
  const all = Object.fromEntries(
    fleet.hosts.map(({ name }) => [name, hosts[name] ?? modelHost({ live: OPEN })]),
  );
  return planFleet(fleet, fleet.hosts, modelFleet(all), { map: true });
}

test('what hosts run before is what goes away, without lines that nobody can open', async () => {
  const { map } = await drawn();
  expect(
    map?.edges.map(({ from, to, service, change, rules }) => [from, to, service, change, rules.length]),
  ).toEqual([
    ['anywhere', 'role web', 'web', undefined, 1],
    ['network admin', 'role web', 'ssh', undefined, 4],
    ['anywhere', 'role web', 'everything else', 'removed', 0],
  ]);
});

test('a host that cannot be read is listed as missing, without any flows', async () => {
  const { map } = await drawn({ 'web-2': modelHost({ behaviour: 'unreachable' }) });
  expect(map?.missing).toEqual([{ host: 'web-2', why: expect.any(String) }]);
  expect(map?.edges[0]?.hosts).toEqual(['web-1', 'web-3', 'web-4']);
});

test('it is drawn only where it is asked for, and comes back from a file as it was', async () => {
  const fleet = fleetOf();
  const client = modelFleet(Object.fromEntries(fleet.hosts.map(({ name }) => [name, modelHost()])));
  expect((await planFleet(fleet, fleet.hosts, client)).map).toBeUndefined();
  const plan = await drawn();
  const read = readPlan(JSON.stringify(plan), 'plan.json');
  expect(read.ok && read.value.map).toEqual(plan.map);
  const broken = { ...plan, map: { ...plan.map, edges: [{ from: 'anywhere' }] } };
  expect(readPlan(JSON.stringify(broken), 'plan.json')).toMatchObject({
    ok: false,
    problems: [{ message: expect.stringContaining('map.edges[0].to') }],
  });
});
