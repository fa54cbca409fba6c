/** The pull request that takes drift into the policy, against GitHub's API on this machine. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { AdoptionPull, GitHubClient, Marker } from '../../src/github/client.js';
import { openGitHub } from '../../src/github/github.js';
import type { Result } from '../../src/lib/problem.js';
import { EVE, type Hub, REPOSITORY, startHub, TOKEN } from './hub.js';

const BRANCH = 'sallyport/adopt-drift-production';
const repo = `/repos/${REPOSITORY}`;
const marker: Marker = { kind: 'adopt', environment: 'production', state: 'x' };

let hub: Hub;
let github: GitHubClient;
beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub.close());
beforeEach(() => {
  hub.requests.length = 0;
  hub.faults.length = 0;
  github = openGitHub({ token: TOKEN, apiUrl: hub.url, repository: REPOSITORY });
});

const value = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result.value;
};
const head = async (branch: string) =>
  (await hub.call('GET', `${repo}/branches/${branch}`)).body.commit.sha as string;
const adoption = async (
  text: string | undefined,
  over: Partial<AdoptionPull> = {},
): Promise<AdoptionPull> => ({
  base: 'main',
  commit: await head('main'),
  title: 'Take firewall drift into the policy',
  body: `It says ${text?.trim()}.`,
  files: text === undefined ? [] : [{ path: 'policies/hosts/web-1.yml', text }],
  ...over,
});
const textOn = async (branch: string): Promise<string> =>
  Buffer.from(
    (await hub.call('GET', `${repo}/contents/policies/hosts/web-1.yml?ref=${branch}`)).body.content,
    'base64',
  ).toString();
const pulls = async () =>
  (await hub.call('GET', `${repo}/pulls?state=all`)).body as {
    readonly number: number;
    readonly state: string;
    readonly body: string;
    readonly head: { readonly ref: string };
  }[];

test('is opened, left unchanged, updated on the same branch, merged, and opened again', async () => {
  expect(value(await github.adoptPull(marker, await adoption(undefined))).action).toBe('none');
  const first = value(await github.adoptPull(marker, await adoption('one\n')));
  expect(first.action).toBe('created');
  expect(await textOn(BRANCH)).toBe('one\n');
  const before = await head(BRANCH);

  expect(value(await github.adoptPull(marker, await adoption('one\n'))).action).toBe('unchanged');
  expect(await head(BRANCH)).toBe(before);

  const second = value(await github.adoptPull(marker, await adoption('two\n')));
  expect(second).toEqual({ action: 'updated', url: first.url });
  expect(await textOn(BRANCH)).toBe('two\n');
  const commit = await hub.call('GET', `${repo}/git/commits/${await head(BRANCH)}`);
  expect(commit.body.parents.map(({ sha }: { sha: string }) => sha)).toEqual([before, await head('main')]);
  expect((await pulls()).map(({ state, body }) => [state, body.split('\n')[1]])).toEqual([
    ['open', 'It says two.'],
  ]);

  const [pull] = await pulls();
  await hub.call('PUT', `${repo}/pulls/${pull?.number}/merge`, {});
  expect(value(await github.adoptPull(marker, await adoption('three\n'))).action).toBe('created');
  expect((await pulls()).map(({ state }) => state).toSorted()).toEqual(['closed', 'open']);
  expect(await textOn(BRANCH)).toBe('three\n');
  expect(hub.requests.some(({ body }) => (body as { force?: boolean } | undefined)?.force === true)).toBe(
    false,
  );
});

test('is closed with a comment when there is nothing left to adopt', async () => {
  const closed = value(
    await github.adoptPull(marker, await adoption(undefined, { body: 'Nothing is left.' })),
  );
  expect(closed.action).toBe('closed');
  const [open] = (await pulls()).filter(({ state }) => state === 'open');
  expect(open).toBeUndefined();
  expect(value(await github.adoptPull(marker, await adoption(undefined))).action).toBe('none');
});

test('never overwrites a commit of other people', async () => {
  value(await github.adoptPull(marker, await adoption('four\n')));
  await hub.call(
    'PUT',
    `${repo}/contents/mine.txt`,
    { message: 'Mine', content: Buffer.from('mine').toString('base64'), branch: BRANCH },
    TOKEN,
  );
  const theirs = await head(BRANCH);
  const refused = await github.adoptPull(marker, await adoption('five\n'));
  expect(refused).toMatchObject({ ok: false, problems: [{ id: 'adopt-branch-taken', level: 'warning' }] });
  expect(await head(BRANCH)).toBe(theirs);
});

test('of another environment has another branch, however similar their names are', async () => {
  const ofEnvironment = async (environment: string) => {
    hub.requests.length = 0;
    value(await github.adoptPull({ ...marker, environment }, await adoption(`${environment}\n`)));
    return hub.requests.find(({ method, path }) => method === 'POST' && path.endsWith('/pulls'))?.body;
  };
  const bodies = [await ofEnvironment('prod-eu'), await ofEnvironment('prod/eu')];
  expect(bodies).toMatchObject([
    { head: 'sallyport/adopt-drift-prod-eu' },
    { head: expect.stringMatching(/^sallyport\/adopt-drift-prod-eu-[0-9a-f]{8}$/) },
  ]);
});

test('of other people with our marker is not ours', async () => {
  const other: Marker = { ...marker, environment: 'staging' };
  await hub.call('POST', `${repo}/git/refs`, {
    ref: 'refs/heads/sallyport/adopt-drift-staging',
    sha: await head('main'),
  });
  const body = '<!-- sallyport adopt v1 environment=staging state=x -->\nTrust me.';
  await hub.call(
    'POST',
    `${repo}/pulls`,
    { title: 'x', head: 'sallyport/adopt-drift-staging', base: 'main', body },
    EVE,
  );
  const refused = await github.adoptPull(other, await adoption('six\n'));
  expect(refused.ok).toBe(false);
});

test('a repository where workflows must not open pull requests gets a hint how to allow it', async () => {
  hub.faults.push({
    when: ({ method, path }) => method === 'POST' && path.endsWith('/pulls'),
    status: 403,
    message: 'GitHub Actions is not permitted to create or approve pull requests.',
  });
  const refused = await github.adoptPull({ ...marker, environment: 'lab' }, await adoption('seven\n'));
  expect(refused).toMatchObject({
    ok: false,
    problems: [
      { id: 'github-forbidden', hint: expect.stringContaining('Allow GitHub Actions to create and approve') },
    ],
  });
});
