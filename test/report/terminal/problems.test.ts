import { expect, test } from '@jest/globals';
import { problemsText } from '../../../src/report/terminal/problems.js';

const PLAIN = { colour: false } as const;

test('problemsText() prints one line a problem, in a form that editors link', () => {
  const location = { kind: 'policy' as const, file: 'policies/fleet.yml', line: 3, column: 7 };
  const found = [
    { id: 'b', level: 'warning', message: 'Second.', location: { ...location, line: 9 } },
    { id: 'a', level: 'error', message: 'First.', hint: 'Mend it.', location },
  ] as const;
  expect(problemsText(found, PLAIN)).toBe(
    'policies/fleet.yml:3:7: First. Mend it.\npolicies/fleet.yml:9:7: warning: Second.\n',
  );
});
