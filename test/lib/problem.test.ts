import { byLocation, error, formatProblem, hasErrors, warning } from '../../src/lib/problem.js';

const location = { kind: 'policy' as const, file: 'policies/fleet.yml', line: 3, column: 7 };

test('a problem reads as file:line:column, what is wrong, and how to mend it', () => {
  expect(
    formatProblem(
      error('bad-port', 'Port 70000 is out of range.', { location, hint: 'Use a port from 1 to 65535.' }),
    ),
  ).toBe('policies/fleet.yml:3:7: Port 70000 is out of range. Use a port from 1 to 65535.');
});

test('a warning says so', () => {
  expect(formatProblem(warning('unused-name', 'Nothing uses it.', { location }))).toBe(
    'policies/fleet.yml:3:7: warning: Nothing uses it.',
  );
});

test('problems sort by location, those without one last', () => {
  const nowhere = error('a', 'a');
  const late = error('b', 'b', { location: { ...location, line: 9 } });
  const early = error('c', 'c', { location });
  expect([nowhere, late, early].sort(byLocation)).toEqual([early, late, nowhere]);
});

test('only an error counts as one', () => {
  expect(hasErrors([warning('a', 'a')])).toBe(false);
  expect(hasErrors([warning('a', 'a'), error('b', 'b')])).toBe(true);
});
