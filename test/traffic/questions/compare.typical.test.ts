/** Ten typical changes of a policy and their rows. */
import { compileHost } from '../../../src/compile/rules/compile.js';
import { compareTraffic } from '../../../src/traffic/questions/compare.js';
import { fleetOf } from '../../policy/policy.js';
import { rowsOf } from '../rules.js';

const OWN = 'addresses: [192.0.2.10, "2001:db8:1::10"]\nroles: [web]\n';
const ROLE = 'input:\n  - allow: https\n    reason: The site\n';
const metrics = (from: string): string =>
  `${ROLE}  - allow: tcp/9100\n    from: ${from}\n    reason: Metrics\n`;

type Files = Readonly<Record<string, string>>;

function rowsBetween(before: Files, after: Files): readonly string[] {
  const [old, next] = [before, after].map((files) => {
    const fleet = fleetOf(files);
    const [host] = fleet.hosts;
    if (host === undefined) throw new Error('There is a host.');
    const compiled = compileHost(fleet, host);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    return { ruleset: compiled.value, addresses: host.addresses };
  });
  if (old === undefined || next === undefined) throw new Error('There are two.');
  return rowsOf(compareTraffic(old.ruleset, next.ruleset, { addresses: next.addresses }));
}

const role = (text: string): Files => ({ 'roles/web.yml': text });
const host = (text: string): Files => ({ 'hosts/web-1.yml': text });

test('open a port to a network', () => {
  expect(rowsBetween({}, role(metrics('app')))).toEqual([
    'opened INPUT v4 tcp from 10.10.0.0/16 dport 9100',
    'opened INPUT v6 tcp from 2001:db8:10::/48 dport 9100',
  ]);
});

test('close one', () => {
  expect(rowsBetween(role(metrics('any')), {})).toEqual([
    'closed INPUT v4 tcp dport 9100',
    'closed INPUT v6 tcp dport 9100',
  ]);
});

test('widen a source', () => {
  expect(rowsBetween(role(metrics('10.10.0.0/16')), role(metrics('10.8.0.0/14')))).toEqual([
    'opened INPUT v4 tcp from 10.8.0.0/15,10.11.0.0/16 dport 9100',
  ]);
});

test('give a host another role', () => {
  const dns = { 'roles/dns.yml': 'input:\n  - allow: dns\n    from: app\n    reason: Names\n' };
  expect(rowsBetween(dns, { ...dns, ...host(OWN.replace('[web]', '[web, dns]')) })).toEqual([
    'opened INPUT v4 tcp from 10.10.0.0/16 dport 53',
    'opened INPUT v4 udp from 10.10.0.0/16 dport 53',
    'opened INPUT v6 tcp from 2001:db8:10::/48 dport 53',
    'opened INPUT v6 udp from 2001:db8:10::/48 dport 53',
  ]);
});

test('take a role away', () => {
  expect(rowsBetween({}, host(OWN.replace('[web]', '[]')))).toEqual([
    'closed INPUT v4 tcp dport 443',
    'closed INPUT v6 tcp dport 443',
  ]);
});

test('lock egress', () => {
  const rows = rowsBetween({}, host(`${OWN}baseline: {output: drop}\n`));
  expect(rows.map((row) => row.replace(/ type .*/, ''))).toEqual([
    'closed OUTPUT v4 state NEW,INVALID any but icmp',
    'closed OUTPUT v6 state NEW,INVALID any but ipv6-icmp',
    'closed OUTPUT v4 state NEW,INVALID icmp',
    'closed OUTPUT v6 state NEW,INVALID ipv6-icmp',
  ]);
});

test('another order without effect', () => {
  const both = (...allows: readonly string[]): Files =>
    role(`input:\n${allows.map((name) => `  - allow: ${name}\n    reason: The site\n`).join('')}`);
  expect(rowsBetween(both('http', 'https'), both('https', 'http'))).toEqual([]);
});

test('rename a role', () => {
  expect(rowsBetween({}, { 'roles/site.yml': ROLE, ...host(OWN.replace('web]', 'site]')) })).toEqual([]);
});

test('a rule expires', () => {
  const until = (day: string): Files =>
    role(`${ROLE}  - allow: tcp/8443\n    reason: Preview\n    expires: ${day}\n`);
  expect(rowsBetween(until('2026-12-31'), until('2026-01-31'))).toEqual([
    'closed INPUT v4 tcp dport 8443',
    'closed INPUT v6 tcp dport 8443',
  ]);
});

test('add a deny', () => {
  expect(
    rowsBetween({}, host(`${OWN}input:\n  - deny: any\n    from: 198.51.100.0/24\n    reason: Scanners\n`)),
  ).toEqual(['closed INPUT v4 tcp from 198.51.100.0/24 dport 443']);
});
