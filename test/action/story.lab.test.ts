/**
 * The whole story, on twenty real hosts of which one is off: a policy is begun, reviewed, merged and rolled out; someone
 * changes a host by hand; that is found, taken into the policy, reviewed and merged; and the fleet is clean.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../src/lab/lab.js';
import { type Program, programIn } from '../cli/lab-program.js';
import { EVE, type Hub, REPOSITORY, startHub } from '../github/hub.js';
import type { Ended } from './step.js';
import {
  bringIn,
  type Files,
  FORK,
  payloads,
  type Repository,
  repositoryAt,
  runnerIn,
  type Step,
} from './story.js';

jest.setTimeout(240_000);

const NAMES = Array.from({ length: 20 }, (_, index) => `web-${index + 1}`);
const OFF = 'web-20';

let lab: Lab;
let hub: Hub;
let hosts: ReadonlyMap<string, Host>;
let sallyport: Program;
let repository: Repository;
let step: (step: Step) => Promise<Ended>;
let away: () => void;
/** Recorded by the last deploy; what pull requests from forks are planned from. */
let states: string;

beforeAll(async () => {
  [lab, hub] = await Promise.all([openLab(), startHub()]);
  const started = await Promise.all(NAMES.map((name) => lab.light({ name })));
  hosts = new Map(started.map((host) => [host.name, host]));
  sallyport = await programIn(lab);
  repository = repositoryAt(hub);
  hub.secrets.push(readFileSync(lab.identity, 'utf8'));
  away = await bringIn(lab, hub);
  step = runnerIn(lab, hub, join(dirname(sallyport.path), 'index.js'));
  states = join(lab.directory, 'states');
  await host(OFF).powerCut();
});
afterAll(async () => {
  away();
  await Promise.all([lab.close(), hub.close()]);
});

const host = (name: string): Host => {
  const found = hosts.get(name);
  if (found === undefined) throw new Error(`There is no host ${name}.`);
  return found;
};

/** What the workflows give the action. */
const withKey = () => ({ 'ssh-key': readFileSync(lab.identity, 'utf8') });

const filesBelow = (folder: string): Files =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  );

/** The scaffold of `init` with the fleet of the lab in it. */
function ours(scaffold: Files): Files {
  const text = (path: string): string => scaffold[path] ?? '';
  const lines = [...hosts.values()].map(
    ({ name, addresses }) =>
      `  ${name}: { addresses: [${addresses.v4}, "${addresses.v6}"], roles: [${name === 'web-19' ? 'database' : 'web'}] }\n`,
  );
  const kept = Object.entries(scaffold).filter(([path]) => !path.startsWith('policies/hosts/'));
  return {
    ...Object.fromEntries(kept),
    'policies/fleet.yml': text('policies/fleet.yml')
      .replace('soak: 30s', 'soak: 1s')
      .replace('confirm_within: 60s', 'confirm_within: 20s\n  max_failures: 1'),
    'policies/networks.yml': text('policies/networks.yml').replace(
      /admin: .*/,
      `admin: [${lab.client.v4}, "${lab.client.v6}"]`,
    ),
    'policies/hosts/web.yml': `hosts:\n${lines.join('')}`,
    'policies/known_hosts': readFileSync(lab.knownHosts, 'utf8'),
  };
}

const commentsOn = async (issue: number): Promise<readonly string[]> =>
  (await repository.comments(issue)).map(({ body }) => body);
const driftIssues = async (): Promise<{ number: number; state: string; body: string }[]> =>
  (await hub.call('GET', `/repos/${REPOSITORY}/issues?labels=sallyport-drift&state=all`)).body;
const green = (ended: Ended) =>
  expect({
    status: ended.status,
    stderr: ended.stderr,
    output: ended.status === 0 ? '' : ended.stdout.slice(-3000),
  }).toEqual({
    status: 0,
    stderr: '',
    output: '',
  });

/** What the runner does for these events: the commit that the event is about, the policy of that commit, the inputs. */
async function onPush(inputs: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const commit = await repository.head('main');
  return step({
    event: 'push',
    commit,
    files: await repository.files(commit, 'policies'),
    payload: payloads.push(),
    inputs: { ...withKey(), deployment: 'true', ...inputs },
  });
}

async function onSchedule(inputs: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const commit = await repository.head('main');
  const files = await repository.files(commit, 'policies');
  return step({
    event: 'schedule',
    commit,
    files,
    payload: payloads.schedule(),
    inputs: { ...withKey(), ...inputs },
  });
}

async function onPull(number: number, branch: string): Promise<Ended> {
  const commit = await repository.head(branch);
  return step({
    event: 'pull_request',
    commit,
    files: await repository.files(commit, 'policies'),
    payload: payloads.pull(number, commit, REPOSITORY),
    inputs: { ...withKey(), save: states },
  });
}

test('a member begins a policy: the pull request gets one comment, and a second push updates that same one', async () => {
  expect(await sallyport('init', 'repository')).toMatchObject({ code: 0 });
  const policy = ours(filesBelow(join(lab.directory, 'repository')));
  await repository.commit('begin', policy);
  const pull = await repository.openPull('begin');
  // One host is off: without its state there is no whole plan, and the check says so.
  const first = await onPull(pull, 'begin');
  expect(first.status).toBe(1);
  expect(first.outputs).toMatchObject({ outcome: 'changed', changed: '19', 'unreachable-hosts': OFF });
  const [comment, ...others] = await repository.comments(pull);
  expect(others).toEqual([]);
  expect(comment?.body).toContain('lock-out proof holds');
  expect(comment?.body).toContain(OFF);

  await repository.commit('begin', {
    'policies/roles/web.yml': `${policy['policies/roles/web.yml']}  - allow: tcp/8443\n    from: internal\n    reason: Staging\n`,
  });
  await onPull(pull, 'begin');
  const after = await repository.comments(pull);
  expect(after.map(({ id }) => id)).toEqual([comment?.id]);
  expect(after[0]?.body).toContain('8443');
  await repository.merge(pull);
});

