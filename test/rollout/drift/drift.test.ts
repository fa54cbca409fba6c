import { beforeAll, describe, expect, test } from '@jest/globals';
import type { RulesText } from '../../../src/netfilter/model.js';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { driftFleet } from '../../../src/rollout/drift/drift.js';
import type { HostDrift } from '../../../src/rollout/results/model.js';
import { fleetOf } from '../fleet.js';
import { type ModelHost, modelFleet, modelHost } from '../model-host.js';

const HOSTS = '\n  web-1: { addresses: [192.0.2.1, "2001:db8::1"], roles: [web] }\n';
const MANY = '  - {allow: tcp/9100, from: [10.1.0.0/16, 10.3.0.0/16], reason: Metrics}\n';
const fleet = fleetOf({ hosts: HOSTS });
let deployed: RulesText;

beforeAll(async () => {
  const client = modelFleet({ 'web-1': modelHost() });
  await deployFleet(fleet, fleet.hosts, client, { owner: 'test' });
  deployed = client.hosts.get('web-1')?.live ?? deployed;
});

async function driftOf(change: Partial<ModelHost>, policy = fleet): Promise<HostDrift> {
  const host = modelHost({ live: deployed, saved: deployed, ...change });
  const drift = await driftFleet(policy, policy.hosts, modelFleet({ 'web-1': host }));
  const [found] = drift.hosts;
  if (found === undefined) throw new Error('no host');
  return found;
}
const edited = (edit: (v4: string) => string): RulesText => ({ ...deployed, v4: edit(deployed.v4) });
const kinds = (items: HostDrift['live']) => items.map(({ kind }) => kind);

test('a host whose live rules, saved files and boot are as in the policy is clean', async () => {
  expect(await driftOf({})).toMatchObject({ status: 'clean', live: [], saved: [], boot: [] });
});

describe('live rules', () => {
  test('a missing rule is reported with its line in the policy', async () => {
    const drift = await driftOf({ live: edited((v4) => v4.replace(/^.*The public site.*\n/m, '')) });
    expect(drift).toMatchObject({ status: 'drifted', saved: [] });
    expect(drift.live).toEqual([
      {
        kind: 'missing',
        family: 'v4',
        message: 'A rule is missing from SALLYPORT-INPUT.',
        rule: expect.stringContaining('The public site'),
        source: expect.objectContaining({ file: 'policies/roles/web.yml', line: 2 }),
      },
    ]);
  });

  test('a rule that someone added to an owned chain is extra', async () => {
    const extra = '-A SALLYPORT-INPUT -p tcp -m tcp --dport 5432 -j ACCEPT\n';
    const drift = await driftOf({ live: edited((v4) => v4.replace(/COMMIT\n$/, `${extra}COMMIT\n`)) });
    expect(kinds(drift.live)).toEqual(['extra']);
    expect(drift.live[0]?.rule).toBe(extra.trim());
  });

  test('a changed chain policy is reported as a policy', async () => {
    const drift = await driftOf({ live: edited((v4) => v4.replace(':INPUT DROP', ':INPUT ACCEPT')) });
    expect(drift.live).toEqual([
      { kind: 'policy', family: 'v4', message: 'The policy of INPUT is not DROP.' },
    ]);
  });

  test('a rule added by hand above the entry jump is a bypass', async () => {
    const opened = '-A INPUT -p tcp -m tcp --dport 5432 -j ACCEPT\n';
    const drift = await driftOf({ live: edited((v4) => v4.replace(/^-A INPUT/m, `${opened}-A INPUT`)) });
    expect(kinds(drift.live)).toContain('bypass');
  });

  test('D6 unmanaged rules are ignored and counted', async () => {
    const foreign = ':f2b-sshd - [0:0]\n';
    const rules = '-A f2b-sshd -s 198.51.100.9/32 -j REJECT --reject-with icmp-port-unreachable\n';
    const drift = await driftOf({
      live: edited((v4) => v4.replace(/^-A/m, `${foreign}-A`).replace(/COMMIT\n$/, `${rules}COMMIT\n`)),
    });
    expect(drift).toMatchObject({ status: 'clean', ignored: { chains: 1, rules: 1 } });
  });

  test('an expired rule is reported as expired', async () => {
    const rule = '  - {allow: tcp/8443, from: any, reason: Preview, expires: 2026-12-31}\n';
    const policy = fleetOf({ hosts: HOSTS, web: rule });
    const clean = await driftOf({}, policy);
    expect(clean.status).toBe('clean');
    const before = fleetOf({ hosts: HOSTS, web: rule.replace('2026-12-31', '2027-12-31') });
    const client = modelFleet({ 'web-1': modelHost() });
    await deployFleet(before, before.hosts, client, { owner: 'test' });
    const live = client.hosts.get('web-1')?.live ?? deployed;
    const drift = await driftOf({ live, saved: live }, policy);
    expect(drift.live.length).toBeGreaterThan(0);
    for (const item of drift.live)
      expect(item).toMatchObject({
        kind: 'expired',
        message: expect.stringContaining('2026-12-31'),
        source: { file: 'policies/roles/web.yml', line: 3 },
      });
  });
});

