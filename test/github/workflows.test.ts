import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { WORKFLOWS } from '../../src/github/workflows.js';

const action = parse(readFileSync(join(import.meta.dirname, '../../action.yml'), 'utf8'));

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
}

describe.each(Object.entries(WORKFLOWS))('%s', (_, text) => {
  const workflow = parse(text);
  const steps: readonly Step[] = Object.values<{ steps: Step[] }>(workflow.jobs).flatMap((job) => job.steps);

  test('asks for no more rights than it names', () => {
    expect(workflow.permissions).toMatchObject({ contents: 'read' });
    expect(Object.keys(workflow.permissions)).toHaveLength(2);
    expect(steps.find(({ uses }) => uses?.startsWith('actions/checkout'))?.with).toMatchObject({
      'persist-credentials': false,
    });
  });

  test('pins the actions of others by commit', () => {
    for (const { uses } of steps)
      if (!uses?.startsWith('sallyport/')) expect(uses).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
  });

  test('gives the action inputs that it has, and reads outputs that it sets', () => {
    const own = steps.filter(({ uses }) => uses?.startsWith('sallyport/'));
    expect(own).toHaveLength(1);
    for (const name of Object.keys(own[0]?.with ?? {})) expect(Object.keys(action.inputs)).toContain(name);
    for (const [, name] of text.matchAll(/steps\.\w+\.outputs\.([\w-]+)/g))
      expect(Object.keys(action.outputs)).toContain(name);
  });

  test('does not run beside itself', () => {
    expect(workflow.concurrency.group).toMatch(/^firewall-/);
  });
});

test('only the deploy workflow has the key that changes hosts, in a protected environment', () => {
  for (const [path, text] of Object.entries(WORKFLOWS))
    expect(text.includes('FIREWALL_DEPLOY_KEY')).toBe(path.endsWith('firewall-deploy.yml'));
  expect(WORKFLOWS['.github/workflows/firewall-deploy.yml']).toContain('environment: production');
});
