/** Each lint with a policy that has the finding, one that does not, and a suppression. */
import { describe, expect, test } from '@jest/globals';
import type { Level } from '../../../src/lib/problem.js';
import { LINTS, lintFleet } from '../../../src/policy/lint/lint.js';
import { BASE, fleetOf, host, problemLines } from '../policy.js';

type Files = Readonly<Record<string, string | undefined>>;
const rules = (text: string, more = ''): Files => ({ 'hosts/web-1.yml': host(`input:\n${text}`, more) });
const raw = (rule: string): Files => ({
  'hosts/web-1.yml': host(`raw:\n  - {rule: "${rule}", chain: INPUT, reason: x}\n`),
});
const because = '\n    reason: x\n';

interface Case {
  readonly fires: Files;
  readonly location: string;
  readonly silent: Files;
}

const CASES: Readonly<Record<string, Case>> = {
  'ssh-open': {
    fires: rules(`  - allow: tcp/20-25${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(`  - allow: ssh\n    from: app${because}`),
  },
  'sensitive-port-open': {
    fires: rules(`  - allow: [https, redis]\n    from: internet${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(`  - allow: redis\n    from: app${because}  - allow: https${because}`),
  },
  'allow-everything': {
    fires: rules(`  - allow: any${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(
      `  - allow: any\n    from: app${because}  - allow: any\n    state: [established, related]${because}`,
    ),
  },
  'wide-allow': {
    fires: rules(`  - allow: tcp\n    from: app${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(
      `  - allow: tcp/8000-12000\n    from: app${because}  - allow: [https, mosh]\n    from: 192.0.2.0/24${because}  - allow: [http, https]${because}`,
    ),
  },
  'default-accept': {
    fires: { 'hosts/web-1.yml': host('baseline: {input: accept}\n') },
    location: 'hosts/web-1.yml:1:1',
    silent: { 'hosts/web-1.yml': host('baseline: {output: accept}\n') },
  },
  'icmp-blocked': {
    fires: { 'hosts/web-1.yml': host('baseline: {icmp: none}\n') },
    location: 'hosts/web-1.yml:1:1',
    silent: { 'hosts/web-1.yml': host('baseline: {icmp: all}\n') },
  },
  'deny-after-allow': {
    fires: rules(`  - allow: https${because}  - deny: https\n    from: app\n`),
    location: 'hosts/web-1.yml:5:5',
    silent: rules(`  - deny: https\n    from: app\n  - allow: https${because}  - deny: any\n`),
  },
  'log-after-verdict': {
    fires: rules('  - deny: tcp/1-1023\n  - log: telnet\n    rate: 5/minute\n'),
    location: 'hosts/web-1.yml:4:5',
    silent: rules('  - log: telnet\n    rate: 5/minute\n  - deny: tcp/1-1023\n'),
  },
  'one-family': {
    fires: rules(`  - allow: https\n    from: 0.0.0.0/0${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(`  - allow: https\n    from: internet${because}`),
  },
  'log-without-limit': {
    fires: rules('  - log: tcp/1000-2000\n'),
    location: 'hosts/web-1.yml:3:5',
    silent: rules('  - log: tcp/1000-2000\n    rate: 5/minute\n'),
  },
  'port-twice': {
    fires: rules(`  - allow: [https, tcp/443]${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(`  - allow: [https, http3]${because}`),
  },
  'except-nothing': {
    fires: rules(`  - allow: https\n    from: app\n    except: admin${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(`  - allow: https\n    from: app\n    except: 10.10.1.0/24${because}`),
  },
  'egress-without-dns': {
    fires: { 'hosts/web-1.yml': host('baseline: {output: drop}\noutput:\n  - allow: ntp\n    reason: x\n') },
    location: 'hosts/web-1.yml:1:1',
    silent: {
      'hosts/web-1.yml': host('baseline: {output: drop}\noutput:\n  - allow: [ntp, dns]\n    reason: x\n'),
    },
  },
  'egress-without-ntp': {
    fires: { 'hosts/web-1.yml': host('baseline: {output: drop}\noutput:\n  - allow: dns\n    reason: x\n') },
    location: 'hosts/web-1.yml:1:1',
    silent: { 'hosts/web-1.yml': host('output:\n  - allow: dns\n    reason: x\n') },
  },
  'raw-matches-nothing': {
    fires: raw('-p tcp -m tcp ! --sport 0:65535 -j DROP'),
    location: 'hosts/web-1.yml:3:12',
    silent: raw('-p tcp -m tcp ! --sport 1024:65535 -j DROP'),
  },
  'raw-state': {
    fires: raw('-m state --state NEW -j DROP'),
    location: 'hosts/web-1.yml:3:12',
    silent: raw('-m conntrack --ctstate NEW -j DROP'),
  },
  'raw-accept-everything': {
    fires: raw('-j ACCEPT'),
    location: 'hosts/web-1.yml:3:12',
    silent: raw('-i lo -j ACCEPT'),
  },
  expired: {
    fires: rules(`  - allow: https\n    expires: 2026-06-14${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(`  - allow: https\n    expires: 2026-06-15${because}`),
  },
  'expires-soon': {
    fires: rules(`  - allow: https\n    expires: 2026-06-29${because}`),
    location: 'hosts/web-1.yml:3:5',
    silent: rules(`  - allow: https\n    expires: 2026-06-30${because}`),
  },
  'never-used': {
    fires: { 'networks.yml': 'networks:\n  admin: 203.0.113.0/24\n  spare: 10.0.0.0/8\n' },
    location: 'networks.yml:3:3',
    silent: { 'networks.yml': 'networks:\n  admin: [spare]\n  spare: 203.0.113.0/24\n' },
  },
  'idle-may-remove': {
    fires: { 'fleet.yml': `${BASE['fleet.yml']}may_remove: [docker]\n` },
    location: 'fleet.yml:4:1',
    silent: { 'fleet.yml': `${BASE['fleet.yml']}ownership: tables\nmay_remove: [docker]\n` },
  },
  'host-name-address': {
    fires: { 'hosts/web-1.yml': 'address: web-1.example.com\naddresses: [192.0.2.10]\n' },
    location: 'hosts/web-1.yml:1:1',
    silent: { 'hosts/web-1.yml': 'address: 192.0.2.10\n' },
  },
};

/** The findings of a policy, perhaps of one level. */
const findings = (files: Files, level?: Level) =>
  lintFleet(fleetOf(files)).filter((found) => level === undefined || found.level === level);

describe('lints', () => {
  test('every lint has a case', () => {
    expect(LINTS.map(({ id }) => id).toSorted()).toEqual(Object.keys(CASES).toSorted());
  });

  test.each(Object.entries(CASES))('%s', (id, { fires, location, silent }) => {
    const fired = findings(fires).filter((found) => found.id === id);
    expect(fired.map((found) => problemLines([found])[0])).toEqual([
      expect.stringMatching(new RegExp(`^${location}: `)),
    ]);
    expect(fired[0]?.hint).toContain(`accept: [{finding: ${id}, `);
    expect(findings(silent).filter((found) => found.id === id)).toEqual([]);
  });

  test.each(Object.entries(CASES))('%s is not reported when accepted', (id, { fires }) => {
    const fleet = `${fires['fleet.yml'] ?? BASE['fleet.yml']}accept: [{finding: ${id}, reason: It is meant}]\n`;
    expect(findings({ ...fires, 'fleet.yml': fleet }).filter((found) => found.id === id)).toEqual([]);
  });

  test('ssh-open is reported for admin networks that include the internet', () => {
    const found = findings(
      { 'fleet.yml': 'version: 1\nssh: {user: deploy}\nadmin: [admin, internet]\n' },
      'warning',
    );
    expect(found.map(({ id, location }) => [id, location?.line])).toEqual([['ssh-open', 3]]);
  });

  test('log-without-limit is reported for literal rules', () => {
    const ids = (files: Files) => findings(files, 'warning').map(({ id }) => id);
    expect(ids(raw('-j LOG'))).toEqual(['log-without-limit']);
    expect(ids(raw('-m limit --limit 5/minute -j LOG'))).toEqual([]);
  });

  test('port-twice is reported for literal rules', () => {
    const ports = (list: string) =>
      findings(raw(`-p tcp -m multiport --dports ${list} -j DROP`))
        .filter(({ id }) => id === 'port-twice')
        .map(({ message }) => message);
    expect(ports('22,80,22')).toEqual(['The rule lists port 22 twice.']);
    expect(ports('22,20:25')).toEqual(['The rule lists port 22 twice.']);
    expect(ports('22,23:25')).toEqual([]);
  });

  test('a suppression in a role applies to the rules of that role only', () => {
    const ssh = `input:\n  - allow: ssh${because}`;
    const accept = 'accept: [{finding: ssh-open, reason: A bastion}]\n';
    const found = findings(
      { 'roles/web.yml': accept + ssh, 'hosts/web-1.yml': host(`roles: [web]\n${ssh}`) },
      'warning',
    );
    expect(found.map(({ id, location }) => [id, location?.file])).toEqual([
      ['ssh-open', 'policies/hosts/web-1.yml'],
    ]);
  });

  test('a suppression without a finding is reported', () => {
    const found = findings(
      { 'fleet.yml': `${BASE['fleet.yml']}accept: [{finding: ssh-open, reason: x}]\n` },
      'warning',
    );
    expect(problemLines(found)).toEqual([
      'fleet.yml:4:11: warning: No finding "ssh-open" to accept here. Remove it: it would hide a later finding.',
    ]);
  });

  test('a suppression with a misspelled id is reported', () => {
    const found = findings(
      { 'fleet.yml': `${BASE['fleet.yml']}accept: [{finding: ssh-opne, reason: x}]\n` },
      'warning',
    );
    expect(problemLines(found)).toEqual([
      'fleet.yml:4:11: warning: Unknown finding "ssh-opne". Did you mean ssh-open?',
    ]);
  });

  test('a rule of a role is reported once, however many hosts have the role', () => {
    const files = {
      'roles/web.yml': `input:\n  - allow: ssh${because}`,
      'hosts/web-2.yml': 'address: 192.0.2.11\nroles: [web]\n',
    };
    expect(findings(files, 'warning').map(({ id }) => id)).toEqual(['ssh-open']);
  });
});
