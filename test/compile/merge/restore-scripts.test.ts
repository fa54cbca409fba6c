import { describe, expect, test } from '@jest/globals';
import { replaceManaged } from '../../../src/compile/merge/replace-managed.js';
import { restoreScripts } from '../../../src/compile/merge/restore-scripts.js';
import { compiled } from '../fleet.js';
import { DOCKER, FAIL2BAN, read } from '../foreign.js';

const HTTP = compiled('input:\n  - allow: http\n    reason: why\n');
const HTTPS = compiled('input:\n  - allow: https\n    reason: why\n');
const NONE = { v4: '', v6: '', sets: '', setsAfter: '' };

const lines = (text: string): readonly string[] =>
  text.split('\n').filter((line) => !line.startsWith('-A SALLYPORT-'));

test('the first activation: policies, chains and hooks in one commit, nothing of others named', () => {
  const live = read(DOCKER);
  const { v4 } = restoreScripts(live, replaceManaged(live, HTTP, 'chains').next);
  expect(lines(v4)).toEqual([
    '*filter',
    ':INPUT DROP [0:0]',
    ':SALLYPORT-FORWARD - [0:0]',
    ':SALLYPORT-INPUT - [0:0]',
    ':SALLYPORT-OUTPUT - [0:0]',
    '-I INPUT 1 -j SALLYPORT-INPUT',
    '-I FORWARD 3 -j SALLYPORT-FORWARD',
    '-I OUTPUT 1 -j SALLYPORT-OUTPUT',
    'COMMIT',
    '',
  ]);
});

test('a changed rule writes its chain and nothing else', () => {
  const { v4, ...rest } = restoreScripts(HTTP, { ...HTTP, v4: HTTPS.v4 });
  expect(lines(v4)).toEqual(['*filter', ':SALLYPORT-INPUT - [0:0]', 'COMMIT', '']);
  expect({ ...rest, v4: '' }).toEqual(NONE);
});

test('nothing that differs is nothing to do', () => {
  expect(restoreScripts(HTTP, HTTP)).toEqual(NONE);
  expect(restoreScripts(read(''), read('*filter\n:INPUT ACCEPT [3:4]\nCOMMIT\n'))).toEqual(NONE);
});

test('the backward script removes entry jumps before their chains', () => {
  const live = read(FAIL2BAN);
  const { v4 } = restoreScripts(replaceManaged(live, HTTP, 'chains').next, live);
  expect(lines(v4)).toEqual([
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':SALLYPORT-FORWARD - [0:0]',
    ':SALLYPORT-INPUT - [0:0]',
    ':SALLYPORT-OUTPUT - [0:0]',
    '-D INPUT -j SALLYPORT-INPUT',
    '-D FORWARD -j SALLYPORT-FORWARD',
    '-D OUTPUT -j SALLYPORT-OUTPUT',
    '-X SALLYPORT-FORWARD',
    '-X SALLYPORT-INPUT',
    '-X SALLYPORT-OUTPUT',
    'COMMIT',
    '',
  ]);
});

test('an entry jump that comes last is appended, so that a foreign rule removed meanwhile does not matter', () => {
  const live = read(FAIL2BAN.replace(/-A INPUT .*ACCEPT\n/g, ''));
  const { v4 } = restoreScripts(live, replaceManaged(live, HTTP, 'chains').next);
  expect(v4).toContain('\n-A INPUT -j SALLYPORT-INPUT\n');
});

test('a set that a broken run left behind is cleared away first', () => {
  const left = read('', '', 'create SALLYPORT-TMP hash:net family inet\n');
  expect(restoreScripts(left, HTTP).sets).toBe('destroy SALLYPORT-TMP\n');
  expect(replaceManaged(left, HTTP, 'chains').next.sets).toEqual([]);
});

describe('a set that changes', () => {
  const set = (members: readonly string[], options = 'family inet maxelem 65536') =>
    read(
      '',
      '',
      `create SALLYPORT-app-4 hash:net ${options}\n${members.map((member) => `add SALLYPORT-app-4 ${member}\n`).join('')}`,
    );

  test('gets its new members before the rules change, and loses the old ones after them', () => {
    const [old, next] = [set(['10.0.0.1', '10.0.0.2']), set(['10.0.0.2', '10.0.0.3'])];
    const add = { sets: 'add SALLYPORT-app-4 10.0.0.3\n', setsAfter: 'del SALLYPORT-app-4 10.0.0.1\n' };
    expect(restoreScripts(old, next)).toEqual({ ...NONE, ...add });
    const back = { sets: 'add SALLYPORT-app-4 10.0.0.1\n', setsAfter: 'del SALLYPORT-app-4 10.0.0.3\n' };
    expect(restoreScripts(next, old)).toEqual({ ...NONE, ...back });
  });

  test.each([
    ['is made with other options', 'family inet maxelem 8', 'family inet maxelem 16'],
    ['has no room for both', 'family inet maxelem 3', 'family inet maxelem 3'],
  ])('and %s is swapped with a new one', (_, before, after) => {
    const old = set(['10.0.0.1', '10.0.0.2'], before);
    expect(restoreScripts(old, set(['10.0.0.3', '10.0.0.4'], after))).toEqual({
      ...NONE,
      sets: `create SALLYPORT-TMP hash:net ${after}
add SALLYPORT-TMP 10.0.0.3
add SALLYPORT-TMP 10.0.0.4
swap SALLYPORT-TMP SALLYPORT-app-4
destroy SALLYPORT-TMP
`,
    });
  });
});
