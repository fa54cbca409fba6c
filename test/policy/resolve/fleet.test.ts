/** Resolved policies: names, defaults, order of rules. */
import { describe, expect, test } from '@jest/globals';
import { BASE, fleetOf, host } from '../policy.js';

const rules = (text: string, more = '') => ({ 'hosts/web-1.yml': host(`input:\n${text}`, more) });
const firstRule = (text: string) => fleetOf(rules(text)).hosts[0]?.input[0];

describe('addresses', () => {
  const setOf = (names: string) => {
    const set = firstRule(`  - deny: any\n    from: ${names}\n`)?.from;
    return { any: set?.any, v4: set?.v4 ?? [], v6: set?.v6 ?? [] };
  };

  test.each([
    ['any', { any: true, v4: [], v6: [] }],
    ['[0.0.0.0/0, "::/0"]', { any: true, v4: [], v6: [] }],
    ['0.0.0.0/0', { any: false, v4: ['0.0.0.0/0'], v6: [] }],
    ['192.0.2.1', { any: false, v4: ['192.0.2.1/32'], v6: [] }],
    ['"2001:DB8:0:0::1"', { any: false, v4: [], v6: ['2001:db8::1/128'] }],
    ['[10.0.1.0/24, 10.0.0.0/24, 10.0.0.7]', { any: false, v4: ['10.0.0.0/23'], v6: [] }],
    ['[10.0.1.0/24, 10.0.2.0/24]', { any: false, v4: ['10.0.1.0/24', '10.0.2.0/24'], v6: [] }],
    ['[192.0.2.0/24, 9.0.0.0/8]', { any: false, v4: ['9.0.0.0/8', '192.0.2.0/24'], v6: [] }],
    ['[app, six]', { any: false, v4: ['10.10.0.0/16'], v6: ['2001:db8:6::/48', '2001:db8:10::/48'] }],
    ['host:web-1', { any: false, v4: ['192.0.2.10/32'], v6: ['2001:db8:1::10/128'] }],
    ['private', { any: false, v4: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], v6: ['fc00::/7'] }],
    ['link-local', { any: false, v4: ['169.254.0.0/16'], v6: ['fe80::/10'] }],
    ['loopback', { any: false, v4: ['127.0.0.0/8'], v6: ['::1/128'] }],
  ])('%s', (names, set) => {
    expect(setOf(names)).toEqual(set);
  });

  test('a role has every address of its hosts, including hosts with a role that includes it', () => {
    const fleet = fleetOf({
      'roles/base.yml': 'description: x\n',
      'roles/web.yml': 'roles: [base]\n',
      'hosts/office.yml': 'address: 192.0.2.77\nroles: [base]\n',
      'hosts/z.yml': 'address: 192.0.2.99\ninput:\n  - {deny: any, from: role:base}\n',
    });
    expect(fleet.hosts.find(({ name }) => name === 'z')?.input[0]?.from).toEqual({
      names: ['role:base'],
      any: false,
      v4: ['192.0.2.10/32', '192.0.2.77/32'],
      v6: ['2001:db8:1::10/128'],
    });
  });

  test('internet has no private, loopback, link-local, multicast or reserved address', () => {
    const { v4, v6 } = setOf('internet');
    expect(v6).toEqual(['2000::/3']);
    expect(v4[0]).toBe('1.0.0.0/8');
    expect(v4.some((block) => /^(0|10|127|224|240)\./.test(block))).toBe(false);
    expect(v4).toEqual(expect.arrayContaining(['128.0.0.0/3', '172.0.0.0/12', '192.0.0.0/9']));
  });

  test('networks refer to networks', () => {
    const fleet = fleetOf({
      'networks.yml': `${BASE['networks.yml']}  all: [app, more]\n  more: [admin, 192.0.2.0/24]\n`,
    });
    expect(fleet.networks.get('all')?.v4).toEqual(['10.10.0.0/16', '192.0.2.0/24', '203.0.113.0/24']);
  });
});

