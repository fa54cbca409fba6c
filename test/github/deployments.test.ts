/** Which pull request a run of a fork was for, asked of the API and not of the run. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openGitHub } from '../../src/github/github.js';
import { type Hub, REPOSITORY, startHub, TOKEN } from './hub.js';

let hub: Hub;
beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub.close());

test('openPull() finds a pull request by repository, branch and commit, and none if one of them differs', async () => {
  const number = await hub.openPull('from-a-fork');
  const { head } = (await hub.call('GET', `/repos/${REPOSITORY}/pulls/${number}`)).body;
  const github = openGitHub({ token: TOKEN, apiUrl: hub.url, repository: REPOSITORY });
  const found = (repository: string, branch: string, commit: string) =>
    github.openPull(repository, branch, commit);
  expect(await found(REPOSITORY, 'from-a-fork', head.sha)).toMatchObject({ ok: true, value: number });
  for (const [repository, branch, commit] of [
    [REPOSITORY, 'from-a-fork', 'b'.repeat(40)],
    ['firewall-bot/other', 'from-a-fork', head.sha],
    [REPOSITORY, 'another', head.sha],
  ])
    expect(await found(repository, branch, commit)).toMatchObject({ ok: true, value: undefined });
});

test('openPull() finds no closed pull request', async () => {
  const number = await hub.openPull('closed');
  const { head } = (await hub.call('GET', `/repos/${REPOSITORY}/pulls/${number}`)).body;
  await hub.call('PATCH', `/repos/${REPOSITORY}/pulls/${number}`, { state: 'closed' });
  const github = openGitHub({ token: TOKEN, apiUrl: hub.url, repository: REPOSITORY });
  expect(await github.openPull(REPOSITORY, 'closed', head.sha)).toMatchObject({ ok: true, value: undefined });
});
