import type { Fleet, Guard, Host, PolicyTest } from '../../../src/policy/fleet.js';
import { proveGuards, runPolicyTests } from '../../../src/traffic/questions/guards.js';
import { host, ruleset } from '../rules.js';

const LOCATION = { kind: 'policy' as const, file: 'policies/fleet.yml', line: 20, column: 5 };
const ANYWHERE = { names: ['any'], any: true, v4: [], v6: [] };
const APP = { names: ['app'], any: false, v4: ['10.10.0.0/16'], v6: [] };
const GUARD: Guard = {
  name: 'The database is never open to the world',
  on: ['db-1'],
  verdict: 'drop',
  services: [{ kind: 'ports', protocol: 'tcp', ports: [{ from: 5432, to: 5432 }] }],
  from: ANYWHERE,
  except: APP,
  location: LOCATION,
};
const DB = { name: 'db-1', addresses: ['10.10.4.2'] } as unknown as Host;
const fleet = (guards: readonly Guard[], tests: readonly PolicyTest[] = []): Fleet =>
  ({ guards, tests }) as unknown as Fleet;
const POSTGRES = '-A INPUT -s 10.10.0.0/16 -p tcp -m tcp --dport 5432 -m conntrack --ctstate NEW -j ACCEPT';
const prove = (guard: Guard, ...rules: readonly string[]) =>
  proveGuards(fleet([guard]), DB, ruleset({ v4: host(...rules), v6: host() }));

test('a guard that holds has no problem', () => {
  expect(prove(GUARD, POSTGRES)).toEqual([]);
  expect(prove({ ...GUARD, on: ['web-1'] }, POSTGRES.replace('10.10.0.0/16', '0.0.0.0/0'))).toEqual([]);
});

test('a broken guard names a packet, the rule and its line', () => {
  expect(prove(GUARD, POSTGRES.replace('-s 10.10.0.0/16 ', ''))).toMatchObject([
    {
      id: 'guard-broken',
      level: 'error',
      message:
        'The guard "The database is never open to the world" does not hold on db-1: tcp 198.51.100.7:40000 to 10.10.4.2:5432 is accepted, by "-A INPUT -p tcp -m tcp --dport 5432 -m conntrack --ctstate NEW -j ACCEPT" (filter) at rules.v4:7.',
      location: LOCATION,
    },
  ]);
});

test('one address too many breaks a guard', () => {
  const [problem] = prove(GUARD, POSTGRES, POSTGRES.replace('10.10.0.0/16', '10.11.7.9/32'));
  expect(problem?.message).toContain('tcp 10.11.7.9:40000 to 10.10.4.2:5432 is accepted');
});

test('a guard that depends on a limit is not proven', () => {
  const limited = POSTGRES.replace('-s 10.10.0.0/16 ', '').replace('-j', '-m limit --limit 1/sec -j');
  expect(prove(GUARD, limited)).toMatchObject([
    { id: 'guard-not-proven', message: expect.stringContaining('depends on "-m limit --limit 1/sec"') },
  ]);
});

test('a guard with verdict accept breaks where packets are dropped', () => {
  const open: Guard = { ...GUARD, name: 'The application reaches it', verdict: 'accept', from: APP };
  const { except: _, ...accept } = open;
  expect(prove(accept, POSTGRES)).toEqual([]);
  expect(prove(accept)).toMatchObject([
    { id: 'guard-broken', message: expect.stringContaining('is dropped') },
  ]);
});

describe('policy tests', () => {
  const check: PolicyTest = {
    name: 'The application reads',
    on: ['db-1'],
    packet: { hook: 'INPUT', src: '10.10.0.9', dst: '10.10.4.2', protocol: 'tcp', dport: 5432 },
    verdict: 'accept',
    location: LOCATION,
  };
  const run = (one: PolicyTest, ...rules: readonly string[]) =>
    runPolicyTests(fleet([], [one]), DB, ruleset({ v4: host(...rules), v6: host() }));

  test('pass without a problem', () => {
    expect(run(check, POSTGRES)).toEqual([]);
  });

  test('name the deciding rule when they fail', () => {
    expect(run(check)).toMatchObject([
      {
        id: 'policy-test-failed',
        message:
          'The test "The application reads" expects accept on db-1, but tcp 10.10.0.9 to 10.10.4.2:5432 is dropped, by "-A INPUT -j DROP" (filter) at rules.v4:8.',
      },
    ]);
  });

  test('report a packet with an unknown field', () => {
    expect(run({ ...check, packet: { ...check.packet, sprot: 1 } }, POSTGRES)).toMatchObject([
      { id: 'bad-packet', location: LOCATION },
    ]);
  });
});
