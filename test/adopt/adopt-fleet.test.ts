/** adoptFleet(): several hosts with several changes, and changes that were not made by hand. */
import { expect, test } from '@jest/globals';
import { applyPatch, parsePatch } from 'diff';
import { adoptFleet } from '../../src/adopt/adopt-fleet.js';
import { adoptionPatch } from '../../src/commands/adopt.js';
import { deployFleet } from '../../src/rollout/deploy/deploy.js';
import { modelFleet, modelHost } from '../rollout/model-host.js';
import {
  adopted,
  deployed,
  FILES,
  first,
  fleetOf,
  inFrontOf,
  OPENED,
  of,
  planned,
  policyOf,
  without,
} from './fleet.js';

test('entries added to or removed from the policy since the last deploy are left', async () => {
  const fleet = fleetOf(FILES);
  const [web] = fleet.hosts.filter(({ name }) => name === 'web-1');
  const port = modelFleet({ 'web-1': modelHost() });
  await deployFleet(fleet, web === undefined ? [] : [web], port, { owner: 'test' });
  const host = port.hosts.get('web-1');
  if (host === undefined || web === undefined) throw new Error('no host');
  host.live = {
    ...host.live,
    v4: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${OPENED}`)(host.live.v4),
  };
  const own = FILES['policies/hosts/web-1.yml'] ?? '';
  const newer = { ...FILES, 'policies/hosts/web-1.yml': own.replace('udp/60000-61000', 'udp/60000-60999') };
  const now = fleetOf(newer);
  const options = { date: '2027-01-01' };
  const [later] = now.hosts.filter(({ name }) => name === 'web-1');
  const adoption = await adoptFleet(
    now,
    new Map(Object.entries(newer)),
    later === undefined ? [] : [later],
    port,
    options,
  );
  expect(of(adoption, 'web-1').taken).toEqual([
    expect.objectContaining({ rule: `-A SALLYPORT-INPUT ${OPENED}` }),
  ]);
  expect(of(adoption, 'web-1').left.map(({ why }) => why)).toEqual(
    expect.arrayContaining([
      expect.stringContaining('added to the policy after the last deploy'),
      expect.stringContaining('removed from the policy after the last deploy'),
    ]),
  );
  expect(adoption.files[0]?.after).toContain('udp/60000-60999');
});

test('changes on several hosts: each host has its own result, and the patch makes the same files', async () => {
  const changes = {
    'web-1': { v4: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${OPENED}`), v6: without('mosh') },
    'web-2': { v4: without('The public site'), v6: without('The public site') },
    'db-1': { v4: first('INPUT', '-p tcp -m tcp --dport 25 -j ACCEPT') },
  };
  const adoption = await adopted(changes);
  expect(adoption.hosts.map(({ host, taken, left }) => [host, taken.length, left.length])).toEqual([
    ['db-1', 1, 0],
    ['web-1', 2, 0],
    ['web-2', 1, 0],
  ]);
  const patches = parsePatch(adoptionPatch(adoption));
  expect(patches.map(({ oldFileName, newFileName }) => [oldFileName, newFileName])).toEqual(
    adoption.files.map(({ path }) => [`a/${path}`, `b/${path}`]),
  );
  for (const [index, { before: old, after: now }] of adoption.files.entries())
    expect(applyPatch(old, patches[index] ?? '')).toBe(now);
  const text = policyOf(adoption, 'policies/hosts/others.yml');
  expect(text).toContain('# no role');
  expect(text).toContain('addresses: [192.0.2.2, "2001:db8::2"]');
  const plan = await planned(adoption, changes);
  for (const { traffic } of plan.hosts) expect(traffic?.opened).toEqual([]);
});

test('hosts that cannot be read have their status, and a clean fleet changes nothing', async () => {
  const fleet = fleetOf(FILES);
  const [text] = Object.values(deployed());
  const pending = { run: 'r', phase: 'verify', owner: 'anna', since: '', secondsLeft: 9 } as const;
  const port = modelFleet({
    'web-1': modelHost({ behaviour: 'unreachable' }),
    'web-2': modelHost({ ...(text && { live: text }), state: { record: { history: [], pending } } }),
    'db-1': modelHost({ behaviour: 'unreadable' }),
  });
  const options = { date: '2027-01-01' };
  const adoption = await adoptFleet(fleet, new Map(Object.entries(FILES)), fleet.hosts, port, options);
  expect(adoption.files).toEqual([]);
  expect(adoption.hosts.map(({ host, status }) => [host, status])).toEqual([
    ['db-1', 'error'],
    ['web-1', 'unreachable'],
    ['web-2', 'busy'],
  ]);
  expect(await adopted({})).toEqual({ version: 1, date: '2027-01-01', hosts: [], files: [] });
  expect(adoptionPatch(await adopted({}))).toBe('');
});
