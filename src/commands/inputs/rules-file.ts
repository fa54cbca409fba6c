import { readRuleset } from '../../compile/render.js';
import type { Family } from '../../lib/family.js';
import { error, failure, type Result } from '../../lib/problem.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { NftRuleset } from '../../netfilter/nftables/model.js';
import { nativeTablesText, readNftables } from '../../netfilter/nftables/read.js';
import { parseSets } from '../../netfilter/sets.js';
import { parseSave } from '../../netfilter/text/parse.js';

/** What the doors have read, with the paths that problems will name. */
export type RulesFile =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly text: string;
      readonly sets?: TextFile;
      readonly nft?: TextFile;
    }
  /** As `sallyport render` writes it; an absent file is empty. */
  | {
      readonly kind: 'folder';
      readonly path: string;
      readonly v4?: string;
      readonly v6?: string;
      readonly sets?: string;
      readonly nft?: TextFile;
    };

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** @param family of a single file; default: from its name, else from its content */
export function readRulesFile(file: RulesFile, family?: Family): Result<Ruleset> {
  if (file.kind === 'folder') {
    const { path, v4 = '', v6 = '', sets = '' } = file;
    const nft = readListing(file.nft);
    const rules = readRuleset({ v4, v6, sets }, path);
    if (rules.ok && nft.ok) return { ...rules, value: { ...rules.value, nft: nft.value } };
    return { ok: false, problems: [...rules.problems, ...nft.problems] };
  }
  const tables = readTables(file, family);
  const sets = parseSets(file.sets?.text ?? '', file.sets?.path ?? '');
  const nft = readListing(file.nft);
  const problems = [...tables.problems, ...sets.problems, ...nft.problems];
  if (!tables.ok || !sets.ok || !nft.ok) return { ok: false, problems };
  return { ok: true, value: { v4: [], v6: [], ...tables.value, sets: sets.value, nft: nft.value }, problems };
}

/** What `nft -j list ruleset` printed, or `<host>.nft.json` of a recorded state. */
export function readListing(file: TextFile | undefined): Result<NftRuleset | undefined> {
  if (file === undefined) return { ok: true, value: undefined, problems: [] };
  const { unread, ...nft } = readNftables(nativeTablesText([file.text], 'nft'));
  return unread === undefined
    ? { ok: true, value: nft, problems: [] }
    : failure(
        error('nft-json', `${file.path} is not the output of "nft -j list ruleset": ${unread}.`, {
          location: { kind: 'file', file: file.path, line: 1, column: 1 },
          hint: 'Write it on the host: nft -j list ruleset > nft.json.',
        }),
      );
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
