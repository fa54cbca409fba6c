import { describe, expect, test } from '@jest/globals';
import { githubDescription } from './openapi.js';

const description = githubDescription();
const repo = '/repos/firewall-bot/fleet';

describe("GitHub's API description accepts valid requests and rejects invalid ones", () => {
  test.each([
    ['POST', `${repo}/issues/1/comments`, { body: 'Text.' }, 0],
    ['POST', `${repo}/issues/1/comments`, { text: 'Text.' }, 1],
    ['POST', `${repo}/issues/1/comments`, undefined, 1],
    ['GET', `${repo}/issues/1/comments?per_page=100&page=2`, undefined, 0],
    ['GET', `${repo}/issues?labels=a&state=every`, undefined, 1],
    ['GET', `${repo}/issues?colour=red`, undefined, 1],
    ['PATCH', `${repo}/git/refs/heads/sallyport/adopt-drift`, { sha: 'a'.repeat(40), force: false }, 0],
    ['POST', `${repo}/deployments/1/statuses`, { state: 'done' }, 1],
    ['DELETE', repo, undefined, 1],
  ])('%s %s %j', (method, path, body, faults) => {
    expect(description.request({ method, path, body })).toHaveLength(faults);
  });

  test('an answer without what GitHub always sends, and a status that it never sends', () => {
    const asked = { method: 'POST', path: `${repo}/deployments/1/statuses`, body: {} };
    expect(description.answer(asked, 201, { id: 1 })).toHaveLength(1);
    expect(description.answer(asked, 204, null)).toHaveLength(1);
    expect(description.answer(asked, 500, { message: 'broken' })).toEqual([]);
  });
});
