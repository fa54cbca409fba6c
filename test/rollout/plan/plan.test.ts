import { describe, expect, test } from '@jest/globals';
import { renderRuleset } from '../../../src/compile/render.js';
import { compileHost } from '../../../src/compile/rules/compile.js';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { fleetOf } from '../fleet.js';
import { EMPTY, type ModelHost, modelFleet, modelHost } from '../model-host.js';

const DOCKER = `*filter
:INPUT ACCEPT [12:3456]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
`;

async function planOf(hosts: Readonly<Record<string, Partial<ModelHost>>>, fleet = fleetOf()) {
  const client = modelFleet(
    Object.fromEntries(fleet.hosts.map(({ name }) => [name, modelHost(hosts[name] ?? {})])),
  );
  return planFleet(fleet, fleet.hosts, client, { commit: 'abc' });
}
const web1 = async (host: Partial<ModelHost>, fleet = fleetOf()) => {
  const plan = await planOf({ 'web-1': host }, fleet);
  const [found] = plan.hosts;
  if (found === undefined) throw new Error('no host');
  return found;
};
const ids = ({ findings }: { readonly findings: readonly { readonly id: string }[] }) =>
  findings.map(({ id }) => id);

describe('the plan of a host', () => {
  test('has the rules, the traffic, the proof and the digests', async () => {
    const host = await web1({});
    expect(host).toMatchObject({
      status: 'changed',
      live: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      next: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      lockout: { verdict: 'proved', accepted: false },
      traffic: { equal: false, proved: true },
    });
    expect(host.live).not.toBe(host.next);
    const added = host.rules?.v4.added ?? [];
    expect(added.map(({ text }) => text)).toContain('-P INPUT DROP');
    expect(added.some(({ source }) => source?.file === 'policies/roles/web.yml')).toBe(true);
    expect(host.rules?.v6.added.length).toBeGreaterThan(0);
  });

  test('leaves foreign rules alone and counts them', async () => {
    const host = await web1({ live: { ...EMPTY, v4: DOCKER } });
    expect(host.foreign).toEqual({ chains: expect.arrayContaining(['DOCKER', 'DOCKER-USER']), rules: 4 });
    const removed = host.rules?.v4.removed ?? [];
    expect(removed.every(({ text }) => text.startsWith('-P '))).toBe(true);
  });

  test('with `ownership: tables`, removes rules of a program only where the policy names it', async () => {
    const tables = (more: string) => fleetOf({ more: `ownership: tables\n${more}` });
    const live = { ...EMPTY, v4: DOCKER };
    const refused = await web1({ live }, tables(''));
    expect(refused.findings.filter(({ level }) => level === 'error').map(({ id }) => id)).toEqual(
      Array(4).fill('removes-program'),
    );
    const named = await web1({ live }, tables('may_remove: [docker]\n'));
    expect(ids(named)).toContain('removes-foreign');
    expect(named.findings.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('has one note for removed rules whose effect the policy keeps', async () => {
    const fleet = fleetOf({ more: 'ownership: tables\n' });
    const [host] = fleet.hosts;
    const compiled = host && compileHost(fleet, host);
    if (!compiled?.ok) throw new Error('the fleet does not compile');
    const text = renderRuleset(compiled.value);
    const old = '-A INPUT -s 192.0.2.77/32 -j DROP\n-A INPUT -s 192.0.2.78/32 -j DROP\nCOMMIT';
    const plan = await web1({ live: { ...text, v4: text.v4.replace('COMMIT', old) } }, fleet);
    expect(plan.traffic?.equal).toBe(true);
    expect(plan.findings.filter(({ id }) => id === 'takes-over').map(({ message }) => message)).toEqual([
      '2 unmanaged rules are replaced by the policy; every packet keeps its verdict.',
    ]);
    expect(ids(plan)).not.toContain('removes-foreign');
  });

  test('has findings about the state of the host', async () => {
    const plain = await web1({});
    expect(ids(plain)).toEqual(['saved-missing']);
    const stranger = await web1({ state: { facts: { ...(await factsOf()), client: '198.51.100.7' } } });
    expect(ids(stranger)).toContain('runner-not-admin');
    const disabled = await web1({
      state: { boot: { loader: 'netfilter-persistent', enabled: false, paths: EMPTY } },
    });
    expect(ids(disabled)).toContain('boot-disabled');
    const none = await web1({ state: { boot: { loader: 'none', enabled: false, paths: EMPTY } } });
    expect(ids(none)).toContain('no-boot-loader');
    const pending = await web1({
      state: {
        record: {
          history: [],
          pending: { run: 'r', phase: 'verify', owner: 'anna@laptop', since: '', secondsLeft: 12 },
        },
      },
    });
    expect(pending.findings.find(({ id }) => id === 'pending-transaction')?.message).toContain('anna@laptop');
  });

  test('a saved file that does not load is an error', async () => {
    const host = await web1({ saved: { v4: '*filter\n-A INPUT -j\nCOMMIT\n' } });
    expect(host.findings.find(({ id }) => id === 'saved-unreadable')?.level).toBe('error');
  });

  test('a runner that would lock itself out is no proof', async () => {
    const facts = { ...(await factsOf()), client: '198.51.100.7' };
    const host = await web1({ state: { facts } });
    expect(host.lockout?.verdict).toBe('violated');
  });
});

describe('hosts that cannot be read', () => {
  test('are never unchanged, and say why', async () => {
    const plan = await planOf({
      'web-1': { behaviour: 'unreachable' },
      'web-2': { behaviour: 'unreadable' },
      'web-3': { live: { ...EMPTY, v4: '*filter\nnonsense\nCOMMIT\n' } },
    });
    expect(plan.hosts.map(({ host, status, reason }) => [host, status, reason])).toEqual([
      ['web-1', 'unreachable', 'It did not answer.'],
      ['web-2', 'error', 'sudo asks for a password.'],
      ['web-3', 'error', expect.stringContaining('web-3 live')],
      ['web-4', 'changed', undefined],
    ]);
  });
});

describe('the digest of a plan', () => {
  test('is the same for the same states, whatever the counters', async () => {
    const counted = DOCKER.replaceAll('[0:0]', '[7:99]');
    const [one, other] = await Promise.all([
      planOf({ 'web-1': { live: { ...EMPTY, v4: DOCKER } } }),
      planOf({ 'web-1': { live: { ...EMPTY, v4: counted } } }),
    ]);
    expect(one.digest).toBe(other.digest);
  });

  test('is another for another live state, another policy, and a host that was not read', async () => {
    const plans = await Promise.all([
      planOf({}),
      planOf({ 'web-1': { live: { ...EMPTY, v4: DOCKER } } }),
      planOf({}, fleetOf({ web: '  - {allow: tcp/8443, from: any, reason: Preview}\n' })),
      planOf({ 'web-1': { behaviour: 'unreachable' } }),
    ]);
    expect(new Set(plans.map(({ digest }) => digest)).size).toBe(4);
  });
});

async function factsOf() {
  const fleet = fleetOf();
  const [host] = fleet.hosts;
  if (host === undefined) throw new Error('no host');
  const reading = await modelFleet({ [host.name]: modelHost() }).read(host);
  if (reading.status !== 'read') throw new Error('unread');
  return reading.state.facts;
}