describe('services', () => {
  const servicesOf = (names: string) => firstRule(`  - deny: ${names}\n`)?.services;

  test.each([
    ['https', [{ kind: 'ports', name: 'https', protocol: 'tcp', ports: [{ from: 443, to: 443 }] }]],
    ['udp/1000-2000', [{ kind: 'ports', protocol: 'udp', ports: [{ from: 1000, to: 2000 }] }]],
    [
      '"tcp/80,443"',
      [
        {
          kind: 'ports',
          protocol: 'tcp',
          ports: [
            { from: 80, to: 80 },
            { from: 443, to: 443 },
          ],
        },
      ],
    ],
    [
      'icmp/ping',
      [
        { kind: 'icmp', family: 'v4', type: '8' },
        { kind: 'icmp', family: 'v6', type: '128' },
      ],
    ],
    ['icmp/fragmentation-needed', [{ kind: 'icmp', family: 'v4', type: '3/4' }]],
    ['icmp/3/4', [{ kind: 'icmp', family: 'v4', type: '3/4' }]],
    ['icmpv6/packet-too-big', [{ kind: 'icmp', family: 'v6', type: '2' }]],
    [
      'icmp',
      [
        { kind: 'protocol', protocol: 'icmp' },
        { kind: 'protocol', protocol: 'ipv6-icmp' },
      ],
    ],
    ['protocol/47', [{ kind: 'protocol', protocol: 'gre' }]],
    ['protocol/253', [{ kind: 'protocol', protocol: '253' }]],
    ['esp', [{ kind: 'protocol', protocol: 'esp' }]],
    ['any', [{ kind: 'any' }]],
  ])('%s', (names, services) => {
    expect(servicesOf(names)).toEqual(services);
  });

  test('services outside the family of the addresses are removed from the rule', () => {
    const rule = firstRule('  - deny: icmp/ping\n    from: six\n');
    expect(rule?.services).toEqual([{ kind: 'icmp', family: 'v6', type: '128' }]);
  });
});

describe('rules', () => {
  test('a rule with every key', () => {
    const rule = fleetOf(
      rules(
        `  - allow: https
    from: app
    except: 10.10.9.0/24
    in: public
    rate: {limit: 10/second, burst: 20, per: source}
    log: true
    family: v4
    reason: >
      Two lines
      made one
    owner: Web
    ticket: OPS-1
    expires: 2026-06-15
`,
        'interfaces: {public: eth0}\n',
      ),
    ).hosts[0]?.input[0];
    expect(rule).toEqual({
      verb: 'allow',
      direction: 'input',
      origin: 'web-1',
      services: [{ kind: 'ports', name: 'https', protocol: 'tcp', ports: [{ from: 443, to: 443 }] }],
      from: { names: ['app'], any: false, v4: ['10.10.0.0/16'], v6: ['2001:db8:10::/48'] },
      to: { names: ['any'], any: true, v4: [], v6: [] },
      except: { names: ['10.10.9.0/24'], any: false, v4: ['10.10.9.0/24'], v6: [] },
      in: 'eth0',
      rate: { rate: { count: 10, per: 'second' }, burst: 20, perSource: true },
      log: true,
      family: 'v4',
      reason: 'Two lines made one',
      owner: 'Web',
      ticket: 'OPS-1',
      expires: '2026-06-15',
      location: { kind: 'policy', file: 'policies/hosts/web-1.yml', line: 4, column: 5 },
    });
  });

  test("the host's own rules come first, then those of its roles, each role before those it includes", () => {
    const role = (port: number, more = '') => `${more}input:\n  - deny: tcp/${port}\n`;
    const fleet = fleetOf({
      'roles/a.yml': role(1, 'roles: [c]\n'),
      'roles/b.yml': role(2, 'roles: [c]\n'),
      'roles/c.yml': role(3),
      'hosts/web-1.yml': host(role(9), 'roles: [b, a]\n'),
    });
    expect(fleet.hosts[0]?.roles).toEqual(['b', 'c', 'a']);
    expect(fleet.hosts[0]?.input.map(({ origin }) => origin)).toEqual(['web-1', 'b', 'c', 'a']);
  });

  test('a rule moves to expired on the day after its expiry', () => {
    const dated = (day: string) =>
      fleetOf(rules(`  - allow: https\n    reason: x\n    expires: ${day}\n`)).hosts[0];
    expect(dated('2026-06-15')).toMatchObject({ input: [{}], expired: [] });
    expect(dated('2026-06-14')).toMatchObject({ input: [], expired: [{ expires: '2026-06-14' }] });
  });

  test('interfaces in the rules of a role are mapped by each host', () => {
    const fleet = fleetOf({
      'roles/web.yml': 'input:\n  - {deny: http, in: public}\n',
      'hosts/web-1.yml': host('roles: [web]\n', 'interfaces: {public: eth0}\n'),
      'hosts/web-2.yml': 'address: 192.0.2.11\nroles: [web]\ninterfaces: {public: ens3}\n',
    });
    expect(fleet.hosts.map(({ input }) => input[0]?.in)).toEqual(['eth0', 'ens3']);
  });

  test('translations and literal rules', () => {
    const [web] = fleetOf({
      'hosts/web-1.yml': host(
        `nat:
  - {masquerade: any, from: private, out: public, reason: x}
  - {dnat: https, in: public, target: "[2001:DB8::5]:8443", reason: x}
  - {redirect: http, target: 3128, reason: x}
raw:
  - {rule: -p tcp -j DROP, chain: INPUT, reason: x}
  - {rule: -p tcp -j NOTRACK, table: raw, chain: PREROUTING, family: v6, reason: x}
`,
        'interfaces: {public: eth0}\n',
      ),
    }).hosts;
    expect(web?.nat).toMatchObject([
      { kind: 'masquerade', out: 'eth0', origin: 'web-1' },
      { kind: 'dnat', in: 'eth0', target: '[2001:db8::5]:8443' },
      { kind: 'redirect', target: '3128' },
    ]);
    expect(web?.raw).toMatchObject([
      { table: 'filter', chain: 'INPUT', families: ['v4', 'v6'], rule: '-p tcp -j DROP' },
      { table: 'raw', chain: 'PREROUTING', families: ['v6'] },
    ]);
  });
});

