/** Loading a policy from a folder on disk. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { formatProblem } from '../../src/lib/problem.js';
import { lintFleet } from '../../src/policy/lint/lint.js';
import { loadFleet } from '../../src/policy/load.js';
import { selectHosts } from '../../src/policy/select.js';
import { BASE, fleetOf } from './policy.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-policy-'));
  for (const [path, text] of Object.entries(BASE)) write(path, text);
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, text: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const problemsOf = async (): Promise<readonly string[]> =>
  (await loadFleet(folder)).problems.map((problem) => formatProblem(problem).replace(`${folder}/`, ''));

test('the example fleet has no problems and no findings', async () => {
  const loaded = await loadFleet('policies');
  expect(loaded.problems).toEqual([]);
  if (!loaded.ok) return;
  expect(lintFleet(loaded.value)).toEqual([]);
  expect(loaded.value.hosts.map(({ name }) => name)).toEqual(['db-1', 'dns-1', 'pay-1', 'web-1', 'web-2']);
  expect(loaded.value.hosts[0]?.location).toEqual({
    kind: 'policy',
    file: 'policies/hosts/db-1.yml',
    line: 1,
    column: 1,
  });
});

test('other files in the policy folder are ignored', async () => {
  write('known_hosts', 'web-1 ssh-ed25519 AAAA\n');
  write('README.md', 'Ours\n');
  write('hosts/.web-1.yml.swp', new Uint8Array([0xff]));
  expect(await problemsOf()).toEqual([]);
});

test('unreadable files are reported together with the problems of the others', async () => {
  write('hosts/latin.yml', Buffer.from('address: 192.0.2.1\ndescription: caf\xe9\n', 'latin1'));
  symlinkSync('loop.yml', join(folder, 'hosts/loop.yml'));
  symlinkSync('nowhere', join(folder, 'roles/gone.yml'));
  mkdirSync(join(folder, 'hosts/eu'));
  write('hosts/web-2.yml', 'adress: 192.0.2.2\naddress: 192.0.2.2\n');
  expect(await problemsOf()).toEqual([
    'hosts/eu:1:1: Subfolders are not read. Move its files to the parent folder.',
    'hosts/latin.yml:2:17: The file is not valid UTF-8. Save it as UTF-8.',
    'hosts/loop.yml:1:1: Cannot read the file: too many levels of symbolic links.',
    'hosts/web-2.yml:1:1: Unknown key "adress". Did you mean address?',
    'roles/gone.yml:1:1: Cannot read the file: no such file or directory.',
  ]);
});

test('a missing folder is reported with a hint', async () => {
  const loaded = await loadFleet('no-such-folder');
  expect(loaded.problems.map(formatProblem)).toEqual([
    'no-such-folder:1:1: Cannot read the folder: no such file or directory. Pass the policy folder; "sallyport init" writes an example.',
  ]);
});

test('selectHosts() returns the named hosts in order, or a problem for each unknown name', () => {
  const fleet = fleetOf({
    'hosts/db-1.yml': 'address: 192.0.2.20\n',
    'hosts/web-2.yml': 'address: 192.0.2.11\nroles: [web]\n',
  });
  const names = (selector?: string) => {
    const selected = selectHosts(fleet, selector);
    return selected.ok ? selected.value.map(({ name }) => name) : selected.problems.map(formatProblem);
  };
  expect(names()).toEqual(['db-1', 'web-1', 'web-2']);
  expect(names('role:web')).toEqual(['web-1', 'web-2']);
  expect(names('web-2, db-1')).toEqual(['db-1', 'web-2']);
  expect(names('web-3,role:wbe')).toEqual([
    'No host matches "web-3". Did you mean web-1?',
    'No host matches "role:wbe". Did you mean role:web?',
  ]);
  expect(names('')).toEqual(['No host matches "". Write host names or role:NAME, separated by commas.']);
});
