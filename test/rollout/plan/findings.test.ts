/** What a plan says of the rules that others keep on a host. */
import { describe, expect, test } from '@jest/globals';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { DOCKER } from '../../compile/foreign.js';
import { fleetOf } from '../fleet.js';
import { EMPTY, modelFleet, modelHost } from '../model-host.js';

const HOSTS = '\n  web-1: { addresses: [192.0.2.1, "2001:db8::1"], roles: [web] }\n';

async function findings(v4: string, words: Parameters<typeof fleetOf>[0] = {}) {
  const fleet = fleetOf({ hosts: HOSTS, ...words });
  const client = modelFleet({ 'web-1': modelHost({ live: { ...EMPTY, v4 } }) });
  const [host] = (await planFleet(fleet, fleet.hosts, client, { commit: 'abc' })).hosts;
  return host?.findings ?? [];
}
const of = async (id: string, ...args: Parameters<typeof findings>) =>
  (await findings(...args)).filter((found) => found.id === id);

describe('a port that Docker publishes', () => {
  const ID = 'docker-published-port';

  test('is reachable by everyone, whatever the input rules are', async () => {
    expect(await of(ID, DOCKER)).toMatchObject([
      {
        level: 'warning',
        message: expect.stringMatching(
          /^Docker publishes tcp\/8080, and everyone reaches it: .* 172\.17\.0\.2 /,
        ),
        hint: expect.stringContaining(`accept: [{finding: ${ID}, `),
        source: { file: 'web-1 live v4', line: 12 },
      },
    ]);
  });

  test.each([
    [
      'it is published on the loopback address',
      DOCKER.replace('DOCKER ! -i docker0 -p', 'DOCKER -d 127.0.0.1/32 ! -i docker0 -p'),
      {},
    ],
    [
      'an administrator lets few to it',
      DOCKER.replace('-A DOCKER-USER -j', '-A DOCKER-USER ! -s 10.0.0.0/8 -j DROP\n-A DOCKER-USER -j'),
      {},
    ],
    ['the policy denies it', DOCKER, { web: 'forward:\n  - {deny: tcp/80, to: 172.17.0.0/16}\n' }],
    [
      'the policy allows it',
      DOCKER,
      { web: 'forward:\n  - {allow: tcp/80, to: 172.17.0.2, reason: The shop}\n' },
    ],
    ['the policy accepts it', DOCKER, { more: `accept: [{finding: ${ID}, reason: It is the shop}]` }],
    ['the role accepts it', DOCKER, { web: `accept: [{finding: ${ID}, reason: It is the shop}]\n` }],
  ])('is not reported when %s', async (_, live, words) => {
    expect(await of(ID, live, words)).toEqual([]);
  });
});

test('rules of administrators are linted', async () => {
  const live = '*filter\n-A FORWARD -m state --state NEW -j DROP\nCOMMIT\n';
  expect(await of('foreign-state', live)).toHaveLength(1);
});

test('unmanaged rules that drop essential traffic are reported', async () => {
  const live = '*mangle\n-A PREROUTING -i lo -j DROP\nCOMMIT\n';
  expect(await of('loopback-blocked', live)).toMatchObject([{ source: { file: 'web-1 live v4', line: 2 } }]);
  expect(await of('loopback-blocked', '*mangle\n-A PREROUTING -i eth9 -j DROP\nCOMMIT\n')).toEqual([]);
});

test('notes of the host are among the findings', async () => {
  const fleet = fleetOf({ hosts: HOSTS });
  const notes = [{ id: 'native-nft-rules', level: 'warning', message: 'Made with nft.' }] as const;
  const client = modelFleet({ 'web-1': modelHost({ state: { notes } }) });
  const [host] = (await planFleet(fleet, fleet.hosts, client, { commit: 'abc' })).hosts;
  expect(host?.findings).toContainEqual({ ...notes[0] });
});