describe('settings', () => {
  test('the defaults', () => {
    const fleet = fleetOf();
    expect(fleet).toMatchObject({
      ownership: 'chains',
      setsFrom: 64,
      rollout: {
        canary: [],
        soakSeconds: 30,
        waves: [{ percent: 25 }, { percent: 100 }],
        parallel: 20,
        maxFailures: { count: 0 },
        confirmWithinSeconds: 60,
        onFailure: 'keep',
      },
    });
    expect(fleet.hosts[0]).toMatchObject({
      ssh: { user: 'deploy', port: 22, transport: 'builtin', bastions: [] },
      boot: { enable: false },
      baseline: {
        input: 'drop',
        forward: 'drop',
        output: 'accept',
        icmp: 'essential',
        log: { rate: { count: 5, per: 'minute' }, burst: 10, prefix: 'iptables-drop: ', level: 'warning' },
      },
    });
  });

  test('a host overrides single values', () => {
    const [web] = fleetOf({
      'fleet.yml':
        'version: 1\nssh: {user: deploy, bastion: {host: 203.0.113.5}}\nadmin: admin\nbaseline: {output: drop, log: {burst: 20}}\n',
      'hosts/web-1.yml': host('', 'ssh: {port: 2222}\nbaseline: {output: accept, log: {prefix: "x "}}\n'),
      'hosts/web-2.yml': 'address: 192.0.2.11\nbaseline: {log: false}\nssh: {bastion: [], user: root}\n',
    }).hosts;
    expect(web?.ssh).toMatchObject({
      user: 'deploy',
      port: 2222,
      bastions: [{ host: '203.0.113.5', user: 'deploy', port: 22 }],
    });
    expect(web?.baseline).toMatchObject({ output: 'accept', log: { burst: 20, prefix: 'x ' } });
  });

  test('a host can turn off logging and the bastion', () => {
    const fleet = fleetOf({
      'fleet.yml': 'version: 1\nssh: {user: deploy, bastion: {host: 203.0.113.5}}\nadmin: admin\n',
      'hosts/web-1.yml': host('', 'baseline: {log: false}\nssh: {bastion: []}\n'),
    });
    expect(fleet.hosts[0]?.baseline.log).toBeUndefined();
    expect(fleet.hosts[0]?.ssh.bastions).toEqual([]);
  });

  test('canary: role:NAME selects all its hosts, one-per-role the first of each role', () => {
    const hosts = {
      'roles/dns.yml': 'description: x\n',
      'hosts/a.yml': 'address: 192.0.2.1\nroles: [dns]\n',
      'hosts/b.yml': 'address: 192.0.2.2\nroles: [dns, web]\n',
    };
    const canary = (value: string) =>
      fleetOf({ ...hosts, 'fleet.yml': `${BASE['fleet.yml']}rollout: {canary: ${value}}\n` }).rollout.canary;
    expect(canary('role:web')).toEqual(['b', 'web-1']);
    expect(canary('[web-1, role:dns]')).toEqual(['a', 'b', 'web-1']);
    expect(canary('one-per-role')).toEqual(['a', 'b']);
  });

  test('a byte order mark and Windows line ends are accepted', () => {
    const windows = Object.fromEntries(
      Object.entries(BASE).map(([path, text]) => [path, `\uFEFF${text.replaceAll('\n', '\r\n')}`]),
    );
    expect(JSON.stringify(fleetOf(windows))).toBe(JSON.stringify(fleetOf()));
  });

  test('an alias has the value of its anchor', () => {
    const fleet = fleetOf({
      'networks.yml': 'networks:\n  admin: &office [203.0.113.0/24]\n  app: *office\n  six: *office\n',
    });
    expect(fleet.networks.get('app')).toEqual(fleet.networks.get('admin'));
  });
});
