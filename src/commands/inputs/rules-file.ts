import { readRuleset } from '../../compile/render.js';
import type { Family } from '../../lib/family.js';
import type { Result } from '../../lib/problem.js';
import type { Ruleset } from '../../netfilter/model.js';
import { parseSets } from '../../netfilter/sets.js';
import { parseSave } from '../../netfilter/text/parse.js';

/** What the doors have read, with the paths that problems will name. */
export type RulesFile =
  | { readonly kind: 'file'; readonly path: string; readonly text: string; readonly sets?: TextFile }
  /** As `sallyport render` writes it; an absent file is empty. */
  | {
      readonly kind: 'folder';
      readonly path: string;
      readonly v4?: string;
      readonly v6?: string;
      readonly sets?: string;
    };

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** @param family of a single file; default: from its name, else from its content */
export function readRulesFile(file: RulesFile, family?: Family): Result<Ruleset> {
  if (file.kind === 'folder') {
    const { path, v4 = '', v6 = '', sets = '' } = file;
    return readRuleset({ v4, v6, sets }, path);
  }
  const tables = readTables(file, family);
  const sets = parseSets(file.sets?.text ?? '', file.sets?.path ?? '');
  const problems = [...tables.problems, ...sets.problems];
  if (!tables.ok || !sets.ok) return { ok: false, problems };
  return { ok: true, value: { v4: [], v6: [], ...tables.value, sets: sets.value }, problems };
}

type OneFamily = Partial<Pick<Ruleset, Family>>;

function readTables({ path, text }: TextFile, family: Family | undefined): Result<OneFamily> {
  const read = (as: Family): Result<OneFamily> => {
    const parsed = parseSave(text, as, path);
    return parsed.ok ? { ...parsed, value: { [as]: parsed.value } } : parsed;
  };
  if (family !== undefined) return read(family);
  const guess = familyOfName(path);
  const first = read(guess);
  if (first.ok) return first;
  const second = read(guess === 'v4' ? 'v6' : 'v4');
  return second.ok ? second : first;
}

/** `rules.v6`, `ip6tables.save`, `web-1.v6`. */
export const familyOfName = (path: string): Family => (/(?:v6|ip6|ipv6)[^/]*$/i.test(path) ? 'v6' : 'v4');
