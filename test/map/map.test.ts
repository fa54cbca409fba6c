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

test('the nodes are roles, hosts without a role, networks and anywhere; each edge has its lines', () => {
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

test('the map follows the rules, not the policy: a deny before an allow counts', () => {
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

test('a rate or an interface makes an edge conditional; one host of several is named', () => {
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

test('all ports of a network are "everything", even where anywhere reaches some of them', () => {
  const any =
    'input:\n  - {allow: web, from: any, reason: Site}\n  - {allow: any, from: office, reason: Trusted}\n';
  expect(linesOf(mapOf({ 'roles/web.yml': any }))).toContain(
    'network office → role web: everything (v4 roles/web.yml:2 roles/web.yml:3)',
  );
});

test('output of a locked host is an edge, open output is not', () => {
  const hosts = TIERS['hosts/all.yml']?.replace('roles: [db]}', 'roles: [db], baseline: {output: drop}}');
  const db = `${TIERS['roles/db.yml']}output:\n  - {allow: https, to: internet, reason: Updates}\n  - {allow: dns, to: 192.0.2.53, reason: Names}\n`;
  expect(linesOf(mapOf({ 'hosts/all.yml': hosts ?? '', 'roles/db.yml': db })).slice(4)).toEqual([
    'role db → addresses 192.0.2.53: dns (v4 roles/db.yml:5)',
    'role db → network internet: https (roles/db.yml:4)',
    ORDERS,
  ]);
});

test('an edge is added, removed or changed', () => {
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

test('locking output removes an edge and adds none', () => {
  const hosts = TIERS['hosts/all.yml']?.replace('roles: [db]}', 'roles: [db], baseline: {output: drop}}');
  const db = `${TIERS['roles/db.yml']}output:\n  - {allow: https, to: internet, reason: Updates}\n`;
  const mapped = mapOf({ 'hosts/all.yml': hosts ?? '', 'roles/db.yml': db }, {});
  expect(linesOf(mapped).filter((line) => line.includes('role db →') || /^[-+~]/.test(line))).toEqual([
    'role db → network internet: https (roles/db.yml:4)',
    '- role db → anywhere: everything ()',
  ]);
});

test('a service for one more host of a role is an added edge of that host alone', () => {
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

test('the names are those of the policy when compared with live rules', () => {
  const fleet = fleetOf();
  const open = hostsOf(fleet).map((one) => ({ ...one, ruleset: ruleset({ v4: table('filter', []) }) }));
  const { map } = mapFleet(fleet, hostsOf(fleet), { hosts: open });
  const changes = linesOf({ map, notes: [] }).filter((line) => line.startsWith('-'));
  expect(changes).toEqual([
    '- anywhere → host bastion: everything (v4)',
    '- anywhere → role db: everything ()',
    '- anywhere → role web: everything else ()',
  ]);
  // Anywhere includes the administrators: that they get in is not a change.
  expect(map.edges.filter(({ from, change }) => from === 'network admin' && change === 'added')).toEqual([]);
});

test('a host whose rules form a loop is listed as missing', () => {
  const fleet = fleetOf();
  const loop = ruleset({ v4: table('filter', ['-A INPUT -j A', '-A A -j B', '-A B -j A']) });
  const hosts = hostsOf(fleet).map((one) => (one.host.name === 'web-2' ? { ...one, ruleset: loop } : one));
  const { map } = mapFleet(fleet, hosts);
  expect(map.missing).toEqual([{ host: 'web-2', why: expect.stringContaining('calls itself') }]);
  expect(linesOf({ map, notes: [] })).toContain('anywhere → role web: web (web-1 roles/web.yml:2)');
});
