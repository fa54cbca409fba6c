/** `sallyport map` as a person runs it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sallyport } from '../terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-map-'));
const [policies, before] = [join(directory, 'policies'), join(directory, 'before')];
const web = join(policies, 'roles/web.yml');

beforeAll(async () => {
  await sallyport(['init', directory]);
  cpSync(policies, before, { recursive: true });
  writeFileSync(web, readFileSync(web, 'utf8').replace('[http, https]', 'https'));
});
afterAll(() => rmSync(directory, { recursive: true }));

test('as text: the flows on standard output, what is one-sided beside it', async () => {
  const { status, stdout, stderr } = await sallyport(['map', '--policies', policies]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\d+ flows between \d+ nodes\.\n\n/);
  expect(stdout).toMatch(/^to web \(\d+ hosts?\)\n {5}anywhere +https +\S+roles\/web.yml:\d+$/m);
  for (const line of stderr.split('\n').filter((text) => text !== ''))
    expect(line).toMatch(/note: .* (?:do not let it in|do not let it out)/);
});

test('as Markdown and JSON, against an earlier policy: what goes away and nothing else', async () => {
  const against = ['map', '--policies', policies, '--before', before, '--format'];
  const { stdout } = await sallyport([...against, 'markdown']);
  expect(stdout).toContain('```mermaid\nflowchart LR\n');
  expect(stdout).toContain('|"− http"|');
  const { edges } = JSON.parse((await sallyport([...against, 'json'])).stdout);
  const changes = edges.filter(({ change }: { change?: string }) => change !== undefined);
  expect(changes).toMatchObject([{ from: 'anywhere', service: 'http', change: 'removed' }]);
});

test('a policy with errors has no map, and says why', async () => {
  writeFileSync(join(before, 'networks.yml'), 'networks:\n  admin: [300.0.0.0/8]\n');
  const { status, stdout, stderr } = await sallyport(['map', '--policies', policies, '--before', before]);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain('before/networks.yml:2:');
});
