/** What a plan says of flows and listeners that a host has now. */
import { describe, expect, test } from '@jest/globals';
import type { Activity, CurrentFlow, Listener } from '../../../src/host/client.js';
import { formatProblem } from '../../../src/lib/problem.js';
import type { Host } from '../../../src/policy/fleet.js';
import { impactOf } from '../../../src/rollout/plan/impact.js';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { fleetOf, hostsOf, TIERS } from '../../map/fleet.js';
import { host as hostRules, ruleset, table } from '../../traffic/rules.js';
import { fleetOf as policyOf } from '../fleet.js';
import { modelFleet, modelHost } from '../model-host.js';

const OPEN = ruleset({ v4: table('filter', []), v6: table('filter', []) });
const ADDRESSES = ['192.0.2.1', '2001:db8::1'];

const flow = (peer: string, port: number, more: Partial<CurrentFlow> = {}): CurrentFlow => ({
  direction: 'in',
  protocol: 'tcp',
  peer,
  port,
  count: 1,
  ...more,
});
const on = (port: number, protocol: Listener['protocol'] = 'tcp'): Listener => ({
  protocol,
  port,
  families: ['v4', 'v6'],
});
const BUSY = [on(22), on(80), on(443)];

interface Doing {
  readonly flows?: readonly CurrentFlow[];
  readonly listening?: readonly Listener[];
  readonly tracked?: boolean;
  readonly more?: boolean;
}

/** web-1, to which everybody has http and https, administrators have ssh, and nobody anything else. */
function impact(
  { flows = [], listening = BUSY, tracked = true, more = false }: Doing,
  files: Readonly<Record<string, string>> = {},
  before = OPEN,
): readonly string[] {
  const fleet = fleetOf({ ...TIERS, ...files });
  const web = hostsOf(fleet).find((one) => one.host.name === 'web-1');
  if (web === undefined) throw new Error('no web-1');
  const activity: Activity = { flows, listening, tracked, more };
  return impactOf(fleet, {
    host: web.host as Host,
    activity,
    addresses: ADDRESSES,
    before,
    next: web.ruleset,
  }).map(formatProblem);
}

describe('current peers', () => {
  test('are named or counted when the rules refuse them, and their flows stay open', () => {
    const flows = [
      flow('10.20.30.7', 5432, { count: 3 }),
      flow('192.0.2.2', 5432),
      flow('198.51.100.7', 5432),
      flow('198.51.100.8', 5432),
      flow('192.168.7.7', 5432),
      flow('2001:db8:a::9', 5432),
      flow('198.51.100.9', 443, { count: 900 }),
    ];
    expect(impact({ flows, listening: [...BUSY] })).toEqual([
      'warning: In use now: tcp/5432 from 192.168.7.7, admin, monitoring, web-2 and 2 other addresses (8 flows); new connections will be refused. 8 established flows will stay open until they end: the rules accept packets of established connections (policies/hosts/all.yml:2). Allow tcp/5432 from them if they still need it.',
    ]);
  });

  test('no stranger is named, in however many rows', () => {
    const flows = Array.from({ length: 300 }, (_, index) =>
      flow(`198.51.${index >> 8}.${index & 255}`, 8080 + (index % 3)),
    );
    const messages = impact({ flows }).join('\n');
    expect(messages).toContain('In use now: tcp/8080 from 100 addresses (100 flows)');
    expect(messages).not.toMatch(/198\.51\./);
  });

  test('that were refused before as well are separate', () => {
    const before = ruleset({ v4: hostRules() });
    expect(impact({ flows: [flow('10.20.30.7', 5432)] }, {}, before)).toEqual([
      expect.stringContaining(
        'note: Open flows that no rule allows, before or after: tcp/5432 from monitoring (1 flow). 1 established flow will stay open until it ends',
      ),
    ]);
  });

  test('allowed by a rule with a rate or an interface are not reported', () => {
    const hosts = (rule: string): Record<string, string> => ({
      'hosts/all.yml': `${TIERS['hosts/all.yml']}`.replace(
        'roles: [web]}',
        `roles: [web], interfaces: {inside: eth1}, input: [${rule}]}`,
      ),
    });
    const flows = [flow('198.51.100.7', 5432)];
    const listening = [...BUSY, on(5432)];
    expect(
      impact({ flows, listening }, hosts('{allow: postgres, from: any, rate: 5/minute, reason: R}')),
    ).toEqual([]);
    expect(
      impact({ flows, listening }, hosts('{allow: postgres, from: any, in: inside, reason: R}')),
    ).toEqual([]);
  });

  test('may lose their flows without connection tracking', () => {
    expect(impact({ flows: [flow('10.20.30.7', 5432)], tracked: false })[0]).toContain(
      'Connection tracking does not have this flow: it may be cut.',
    );
  });

  test('are cut where the rules do not accept packets of established connections', () => {
    const fleet = fleetOf();
    const next = ruleset({
      v4: table('filter', ['-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT', '-A INPUT -j DROP']),
    });
    const activity: Activity = {
      flows: [flow('10.20.30.7', 5432)],
      listening: [on(22)],
      tracked: true,
      more: false,
    };
    const [host] = fleet.hosts;
    const messages = impactOf(fleet, {
      host: host as Host,
      activity,
      addresses: ADDRESSES,
      before: OPEN,
      next,
    });
    expect(messages[0]?.message).toContain(
      'It will be cut: the rules do not accept packets of established connections.',
    );
  });

  test('of outgoing flows are reported where output is denied', () => {
    const hosts = `${TIERS['hosts/all.yml']}`.replace(
      'roles: [web]}',
      'roles: [web], baseline: {output: drop}}',
    );
    const flows = [
      flow('198.51.100.7', 443, { direction: 'out', count: 2 }),
      flow('10.20.30.7', 514, { direction: 'out', protocol: 'udp' }),
    ];
    expect(impact({ flows }, { 'hosts/all.yml': hosts })).toEqual([
      expect.stringContaining('In use now: tcp/443 to 1 address (2 flows); new connections will be refused.'),
      expect.stringContaining('In use now: udp/514 to monitoring (1 flow)'),
    ]);
  });

  test('are counted with "at least" where the host had more than it listed', () => {
    expect(impact({ flows: [flow('10.20.30.7', 5432)], more: true })[0]).toContain('(at least 1 flow)');
  });

  test('of a snapshot are networks; one that is allowed in part is not reported', () => {
    const listening = [...BUSY];
    expect(impact({ flows: [flow('203.0.113.0/24', 22)], listening })).toEqual([]);
    expect(impact({ flows: [flow('198.51.100.0/24', 22)], listening })).toEqual([
      expect.stringContaining('In use now: tcp/22 from 1 network (1 flow)'),
    ]);
  });
});