test('a set with other options is reported with both', async () => {
  const policy = fleetOf({ hosts: HOSTS, more: 'sets_from: 2\n', web: MANY });
  const client = modelFleet({ 'web-1': modelHost() });
  await deployFleet(policy, policy.hosts, client, { owner: 'test' });
  const live = client.hosts.get('web-1')?.live ?? deployed;
  const sets = live.sets.replace('maxelem 65536', 'maxelem 65536 timeout 600');
  const drift = await driftOf({ live: { ...live, sets }, saved: live }, policy);
  expect(drift.live).toEqual([
    {
      kind: 'set',
      message: expect.stringMatching(
        /was created as "hash:net family inet maxelem 65536 timeout 600" instead of "hash:net family inet maxelem 65536"/,
      ),
    },
  ]);
});

test('expired and soon expiring rules are reported as due and are not drift', async () => {
  const rule = (day: string) => `  - {allow: tcp/8443, from: any, reason: Preview, expires: ${day}}\n`;
  const dueOf = async (web: string) => {
    const policy = fleetOf({ hosts: HOSTS, web });
    const client = modelFleet({ 'web-1': modelHost() });
    await deployFleet(policy, policy.hosts, client, { owner: 'test' });
    const { hosts, due } = await driftFleet(policy, policy.hosts, client);
    expect(hosts[0]?.status).toBe('clean');
    return due;
  };
  const source = expect.objectContaining({ file: 'policies/roles/web.yml', line: 3 });
  expect(await dueOf(rule('2027-01-05'))).toEqual([
    expect.objectContaining({ id: 'expires-soon', message: 'The rule is valid until 2027-01-05.', source }),
  ]);
  expect(await dueOf(rule('2026-12-31'))).toEqual([expect.objectContaining({ id: 'expired', source })]);
  expect(await dueOf(rule('2027-12-31'))).toBeUndefined();
});

describe('D5 what would load at boot', () => {
  test('a missing file', async () => {
    const drift = await driftOf({ saved: {} });
    expect(drift).toMatchObject({ status: 'drifted', live: [] });
    expect(drift.saved).toEqual([
      expect.objectContaining({
        kind: 'file',
        family: 'v4',
        message: expect.stringContaining('/etc/iptables/rules.v4 is missing'),
      }),
      expect.objectContaining({ kind: 'file', family: 'v6' }),
    ]);
  });

  test('a file with other rules, or one that does not load', async () => {
    const other = await driftOf({ saved: edited((v4) => v4.replace(/^.*The public site.*\n/m, '')) });
    expect(kinds(other.saved)).toEqual(['missing']);
    const broken = await driftOf({ saved: { ...deployed, v4: 'nonsense\n' } });
    expect(kinds(broken.saved)).toEqual(['file']);
  });

  test('a loader that is not enabled', async () => {
    const boot = { loader: 'netfilter-persistent', enabled: false, paths: deployed } as const;
    const drift = await driftOf({ state: { boot } });
    expect(drift).toMatchObject({
      status: 'drifted',
      live: [],
      saved: [],
      boot: [{ kind: 'boot', message: 'netfilter-persistent is not enabled: a reboot would load no rules.' }],
    });
  });
});

describe('hosts that cannot be read', () => {
  test('D1 do not hide the others', async () => {
    const policy = fleetOf();
    const opened = edited((v4) => v4.replace(':INPUT DROP', ':INPUT ACCEPT'));
    const client = modelFleet({
      'web-1': modelHost({ behaviour: 'unreadable' }),
      'web-2': modelHost({ behaviour: 'unreachable' }),
      'web-3': modelHost({ live: opened }),
      'web-4': modelHost({ live: deployed, saved: deployed }),
    });
    const { hosts } = await driftFleet(policy, policy.hosts, client);
    expect(hosts.map(({ status }) => status)).toEqual(['error', 'unreachable', 'drifted', 'clean']);
  });

  test('are separate from those that drifted', async () => {
    expect(await driftOf({ behaviour: 'unreachable' })).toMatchObject({
      status: 'unreachable',
      reason: 'It did not answer.',
    });
    expect(await driftOf({ behaviour: 'unreadable' })).toMatchObject({ status: 'error' });
  });

  test('D4 a host that is being changed is busy, not drifted', async () => {
    const pending = {
      run: 'r',
      phase: 'verify',
      owner: 'anna@laptop',
      since: '',
      secondsLeft: 12,
    } as const;
    expect(
      await driftOf({ live: modelHost().live, state: { record: { history: [], pending } } }),
    ).toMatchObject({
      status: 'busy',
      reason: 'anna@laptop is changing this host (verify); try again in 12 s.',
      live: [],
    });
  });
});
