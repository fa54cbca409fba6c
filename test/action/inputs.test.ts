/** The inputs of the action, checked. */
import { expect, test } from '@jest/globals';
import { readInputs } from '../../src/action/inputs.js';

test('every wrong value is reported at once, with what it may be', () => {
  const given: Record<string, string> = { command: 'destroy', comment: 'yes', 'fail-on': 'all' };
  const read = readInputs((name) => given[name] ?? '');
  expect(read.problems.map(({ message }) => message)).toEqual([
    'The input `command` cannot be `destroy`.',
    'The input `comment` cannot be `yes`.',
    'The input `fail-on` cannot be `all`.',
  ]);
});