describe('listening ports', () => {
  const ports = [...BUSY, on(8080), on(111, 'udp'), on(41641, 'udp')];

  test('that nobody can reach any more are reported, without sockets of UDP clients', () => {
    expect(impact({ listening: ports })).toEqual([
      'note: The host listens on tcp/8080 and udp/111, which nobody can reach any more. Allow it from the peers that need it, or stop the service.',
    ]);
  });

  test('that nobody could reach before either are reported', () => {
    expect(impact({ listening: ports }, {}, ruleset({ v4: hostRules(), v6: hostRules() }))).toEqual([
      'note: The host listens on tcp/8080 and udp/111, which nobody can reach, before or after.',
    ]);
  });

  test('include that of a DHCPv6 client, without which the host loses its address hours later', () => {
    const listening = [...BUSY, { protocol: 'udp', port: 546, families: ['v6'] } as const];
    expect(impact({ listening })).toEqual([
      'warning: A DHCPv6 client runs on this host (udp/546), and its replies will be dropped: the host loses its IPv6 address when the lease ends. Allow dhcpv6-client from link-local.',
    ]);
    const lease =
      'input:\n  - {allow: web, from: any, reason: The site}\n  - {allow: dhcpv6-client, from: link-local, reason: Leases}\n';
    expect(impact({ listening }, { 'roles/web.yml': lease })).toEqual([]);
  });

  test('that nat redirects may be reached elsewhere', () => {
    const raw = `raw:
  - {table: nat, chain: PREROUTING, family: v4, rule: "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.9.9.9:80", reason: A container}
`;
    const files = { 'roles/web.yml': `${TIERS['roles/web.yml']}${raw}` };
    expect(impact({ listening: [...BUSY, on(8080)] }, files)).toEqual([]);
  });
});

describe('rules', () => {
  test('that allow ports where nothing listens are reported once for both families, at their line', () => {
    expect(impact({ listening: [on(22), on(443)] })).toEqual([
      'policies/roles/web.yml:2:6: note: This rule allows tcp/80, where nothing listens now. Remove it if the service is gone for good.',
    ]);
  });

  test('for long port ranges, whole protocols and protocols other than TCP and UDP are not reported', () => {
    const web = `input:
  - {allow: [web, mosh, esp], from: any, reason: The site}
  - {allow: any, from: office, reason: Trusted}
  - {allow: tcp/8000-8010, from: office, reason: Trusted}
`;
    expect(impact({ listening: [...BUSY, on(8005)] }, { 'roles/web.yml': web })).toEqual([]);
  });

  test('that redirect are not reported', () => {
    const web = `${TIERS['roles/web.yml']}nat:
  - {redirect: tcp/8443, target: 443, reason: Old links}
`;
    expect(impact({ listening: BUSY }, { 'roles/web.yml': web })).toEqual([]);
  });
});

test('a host whose rules have a loop has no findings about its flows', () => {
  const loop = ruleset({ v4: table('filter', ['-A INPUT -j A', '-A A -j B', '-A B -j A']) });
  expect(impact({ flows: [flow('10.20.30.7', 5432)], listening: [...BUSY, on(8080)] }, {}, loop)).toEqual([]);
});

test('a plan reads the activity of hosts unless the policy disables it', async () => {
  const asked: unknown[] = [];
  const state = { activity: { tracked: true, more: false, flows: [], listening: [on(8080)] } };
  const planOf = async (more: string) => {
    const fleet = policyOf({ more });
    const client = modelFleet(
      Object.fromEntries(fleet.hosts.map(({ name }) => [name, modelHost({ state })])),
    );
    const read: typeof client.read = (host, options) => {
      asked.push(options?.activity);
      return client.read(host, options);
    };
    const [first] = (await planFleet(fleet, fleet.hosts.slice(0, 1), { read })).hosts;
    return first?.findings.some(({ id }) => id === 'listens-for-nobody-now');
  };
  expect([await planOf(''), await planOf('plan: {activity: false}\n')]).toEqual([true, false]);
  expect(asked).toEqual([true, false]);
});
