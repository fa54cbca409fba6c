/** ipsets as `ipset save` prints them and `ipset restore` reads them. */

import { FAMILIES } from '../lib/family.js';
import { ADDRESS_BITS, familyOf, parseAddress } from '../lib/ip.js';
import { nearest } from '../lib/nearest.js';
import { byLocation, error, type Problem, type Result, type SourceLocation } from '../lib/problem.js';
import { isRefusal } from './extensions/row.js';
import { canonicalNetwork } from './extensions/values.js';
import type { IpSet } from './model.js';
import { type Token, tokenise } from './text/tokens.js';

/** IPSET_MAXNAMELEN with its final zero byte is 32. */
const NAME_BYTES = 31;

interface OpenSet {
  readonly set: Omit<IpSet, 'members'>;
  readonly members: Set<string>;
}

interface Reader {
  readonly file: string;
  readonly problems: Problem[];
  readonly sets: Map<string, OpenSet>;
  line: number;
}

/**
 * Parses the text of `ipset save`. Members come sorted (the kernel prints them in the order of its hash table, which
 * differs from one load to the next); lists of sets come after the sets that they may name.
 */
export function parseSets(text: string, file: string): Result<readonly IpSet[]> {
  const reader: Reader = { file, problems: [], sets: new Map(), line: 0 };
  for (const line of text.split('\n')) {
    reader.line++;
    if (line.endsWith('\r'))
      report(
        reader,
        'carriage-return',
        'The line has a Windows line end.',
        line.length,
        'Save the file with Unix line ends (LF).',
      );
    else if (line.trim() !== '' && !line.startsWith('#')) readLine(reader, line);
  }
  const problems = reader.problems.toSorted(byLocation);
  if (problems.length > 0) return { ok: false, problems };
  const sets = [...reader.sets.values()].map(({ set, members }) => ({
    ...set,
    members: sortedMembers([...members]),
  }));
  return { ok: true, value: inSetOrder(sets), problems };
}

/** The text that `ipset restore` reads, equal for equal sets; empty without sets. */
export function printSets(sets: readonly IpSet[]): string {
  return inSetOrder(sets)
    .flatMap((set) => [
      `create ${set.name} ${set.type}${set.options === '' ? '' : ` ${set.options}`}`,
      ...sortedMembers(set.members).map((member) => `add ${set.name} ${member}`),
    ])
    .map((line) => `${line}\n`)
    .join('');
}

/** Type and options of a set without those that only size its hash table. */
export function setMeaning(set: IpSet): string {
  const options = set.options.replace(/ ?\b(hashsize \d+|bucketsize \d+|initval \S+)/g, '').trim();
  return `${set.type} ${options}`;
}

function report(reader: Reader, id: string, message: string, column: number, hint?: string): void {
  reader.problems.push(
    error(id, message, { location: { kind: 'host', file: reader.file, line: reader.line, column }, hint }),
  );
}

const VERBS: Readonly<Record<string, (reader: Reader, verb: Token, words: readonly Token[]) => void>> = {
  create: readCreate,
  '-N': readCreate,
  add: readAdd,
  '-A': readAdd,
};

function readLine(reader: Reader, line: string): void {
  const tokens = tokenise(line);
  if ('openQuote' in tokens) {
    report(reader, 'open-quote', 'Unclosed double quote.', tokens.openQuote, 'Close it.');
    return;
  }
  const [verb, ...words] = tokens.filter((token) => token.text !== '-exist' && token.text !== '-!');
  if (verb === undefined) return;
  const read = VERBS[verb.text];
  if (read === undefined)
    report(
      reader,
      'unknown-word',
      `"${verb.text}" is not a command of ipset save.`,
      verb.column,
      'Write create or add.',
    );
  else read(reader, verb, words);
}

function readCreate(reader: Reader, verb: Token, words: readonly Token[]): void {
  const [name, type, ...options] = words;
  if (name === undefined || type === undefined) {
    report(
      reader,
      'missing-value',
      'create needs a name and a type.',
      verb.column,
      'Write it as create NAME hash:net family inet.',
    );
    return;
  }
  if (Buffer.byteLength(name.text) > NAME_BYTES)
    report(
      reader,
      'bad-set-name',
      `The name ${name.text} is longer than ${NAME_BYTES} bytes.`,
      name.column,
      'Shorten it.',
    );
  if (!/^(hash|bitmap|list):[a-z,]+$/.test(type.text))
    report(
      reader,
      'bad-set-type',
      `"${type.text}" is not a valid set type.`,
      type.column,
      'Write one such as hash:net, hash:ip or list:set.',
    );
  if (reader.sets.has(name.text)) {
    report(reader, 'set-twice', `Duplicate set ${name.text}.`, name.column, 'Remove one of the two lines.');
    return;
  }
  const location: SourceLocation = {
    kind: 'host',
    file: reader.file,
    line: reader.line,
    column: verb.column,
  };
  const set = { name: name.text, type: type.text, options: join(options), location };
  reader.sets.set(name.text, { set, members: new Set() });
}

