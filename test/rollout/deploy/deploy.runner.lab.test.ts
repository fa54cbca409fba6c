/** What becomes of a rollout whose runner is cancelled, killed, cut off from GitHub, or late. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Phase } from '../../../src/host/client.js';
import { until, waitForLine } from '../../../src/lab/shell.js';
import { stepIn } from '../../action/lab-step.js';
import { fault, rulesetsOf } from '../../host/transaction/faults.js';
import { type FleetScene, openFleet, opening, short } from './lab-fleet.js';

jest.setTimeout(240_000);

let fleet: FleetScene;

beforeAll(async () => {
  fleet = await openFleet();
});
afterAll(() => fleet.close());

/** GitHub kills what has not ended so long after it cancelled a job. */
const GRACE_SECONDS = 10;
const PHASES: readonly Phase[] = [
  ...([
    'connect',
    'preflight',
    'snapshot',
    'rehearse',
    'arm',
    'apply',
    'verify',
    'confirm',
    'persist',
  ] as const),
];

fault(
  'G1',
  'the job is cancelled, in every phase',
  'no further host is started; the change in progress ends with all old or all new rules, and the report says which',
  async () => {
    await fleet.settle();
    for (const [index, phase] of PHASES.entries()) {
      const port = 9001 + index;
      fleet.policy({ rules: opening(port) });
      const run = fleet.start();
      await run.seen((event) => event.kind === 'phase' && event.host === 'web-1' && event.phase === phase);
      const began = performance.now();
      run.kill('SIGINT');
      const ended = await run.ended;
      expect([phase, (performance.now() - began) / 1000 < GRACE_SECONDS]).toEqual([phase, true]);
      expect([phase, ended.code]).toEqual([phase, 1]);
      expect([phase, ended.outcomes.stopped]).toEqual([phase, 'The run was cancelled.']);
      expect([phase, ...short(ended).slice(1)]).toEqual([
        phase,
        'web-2 not-reached',
        'web-3 not-reached',
        'web-4 not-reached',
      ]);
      const having = await fleet.having(port);
      expect([phase, short(ended)[0]]).toEqual([phase, having[0] ? 'web-1 confirmed' : expect.any(String)]);
      if (!having[0]) expect([phase, short(ended)[0]]).not.toEqual([phase, 'web-1 confirmed']);
      expect([phase, ...having.slice(1)]).toEqual([phase, false, false, false]);
      const written = run.journal().flatMap((event) => (event.kind === 'outcome' ? [event.outcome] : []));
      expect([phase, written.at(-1)?.outcome]).toEqual([phase, ended.outcomes.hosts[0]?.outcome]);
    }
  },
);

fault(
  'G1b',
  'the job is cancelled while a host waits for a confirmation that cannot come',
  'the program ends in time; the host rolls back by itself',
  async () => {
    await fleet.settle();
    const before = await rulesetsOf(fleet.named('web-1'));
    fleet.policy({ rules: opening(9011) });
    const run = fleet.start();
    await run.seen(({ kind }) => kind === 'wave');
    const repair = await fleet.named('web-1').blockNewSsh();
    await run.seen((event) => event.kind === 'phase' && event.phase === 'verify');
    const began = performance.now();
    run.kill('SIGINT');
    const ended = await run.ended;
    const seconds = (performance.now() - began) / 1000;
    await repair();
    expect(seconds).toBeLessThan(GRACE_SECONDS);
    expect(short(ended)[0]).toMatch(/^web-1 (unknown|rolled-back)$/);
    expect(await fleet.having(9011)).toEqual([false, false, false, false]);
    expect(await rulesetsOf(fleet.named('web-1'))).toEqual(before);
  },
);

fault(
  'G2b',
  'the runner is lost while a host waits for its confirmation',
  'the next plan reports it, the next deploy is refused until it ends, and the one after is confirmed',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(9012) });
    const run = fleet.start();
    await run.seen(({ kind }) => kind === 'wave');
    const canary = fleet.named('web-1');
    const repair = await canary.blockNewSsh();
    await run.seen((event) => event.kind === 'phase' && event.phase === 'verify');
    run.kill('SIGKILL');
    await run.ended;
    await repair();
    const plan = await fleet.sallyport('plan', '--hosts', 'web-1');
    expect(plan.stdout).toMatch(/web-1 has an unfinished change of \S+ in phase verify/);
    expect(short(await fleet.deploy('--hosts', 'web-1'))[0]).toMatch(/^web-1 (refused|rolled-back)$/);
    expect(await fleet.having(9012)).toEqual([false, false, false, false]);
    expect(short(await fleet.deploy())).toEqual([
      'web-1 confirmed',
      'web-2 confirmed',
      'web-3 confirmed',
      'web-4 confirmed',
    ]);
    expect(await fleet.having(9012)).toEqual([true, true, true, true]);
  },
);

