/** The inputs of the action, checked. */
import { expect, test } from '@jest/globals';
import { readInputs } from '../../src/action/inputs.js';

test('every wrong value is reported at once, with what it may be', () => {
  const given: Record<string, string> = { command: 'destroy', comment: 'yes', 'fail-on': 'all' };
  const read = readInputs((name) => given[name] ?? '');
  expect(read.problems.map(({ message }) => message)).toEqual([
    'Invalid value `destroy` for the input `command`.',
    'Invalid value `yes` for the input `comment`.',
    'Invalid value `all` for the input `fail-on`.',
  ]);
});

test('a passphrase that is too short to be kept out of reports is refused, and not shown', () => {
  const read = readInputs((name) => (name === 'ssh-key-passphrase' ? 'q7z' : ''));
  expect(read.problems).toMatchObject([{ id: 'bad-input', hint: expect.stringContaining('ssh-keygen -p') }]);
  expect(JSON.stringify(read)).not.toContain('q7z');
});
