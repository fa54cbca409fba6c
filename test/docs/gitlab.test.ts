/** The pipeline for GitLab: every command line in it is one that the program takes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { sallyport } from '../cli/terminal.js';

const pipeline = parse(readFileSync(join(import.meta.dirname, '../../docs/workflows/gitlab-ci.yml'), 'utf8'));
const jobs = Object.entries<{ script?: string[]; environment?: string; resource_group?: string }>(
  pipeline,
).filter(([, job]) => job.script !== undefined);
const lines = jobs.flatMap(([, { script = [] }]) => script).filter((line) => line.startsWith('$SALLYPORT '));

test.each(lines)('%s', async (line) => {
  const [command = '', ...words] = line
    .replace(/ \|\| .*$/, '')
    .split(' ')
    .slice(1);
  const { status, stdout } = await sallyport([command, '--help']);
  expect(status).toBe(0);
  for (const option of words.filter((word) => word.startsWith('--'))) expect(stdout).toContain(`${option} `);
  const format = words[words.indexOf('--format') + 1] ?? '';
  if (words.includes('--format')) expect(stdout).toMatch(new RegExp(`choices: [^)]*"${format}"`));
});

test('only the deploy has the key that changes hosts, in an environment, one at a time', () => {
  for (const [name, job] of jobs) {
    const deploys = JSON.stringify(job).includes('FIREWALL_DEPLOY_KEY');
    expect([name, deploys]).toEqual([name, name === 'firewall deploy']);
    if (deploys) expect(job).toMatchObject({ environment: 'production', resource_group: 'firewall' });
  }
});

test('a status that is not 0 comes through to the job', () => {
  for (const [, { script = [] }] of jobs) {
    expect(script.at(-1)).toMatch(/^exit "\$\{status:-0\}"$/);
    expect(script.filter((line) => line.endsWith('|| status=$?'))).toHaveLength(1);
  }
});
