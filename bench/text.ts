/** Benchmarks that need no host: formatting, rendering, comparing. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFleet } from './fleet.js';
import { measure } from './measure.js';
import type { Row } from './report.js';
import { overlapping, realistic, typical } from './rulesets.js';

export async function textBench(folder: string): Promise<readonly Row[]> {
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const fleet = join(folder, 'fleet');
  mkdirSync(fleet);
  writeFleet(fleet, 1000, 50);
  const built = join(folder, 'build');
  const rows: Row[] = [];
  const add = async (
    name: string,
    args: readonly string[],
    expected: readonly number[],
    limit: { readonly seconds: number; readonly megabytes?: number },
    runs = 5,
  ): Promise<void> => {
    const measured = await measure(args, expected, runs);
    rows.push({ name, ...measured, limit });
  };
  await add('fmt, 6,000 rules', ['fmt', file('fmt.v4', realistic(6000, 'v4', 0))], [0], { seconds: 0.4 });
  await add(
    'fmt, 60,000 rules',
    ['fmt', file('fmt10.v4', realistic(60_000, 'v4', 0))],
    [0],
    { seconds: 4 },
    3,
  );
  await add(
    'render, 1,000 hosts of 50 rules',
    ['render', '--policies', fleet, '--out', built],
    [0],
    { seconds: 4, megabytes: 400 },
    3,
  );
  await add(
    'check, the same 1,000 hosts',
    ['check', '--policies', fleet],
    [0],
    { seconds: 4, megabytes: 400 },
    3,
  );
  await add(
    'compare, 300 rules',
    ['compare', file('a.v4', typical(300, 0)), file('b.v4', typical(300, 1))],
    [2],
    { seconds: 0.35 },
  );
  for (const family of ['v4', 'v6'] as const)
    await add(
      `compare, 5,000 rules ${family}`,
      [
        'compare',
        file(`old.${family}`, realistic(5000, family, 0)),
        file(`new.${family}`, realistic(5000, family, 1)),
        ...(family === 'v6' ? ['--family', 'v6'] : []),
      ],
      [2],
      { seconds: 2, megabytes: 400 },
      3,
    );
  await add(
    'compare, 3,000 random rules',
    ['compare', file('c.v4', overlapping(3000, 1)), file('d.v4', overlapping(3000, 2))],
    [1, 2],
    { seconds: 10, megabytes: 1000 },
    1,
  );
  return rows;
}
