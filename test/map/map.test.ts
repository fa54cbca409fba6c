import { formatProblem } from '../../src/lib/problem.js';
import { mapFleet } from '../../src/map/fleet-map.js';
import { ruleset, table } from '../traffic/rules.js';
import { fleetOf, hostsOf, linesOf, mapOf, TIERS } from './fleet.js';

const ADMIN = [
  'network admin → host bastion: ssh (v4 hosts/all.yml:5)',
  'network admin → role db: ssh (hosts/all.yml:4)',
  'network admin → role web: ssh (hosts/all.yml:2 hosts/all.yml:3)',
];
const SITE = 'anywhere → role web: web (roles/web.yml:2)';
const ORDERS = 'role web → role db: postgres (roles/db.yml:2)';

test('roles, networks, a host without a role and everybody else, each flow with its lines', () => {
  const mapped = mapOf();
  expect(linesOf(mapped)).toEqual([SITE, ...ADMIN, ORDERS]);
  expect(mapped.map.nodes.map(({ id }) => id)).toEqual([
    'anywhere',
    'host bastion',
    'network admin',
    'role db',
    'role web',
  ]);
  expect(mapped.map.nodes.at(-1)).toEqual({
    id: 'role web',
    kind: 'role',
    name: 'web',
    hosts: ['web-1', 'web-2'],
  });
});

test('it is what the rules let through, not what the policy says: a deny before an allow counts', () => {
  const denied = `input:
  - {deny: postgres, from: host:web-2}
  - {allow: postgres, from: "role:web", reason: Orders}
  - {deny: redis, from: any}
  - {allow: redis, from: monitoring, reason: Never}
`;
  expect(linesOf(mapOf({ 'roles/db.yml': denied })).slice(4)).toEqual([
    'role web → role db: postgres (part roles/db.yml:3)',
  ]);
});

test('a rate and an interface are conditions, one host of several is named', () => {
  const hosts = TIERS['hosts/all.yml']?.replace(
    'roles: [db]}',
    'roles: [db], input: [{allow: tcp/9100, from: monitoring, rate: 10/minute, reason: Scrapes}]}',
  );
  const web = `${TIERS['hosts/all.yml']?.replace('roles: [web]}', 'roles: [web], input: [{allow: dns, from: monitoring, family: v4, reason: Names}]}')}`;
  expect(linesOf(mapOf({ 'hosts/all.yml': hosts ?? '' }))).toContain(
    'network monitoring → role db: node-exporter (v4 conditional hosts/all.yml:4)',
  );
  expect(linesOf(mapOf({ 'hosts/all.yml': web }))).toContain(
    'network monitoring → role web: dns (v4 web-1 hosts/all.yml:2)',
  );
});

test('all ports of a network are "everything", though others come in by some of them', () => {
  const any =
    'input:\n  - {allow: web, from: any, reason: Site}\n  - {allow: any, from: office, reason: Trusted}\n';
  expect(linesOf(mapOf({ 'roles/web.yml': any }))).toContain(
    'network office → role web: everything (v4 roles/web.yml:2 roles/web.yml:3)',
  );
});

test('what a locked host may send to others is in it; what is open to everybody is not', () => {
  const hosts = TIERS['hosts/all.yml']?.replace('roles: [db]}', 'roles: [db], baseline: {output: drop}}');
  const db = `${TIERS['roles/db.yml']}output:\n  - {allow: https, to: internet, reason: Updates}\n  - {allow: dns, to: 192.0.2.53, reason: Names}\n`;
  expect(linesOf(mapOf({ 'hosts/all.yml': hosts ?? '', 'roles/db.yml': db })).slice(4)).toEqual([
    'role db → addresses 192.0.2.53: dns (v4 roles/db.yml:5)',
    'role db → network internet: https (roles/db.yml:4)',
    ORDERS,
  ]);
});

test('a change: what it adds, removes and makes narrower', () => {
  const web =
    'input:\n  - {allow: https, from: any, reason: The site}\n  - {allow: ssh, from: office, reason: Repairs}\n';
  expect(linesOf(mapOf({ 'roles/web.yml': web }, {})).filter((line) => /^[-+~]/.test(line))).toEqual([
    '+ network office → role web: ssh (v4 roles/web.yml:3)',
    '- anywhere → role web: http (roles/web.yml:2)',
  ]);
  const narrower = 'input:\n  - {allow: postgres, from: host:web-1, reason: Orders}\n';
  expect(linesOf(mapOf({ 'roles/db.yml': narrower }, {}))).toContain(
    '~ role web → role db: postgres (part roles/db.yml:2)',
  );
});

