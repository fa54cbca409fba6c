import { expect, test } from '@jest/globals';
import { problemsMarkdown } from '../../../src/report/markdown/problems.js';
import { expectGolden } from '../golden.js';

test('problemsMarkdown() lists errors first', () => {
  const location = { kind: 'policy' as const, file: 'policies/roles/web.yml', line: 3, column: 7 };
  expectGolden(
    'problems.md',
    problemsMarkdown('The firewall policy has problems', [
      { id: 'b', level: 'warning', message: 'This rule expires in 3 days.', location },
      {
        id: 'a',
        level: 'error',
        message: 'Unknown key `form`.',
        hint: 'Did you mean `from`?',
        location,
      },
    ]),
  );
});

test('special characters in the name of a file do not end its link', () => {
  const odd = {
    kind: 'policy' as const,
    file: 'policies/a](https://evil.example) `b`.yml',
    line: 1,
    column: 1,
  };
  const text = problemsMarkdown('Problems', [{ id: 'a', level: 'error', message: 'No.', location: odd }]);
  expect(text).not.toContain('](');
});
