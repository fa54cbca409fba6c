/** `sallyport import` from files and recorded states. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Plan } from '../../../src/rollout/results/model.js';
import { sallyport } from '../terminal.js';

const GOLDEN = join(import.meta.dirname, '../../import/golden');
const web = (name: string): string => readFileSync(join(GOLDEN, 'web', name), 'utf8');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-import-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...path: readonly string[]): string => join(folder, ...path);

function states(...hosts: readonly string[]): string {
  mkdirSync(at('states'));
  for (const host of hosts) {
    writeFileSync(at('states', `${host}.v4`), web('rules.v4'));
    writeFileSync(at('states', `${host}.v6`), web('rules.v6'));
    writeFileSync(at('states', `${host}.sets`), web('sets'));
  }
  return at('states');
}

test('files of one host become a policy that passes check', async () => {
  for (const name of ['rules.v4', 'rules.v6', 'sets']) writeFileSync(at(name), web(name));
  const file = (name: string): readonly string[] => ['--file', `web-1=${at(name)}`];
  const args = [...file('rules.v4'), ...file('rules.v6'), ...file('sets'), '--out', at('policies')];
  const result = await sallyport(['import', ...args]);
  expect(result).toMatchObject({ status: 0 });
  expect(result.stderr).toContain('web-1: 21 rules became 3 statements and 0 literal rules');
  expect(result.stderr).toContain('Proved: the same verdict for every packet.');
  expect(result.stderr).toContain('The address of web-1 is not known');
  expect(result.stdout.split('\n').toSorted()).toEqual(
    [
      '',
      ...['fleet.yml', 'hosts/web-1.yml', 'networks.yml', 'services.yml'].map((path) => at('policies', path)),
    ].toSorted(),
  );
  expect(await sallyport(['check', '-p', at('policies')])).toMatchObject({ status: 0, stderr: '' });
});

test('a plan of the same states has an empty traffic diff, and the lock-out proof holds', async () => {
  const args = ['--state', states('web-1', 'web-2'), '--out', at('policies')];
  expect(
    await sallyport(['import', 'web-1=deploy@192.0.2.10', 'web-2=192.0.2.11:2222', ...args]),
  ).toMatchObject({ status: 1 });
  const hosts = ['web-1=deploy@192.0.2.10', 'web-2=deploy@[2001:db8::11]'];
  expect(await sallyport(['import', ...hosts, ...args])).toMatchObject({ status: 0 });
  expect(readdirSync(at('policies/roles'))).toEqual(['web.yml']);
  const planned = await sallyport([
    'plan',
    '-p',
    at('policies'),
    '--state',
    at('states'),
    '--format',
    'json',
  ]);
  const plan = JSON.parse(planned.stdout) as Plan;
  expect(plan.hosts.map(({ traffic, lockout }) => [traffic?.equal, lockout?.verdict])).toEqual([
    [true, 'proved'],
    [true, 'proved'],
  ]);
});

test('text output reports ten rules without effect, warnings first; JSON reports all', async () => {
  const ports = Array.from(
    { length: 12 },
    (_, index) => `-A INPUT -p tcp -m tcp --dport ${8000 + index} -j ACCEPT\n`,
  );
  const hidden = '-A INPUT -s 192.0.2.128/25 -p tcp -m tcp --dport 22 -j ACCEPT\n';
  const text = web('rules.v4').replace(
    /-A INPUT -j LOGDROP\n/,
    (log) =>
      `-A INPUT -p tcp -m tcp --dport 8000:9000 -j ACCEPT\n${ports.join('')}-A INPUT -s 192.0.2.0/24 -j DROP\n${hidden}${log}`,
  );
  for (const [name, content] of [
    ['rules.v4', text],
    ['sets', web('sets')],
  ] as const)
    writeFileSync(at(name), content);
  const args = ['import', '--file', `web-1=${at('rules.v4')}`, '--file', `web-1=${at('sets')}`];
  const { status, stderr } = await sallyport([...args, '--out', at('text')]);
  expect(status).toBe(0);
  const reported = stderr.split('\n').filter((line) => / INPUT \(filter/.test(line));
  expect(reported).toHaveLength(10);
  expect(reported).toContainEqual(
    expect.stringMatching(
      /rules\.v4:29:4: warning: Rule 23 of INPUT .* earlier rules drop its new connections: rule 22 of INPUT/,
    ),
  );
  expect(stderr).toContain('5 more rules of web-1 can never match, change nothing or accept very much.');
  const json = await sallyport([...args, '--out', at('json'), '--format', 'json']);
  const report = JSON.parse(json.stdout);
  expect(report).toMatchObject({
    version: 1,
    out: at('json'),
    ownership: 'tables',
    admin: ['203.0.113.0/24'],
  });
  expect(report.files).toContain('hosts/web-1.yml');
  expect(report.hosts[0].anomalies).toHaveLength(15);
  expect(report.hosts[0].anomalies.map(({ id }: { readonly id: string }) => id)).toContain('shadowed-rule');
  expect(report.hosts[0].notes).toMatchObject([
    { id: 'import-address-unknown' },
    { id: 'import-one-family' },
  ]);
});

test('existing files are reported and not overwritten', async () => {
  const args = ['import', '--state', states('web-1'), '--out', at('policies')];
  mkdirSync(at('policies/hosts'), { recursive: true });
  writeFileSync(at('policies/fleet.yml'), 'mine\n');
  writeFileSync(at('policies/hosts/web-1.yml'), 'mine\n');
  const result = await sallyport(args);
  expect(result).toMatchObject({ status: 1, stdout: '' });
  expect(result.stderr).toContain(`${at('policies/fleet.yml')} already exists.`);
  expect(result.stderr).toContain(`${at('policies/hosts/web-1.yml')} already exists.`);
  expect(existsSync(at('policies/networks.yml'))).toBe(false);
  expect(readFileSync(at('policies/fleet.yml'), 'utf8')).toBe('mine\n');
});

test('a difference of traffic is reported, and nothing is written', async () => {
  const text = web('rules.v4')
    .replace(':WEB - [0:0]', ':WEB - [0:0]\n:f2b-web - [0:0]')
    .replace('-A INPUT -j LOGDROP', '-A INPUT -p tcp -j f2b-web\n-A INPUT -j LOGDROP')
    .replace('COMMIT', '-A f2b-web -s 198.51.100.200/32 -j DROP\nCOMMIT')
    .replace(/.*partners.*\n/, '');
  writeFileSync(at('rules.v4'), text.replace('-s 198.51.100.0/24 -j RETURN', '-s 192.0.2.0/24 -j RETURN'));
  const result = await sallyport(['import', '--file', `web-1=${at('rules.v4')}`, '--out', at('policies')]);
  expect(result).toMatchObject({ status: 1, stdout: '' });
  expect(result.stderr).toContain('would be closed: tcp 198.51.100.200:');
  expect(existsSync(at('policies'))).toBe(false);
});

test.each<readonly [string, readonly string[], string]>([
  ['no host', [], 'No hosts given.'],
  ['a host without an address', ['web-1'], '"web-1" is not a valid host.'],
  ['a file without a host', ['--file', 'rules.v4'], '"rules.v4" has no host name.'],
  ['a missing folder', ['--state', '/nonexistent'], '/nonexistent cannot be read'],
  [
    'an invalid network',
    ['web-1=192.0.2.1', '--file', 'web-1=/dev/null', '--admin', '10.0.0.1/8'],
    '--admin: 10.0.0.1/8 has host bits set.',
  ],
])('%s', async (_, argv, expected) => {
  const result = await sallyport(['import', ...argv]);
  expect(result).toMatchObject({ status: 1, stdout: '' });
  expect(result.stderr).toContain(expected);
});