test('the merge is deployed: the canary, then waves; the result stands on the pull request; the host that is off counts', async () => {
  const ended = await onPush();
  expect({ outputs: ended.outputs, stderr: ended.stderr }).toMatchObject({
    outputs: { outcome: 'failed', changed: '19', 'failed-hosts': OFF, 'unreachable-hosts': OFF },
    stderr: '',
  });
  expect(ended.stdout).toMatch(/^Canary: 1 host \(web-1\)$/m);
  expect(ended.stdout.indexOf('web-1: confirmed')).toBeLessThan(ended.stdout.indexOf('web-2: confirmed'));
  expect(hub.deployments.at(-1)?.statuses.map(({ state }) => state)).toEqual(['in_progress', 'failure']);
  const result = (await commentsOn(1)).at(-1);
  expect(result).toContain('19 confirmed');
  expect(result).toContain(OFF);
  expect((await host('web-7').liveRules()).v4).toContain('The public site');
});

test('the host comes back, and the same run again is done with the others', async () => {
  await host(OFF).boot();
  const ended = await onPush();
  green(ended);
  expect(ended.outputs).toMatchObject({ outcome: 'deployed', changed: '1', 'failed-hosts': '' });
  green(await onSchedule({ save: states }));
  expect(await driftIssues()).toEqual([]);
});

test('a fork proposes a change: checked without any secret, then planned from recorded states by a run of its own', async () => {
  const main = await repository.files(await repository.head('main'), 'policies');
  const role = `${main['policies/roles/web.yml']}  - allow: tcp/9443\n    from: any\n    reason: An idea of Eve's\n`;
  const commit = await repository.commitInFork('idea', { ...main, 'policies/roles/web.yml': role });
  const pull = await repository.openPull('eve:idea', EVE);
  const files = await repository.files(commit, 'policies', FORK);
  // GitHub gives neither secrets nor a token that may write.
  hub.requests.length = 0;
  const checked = await step({
    event: 'pull_request',
    commit,
    files,
    payload: payloads.pull(pull, commit, FORK),
    inputs: { 'github-token': 'ghs_read_only' },
  });
  green(checked);
  expect(checked.outputs.outcome).toBe('checked');
  expect(checked.summary).toContain('there is no plan');
  expect(hub.writes()).toEqual([]);

  const planned = await step({
    event: 'workflow_run',
    commit: await repository.head('main'),
    files,
    payload: payloads.runEnded(commit, 'idea'),
    inputs: { state: states },
  });
  expect(planned.outputs.outcome).toBe('changed');
  const [comment, ...others] = await commentsOn(pull);
  expect(others).toEqual([]);
  expect(comment).toContain('9443');
});

const OPENED = '-p tcp -m tcp --dport 5432 -j ACCEPT';

test('someone opens a port by hand and closes another: the schedule opens one issue, and is silent the next time', async () => {
  await host('web-3').must(`iptables -I INPUT ${OPENED}`);
  const setup = await host('web-5').must("iptables-save | grep -e '--dport 8443' | sed 's/^-A/-D/'");
  for (const rule of setup.trim().split('\n')) await host('web-5').must(`iptables ${rule}`);
  const ended = await onSchedule();
  expect(ended.status).toBe(1);
  expect(ended.outputs).toMatchObject({
    outcome: 'drifted',
    'drifted-hosts': 'web-3,web-5',
    'unreachable-hosts': '',
  });
  const [issue, ...others] = await driftIssues();
  expect(others).toEqual([]);
  expect(issue).toMatchObject({ state: 'open' });
  expect(issue?.body).toContain('--dport 5432');
  hub.requests.length = 0;
  await onSchedule();
  expect(hub.writes()).toEqual([]);
});

test('adopt opens a pull request; its plan opens nothing; merged and deployed the fleet is clean and the issue closes', async () => {
  const adopted = await onSchedule({ command: 'adopt' });
  green(adopted);
  expect(adopted.outputs).toMatchObject({ outcome: 'adopted', changed: '2' });
  const branch = 'sallyport/adopt-drift';
  const pulls = (await hub.call('GET', `/repos/${REPOSITORY}/pulls?state=open`)).body as {
    number: number;
    body: string;
    head: { ref: string };
  }[];
  const pull = pulls.find(({ head }) => head.ref === branch);
  expect(pull?.body).toContain('allow: postgres');
  const policy = await repository.files(await repository.head(branch), 'policies');
  expect(policy['policies/hosts/web.yml']).toContain('to-be-named');

  const number = pull?.number ?? 0;
  const planned = await onPull(number, branch);
  green(planned);
  expect(planned.outputs).toMatchObject({ opened: '0', 'possibly-opened': '0' });
  await repository.merge(number);
  // As the workflow does: the deploy is held to the plan that was reviewed.
  const plan = join(lab.directory, 'plan.json');
  writeFileSync(plan, planned.files.json ?? '');
  green(await onPush({ plan }));
  expect((await commentsOn(number)).at(-1)).toContain('confirmed');

  const clean = await onSchedule();
  green(clean);
  expect(clean.outputs.outcome).toBe('clean');
  expect((await driftIssues()).map(({ state }) => state)).toEqual(['closed']);
  expect((await onSchedule({ command: 'adopt' })).outputs.outcome).toBe('unchanged');
});