test('a locked output removes what it closes, and adds nothing', () => {
  const hosts = TIERS['hosts/all.yml']?.replace('roles: [db]}', 'roles: [db], baseline: {output: drop}}');
  const db = `${TIERS['roles/db.yml']}output:\n  - {allow: https, to: internet, reason: Updates}\n`;
  const mapped = mapOf({ 'hosts/all.yml': hosts ?? '', 'roles/db.yml': db }, {});
  expect(linesOf(mapped).filter((line) => line.includes('role db →') || /^[-+~]/.test(line))).toEqual([
    'role db → network internet: https (roles/db.yml:4)',
    '- role db → anywhere: everything ()',
  ]);
});

test('a service for one host more of a role is told of that host alone', () => {
  const own = (host: string): string =>
    `${TIERS['hosts/all.yml']}`.replace(
      new RegExp(`(${host}: .*roles: \\[web\\])`),
      '$1, input: [{allow: dns, from: office, reason: Names}]',
    );
  const both = `${own('web-1')}`.replace(
    /(web-2: .*roles: \[web\])/,
    '$1, input: [{allow: dns, from: office, reason: Names}]',
  );
  const mapped = mapOf({ 'hosts/all.yml': both }, { 'hosts/all.yml': own('web-1') });
  expect(linesOf(mapped).filter((line) => line.includes('dns'))).toEqual([
    'network office → role web: dns (v4 web-1 hosts/all.yml:2)',
    '+ network office → role web: dns (v4 web-2 hosts/all.yml:3)',
  ]);
});

test('against live rules the names stay those of the policy', () => {
  const fleet = fleetOf();
  const open = hostsOf(fleet).map((one) => ({ ...one, ruleset: ruleset({ v4: table('filter', []) }) }));
  const { map } = mapFleet(fleet, hostsOf(fleet), { hosts: open });
  const changes = linesOf({ map, notes: [] }).filter((line) => line.startsWith('-'));
  expect(changes).toEqual([
    '- anywhere → host bastion: everything (v4)',
    '- anywhere → role db: everything ()',
    '- anywhere → role web: everything else ()',
  ]);
  // Administrators are among everybody: that they get in is no news.
  expect(map.edges.filter(({ from, change }) => from === 'network admin' && change === 'added')).toEqual([]);
});

test('a host whose rules lead in a circle is missing, and said to be', () => {
  const fleet = fleetOf();
  const loop = ruleset({ v4: table('filter', ['-A INPUT -j A', '-A A -j B', '-A B -j A']) });
  const hosts = hostsOf(fleet).map((one) => (one.host.name === 'web-2' ? { ...one, ruleset: loop } : one));
  const { map } = mapFleet(fleet, hosts);
  expect(map.missing).toEqual([{ host: 'web-2', why: expect.stringContaining('calls itself') }]);
  expect(linesOf({ map, notes: [] })).toContain('anywhere → role web: web (web-1 roles/web.yml:2)');
});

describe('one-sided flows', () => {
  const locked = {
    'hosts/all.yml': (TIERS['hosts/all.yml'] ?? '').replaceAll(
      'roles: [web]}',
      'roles: [web], baseline: {output: drop}}',
    ),
  };

  test('sent, but not let in: at the line that sends, with the line that refuses', () => {
    const web = `${TIERS['roles/web.yml']}output:\n  - {allow: [postgres, redis], to: "role:db", reason: Orders}\n`;
    const mapped = mapOf({ ...locked, 'roles/web.yml': web });
    expect(mapped.notes.map(formatProblem)).toEqual([
      'policies/roles/web.yml:4:6: note: web may send redis to db, but the rules of db do not let it in (policies/hosts/all.yml:4). Allow it in "input" of db, or take it out here.',
    ]);
    expect(linesOf(mapped)).toContain('role web → role db: redis (blocked roles/web.yml:4)');
  });

  test('let in, but not sent: the output of the other end is locked', () => {
    const mapped = mapOf(locked);
    expect(mapped.notes.map(formatProblem)).toEqual([
      'policies/roles/db.yml:2:6: note: db lets postgres in from web, but the rules of web do not let it out (policies/hosts/all.yml:2). Allow it in "output" of web, or take it out here.',
    ]);
    expect(linesOf(mapped)).toContain('role web → role db: postgres (blocked roles/db.yml:2)');
  });

  test('nobody asks that each host of a network take part, nor that a port of a range answers', () => {
    const web = `${TIERS['roles/web.yml']}output:
  - {allow: any, to: 192.0.2.0/24, reason: Neighbours}
  - {allow: tcp/5000-6000, to: "role:db", reason: Orders}
`;
    expect(mapOf({ ...locked, 'roles/web.yml': web }).notes).toEqual([]);
  });
});
