/** Imports texts, for tests. */
import { importHosts } from '../../src/commands/import.js';
import type { Imported } from '../../src/import/model.js';
import { formatProblem, type Result } from '../../src/lib/problem.js';

const TODAY = '2026-07-01';

export interface Texts {
  readonly v4?: string;
  readonly v6?: string;
  readonly sets?: string;
}

/** The import of one host `h` at 192.0.2.10, or of several by name. */
export function importOf(
  hosts: Texts | { readonly [name: string]: Texts },
  admin?: readonly string[],
): Promise<Result<Imported>> {
  const named: { readonly [name: string]: Texts } = isTexts(hosts) ? { h: hosts } : hosts;
  const files = Object.entries(named).flatMap(([name, texts]) =>
    (['v4', 'v6', 'sets'] as const).flatMap((kind) => {
      const text = texts[kind];
      return text === undefined ? [] : [{ name, path: `${name}.${kind}`, text }];
    }),
  );
  return importHosts(
    {
      targets: Object.keys(named).map((name, index) => ({
        name,
        address: `192.0.2.${index + 10}`,
        port: 22,
      })),
      files,
      user: 'deploy',
      today: TODAY,
      admin,
    },
    async () => ({ ok: false, problems: [] }),
  );
}

const isTexts = (hosts: object): hosts is Texts => 'v4' in hosts || 'v6' in hosts || 'sets' in hosts;

export const messagesOf = (result: Result<unknown>): readonly string[] => result.problems.map(formatProblem);
export const ids = (result: Result<unknown>): readonly string[] => [
  ...new Set(result.problems.map(({ id }) => id)),
];
