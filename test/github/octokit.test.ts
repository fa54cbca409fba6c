/** Whose comment it is: by it alone a text with our marker is ours. */
import { expect, test } from '@jest/globals';
import { isOurs, type RepositoryApi } from '../../src/github/octokit.js';

const as = (viewer: string | undefined) => ({ viewer: async () => viewer }) as RepositoryApi;

test.each<readonly [string | undefined, { readonly login: string; readonly type?: string } | null, boolean]>([
  ['github-actions[bot]', { login: 'github-actions[bot]', type: 'Bot' }, true],
  ['github-actions', { login: 'github-actions[bot]', type: 'Bot' }, true],
  ['anna', { login: 'anna', type: 'User' }, true],
  ['anna', { login: 'eve', type: 'User' }, false],
  // The bare name of an app is free for anyone to take.
  ['our-firewall[bot]', { login: 'our-firewall', type: 'User' }, false],
  [undefined, { login: 'eve', type: 'User' }, false],
  [undefined, { login: 'github-actions[bot]', type: 'Bot' }, true],
  ['anna', null, false],
])('acting as %s, %j is us: %s', async (viewer, user, ours) => {
  expect(await isOurs(as(viewer), user)).toBe(ours);
});