function readAdd(reader: Reader, verb: Token, words: readonly Token[]): void {
  const [name, ...member] = words;
  if (name === undefined || member.length === 0) {
    report(
      reader,
      'missing-value',
      'add needs a set and a member.',
      verb.column,
      'Write it as add NAME 10.0.0.0/8.',
    );
    return;
  }
  const open = reader.sets.get(name.text);
  if (open === undefined) {
    const near = nearest(name.text, [...reader.sets.keys()]);
    const hint = near === undefined ? 'Create it on a line before.' : `Did you mean ${near}?`;
    report(reader, 'unknown-set', `There is no set ${name.text}.`, name.column, hint);
    return;
  }
  open.members.add(canonicalMember(member));
}

/** The options of a create line, unchanged. */
const join = (words: readonly Token[]): string => words.map(({ text }) => text).join(' ');

/** Options of a member in the order in which `ipset save` prints them, and whether a value follows. */
const MEMBER_OPTIONS: ReadonlyMap<string, boolean> = new Map([
  ['timeout', true],
  ['nomatch', false],
  ['packets', true],
  ['bytes', true],
  ['comment', true],
  ['skbmark', true],
  ['skbprio', true],
  ['skbqueue', true],
]);
const MEMBER_ORDER = [...MEMBER_OPTIONS.keys()];

/** `10.1.2.3/8 comment x timeout 5` → `10.0.0.0/8 timeout 5 comment "x"`. */
function canonicalMember([element, ...words]: readonly Token[]): string {
  const options: { readonly name: string; readonly text: string }[] = [];
  for (let index = 0; index < words.length; index++) {
    const name = words[index]?.text ?? '';
    const value = MEMBER_OPTIONS.get(name) ? words[++index]?.text : undefined;
    const spelled = name === 'comment' ? `"${value ?? ''}"` : value;
    options.push({ name, text: spelled === undefined ? name : `${name} ${spelled}` });
  }
  const ordered = options.toSorted((a, b) => MEMBER_ORDER.indexOf(a.name) - MEMBER_ORDER.indexOf(b.name));
  const parts = (element?.text ?? '').split(',').map(canonicalPart);
  return [parts.join(','), ...ordered.map(({ text }) => text)].join(' ');
}

/** An address or network as ipset prints it, without the mask of a single host; anything else unchanged. */
function canonicalPart(text: string): string {
  for (const family of FAMILIES) {
    const network = canonicalNetwork(text, family);
    if (!isRefusal(network)) return network.replace(family === 'v4' ? /\/32$/ : /\/128$/, '');
  }
  return text;
}

/** The order in which sets load: lists of sets after the sets that they may name. */
export const inSetOrder = (sets: readonly IpSet[]): readonly IpSet[] =>
  sets.toSorted(
    (a, b) =>
      Number(a.type === 'list:set') - Number(b.type === 'list:set') ||
      (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );

/** Addresses by number, everything else by text. A set may have 100,000 members: each key is made once. */
function sortedMembers(members: readonly string[]): readonly string[] {
  const keyed = members.map((member): readonly [string, string] => [sortKey(member), member]);
  const isSorted = keyed.every((each, index) => index === 0 || byKey(keyed[index - 1] ?? each, each) <= 0);
  return isSorted ? members : keyed.sort(byKey).map(([, member]) => member);
}

const byKey = ([left, a]: readonly [string, string], [right, b]: readonly [string, string]): number =>
  left < right ? -1 : left > right ? 1 : a < b ? -1 : a > b ? 1 : 0;

function sortKey(member: string): string {
  const text = /^[0-9a-fA-F.:]+/.exec(member)?.[0] ?? '';
  const family = familyOf(text);
  return (
    parseAddress(text, family)
      ?.toString(16)
      .padStart(ADDRESS_BITS[family] / 4, '0') ?? member
  );
}