fault(
  'G2c',
  'the runner is lost between two waves',
  'its journal contains what is done; the next run changes only the rest',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(9013) });
    const run = fleet.start();
    await run.seen((event) => event.kind === 'soak' && event.wave === 1);
    run.kill('SIGKILL');
    await run.ended;
    const written = run.journal().flatMap((event) => (event.kind === 'outcome' ? [event.outcome] : []));
    expect(written.map(({ host, outcome }) => `${host} ${outcome}`)).toEqual([
      'web-1 confirmed',
      'web-2 confirmed',
    ]);
    expect(await fleet.having(9013)).toEqual([true, true, false, false]);
    expect(short(await fleet.deploy())).toEqual([
      'web-1 unchanged',
      'web-2 unchanged',
      'web-3 confirmed',
      'web-4 confirmed',
    ]);
  },
);

fault(
  'G2d',
  'the runner is lost during the soak of the canary',
  'the next run soaks for the rest of the time, and checks the canary before it changes the rest',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(9015), soak: '20s' });
    const run = fleet.start();
    await run.seen(({ kind }) => kind === 'soak');
    run.kill('SIGKILL');
    await run.ended;
    const again = fleet.start();
    await again.seen(({ kind }) => kind === 'soak');
    const repair = await fleet.named('web-1').blockNewSsh();
    const ended = await again.ended;
    await repair();
    expect(again.journal().find(({ kind }) => kind === 'soak')).toMatchObject({ wave: 0 });
    expect(short(ended).slice(0, 2)).toEqual(['web-1 unreachable', 'web-2 not-reached']);
    expect(await fleet.having(9015)).toEqual([true, false, false, false]);
  },
);

fault(
  'G4',
  "GitHub's API does not answer while the action deploys",
  'all hosts are confirmed; the step succeeds and lists what could not be reported',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(9014) });
    const step = stepIn(fleet.lab, fleet.sallyport);
    // Nothing listens on that port of the lab's loopback.
    const ended = await step('push', {
      'INPUT_GITHUB-TOKEN': 'ghs_lab',
      GITHUB_API_URL: 'http://127.0.0.1:1',
      INPUT_COMMENT: 'true',
      INPUT_DEPLOYMENT: 'true',
    });
    expect({ ...ended, stdout: ended.stdout.slice(-3000) }).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^outcome<<.*\ndeployed\n/m),
    });
    expect(ended.stdout).toMatch(/::warning.*GitHub/);
    expect(await fleet.having(9014)).toEqual([true, true, true, true]);
  },
);

fault(
  'G6',
  'the job of an older commit is run again',
  'refused, since the branch has a newer commit; no host is changed',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(9015) });
    const newest = 'fedcba9876543210fedcba9876543210fedcba98';
    const api = fleet.lab.spawn(process.execPath, [
      '-e',
      `require('node:http').createServer((request, response) => {
         response.setHeader('content-type', 'application/json');
         response.end(JSON.stringify({ commit: { sha: '${newest}' }, object: { sha: '${newest}' }, sha: '${newest}' }));
       }).listen(8080, '127.0.0.1', () => console.log('ready'));`,
    ]);
    await waitForLine(api, 'ready');
    const step = stepIn(fleet.lab, fleet.sallyport);
    const ended = await step('push', {
      'INPUT_GITHUB-TOKEN': 'ghs_lab',
      GITHUB_API_URL: 'http://127.0.0.1:8080',
    });
    api.kill();
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain('is not the newest of main, which is at fedcba987654');
    expect(await fleet.having(9015)).toEqual([false, false, false, false]);
  },
);

fault(
  'G8',
  'one of the hosts no longer accepts the key',
  'found before the first change: no host is changed',
  async () => {
    await fleet.settle();
    const file = '/home/deploy/.ssh/authorized_keys';
    const last = fleet.named('web-4');
    await last.must(`mv ${file} ${file}.away`);
    fleet.policy({ rules: opening(9016) });
    const ended = await fleet.deploy();
    expect(ended.code).toBe(1);
    expect(short(ended)).toEqual([
      'web-1 not-reached',
      'web-2 not-reached',
      'web-3 not-reached',
      'web-4 unreachable',
    ]);
    expect(ended.outcomes.hosts[3]?.reason).toContain('it accepts none of the offered keys');
    await last.must(`mv ${file}.away ${file}`);
    const step = stepIn(fleet.lab, fleet.sallyport);
    const without = await step('push', { 'INPUT_SSH-KEY': '' });
    expect(without.code).toBe(1);
    expect(await fleet.having(9016)).toEqual([false, false, false, false]);
    await until('The key is there again', async () =>
      (await fleet.sallyport('plan')).code === 0 ? true : undefined,
    );
  },
);
