import { expect, test } from '@jest/globals';
import { readFleet } from '../../src/policy/load.js';
import { BASE } from './policy.js';

test('a thousand hosts with fifty rules each load in under two seconds', () => {
  const rules = Array.from(
    { length: 50 },
    (_, index) => `  - allow: tcp/${1000 + index}\n    from: [app, admin]\n    reason: Reason ${index}\n`,
  ).join('');
  const hosts = Array.from(
    { length: 1000 },
    (_, index) =>
      [`p/hosts/h${index}.yml`, `address: 10.1.${index >> 8}.${index & 255}\ninput:\n${rules}`] as const,
  );
  const base = Object.entries(BASE).map(([path, text]) => [`p/${path}`, text] as const);
  const started = performance.now();
  const fleet = readFleet(new Map([...base, ...hosts]), 'p');
  const milliseconds = performance.now() - started;
  expect(fleet.problems).toEqual([]);
  expect(fleet.ok && fleet.value.hosts.flatMap(({ input }) => input).length).toBe(50_001);
  expect(milliseconds).toBeLessThan(2000);
});
