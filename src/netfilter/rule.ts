/**
 * One rule's words, read the way iptables reads its command line (getopt over a list of options that grows with every
 * `-m` and `-j`), made canonical through the table of extensions.
 */
import { findExtension } from './extensions/index.js';
import type { Counters, Extension, Family, Negatable, Option, Rule, Target } from './model.js';
import { protocolName, protocolNumber } from './protocols.js';
import {
  type ExtensionRow,
  forFamily,
  isRefusal,
  type OptionRow,
  type Refusal,
  refuse,
  type ValueContext,
} from './row.js';
import { quote, type Token } from './tokens.js';
import { canonicalNetwork } from './values.js';

/** A refusal and the word it is about. */
export interface Fault {
  readonly id: string;
  readonly message: string;
  readonly hint?: string;
  readonly column: number;
}

export type RuleResult = { readonly rules: readonly Rule[] } | { readonly faults: readonly Fault[] };

interface Given {
  readonly row: OptionRow | undefined;
  readonly option: Option;
  readonly quoted: readonly boolean[];
}

/** An extension while its options are being collected. */
interface Loaded {
  readonly kind: ExtensionRow['kind'];
  readonly name: string;
  readonly row: ExtensionRow | undefined;
  readonly column: number;
  readonly given: Given[];
}

interface State {
  readonly family: Family;
  readonly tokens: readonly Token[];
  readonly faults: Fault[];
  readonly matches: Loaded[];
  at: number;
  negated: Token | undefined;
  target: (Loaded & { readonly goto: boolean }) | undefined;
  protocol: { readonly number: number; readonly negated: boolean } | undefined;
  /** `-p tcp` loads its match once, on the first option that nothing else knows. */
  implied: boolean;
  /** `-4` or `-6` says that the rule is not for this family. */
  otherFamily: boolean;
  source: Addresses | undefined;
  destination: Addresses | undefined;
  inInterface: Negatable | undefined;
  outInterface: Negatable | undefined;
  fragment: { readonly negated: boolean } | undefined;
  counters: Counters | undefined;
}

interface Addresses {
  readonly values: readonly string[];
  readonly negated: boolean;
}

/** Reads the words after `-A CHAIN`. One text becomes several rules when `-s` or `-d` lists addresses. */
export function readRule(tokens: readonly Token[], family: Family, counters?: Counters): RuleResult {
  const state: State = {
    family,
    tokens,
    faults: [],
    matches: [],
    at: 0,
    negated: undefined,
    target: undefined,
    protocol: undefined,
    implied: false,
    otherFamily: false,
    source: undefined,
    destination: undefined,
    inInterface: undefined,
    outInterface: undefined,
    fragment: undefined,
    counters,
  };
  while (state.at < tokens.length) readWord(state);
  if (state.negated !== undefined) fault(state, state.negated, 'bad-negation', '"!" stands before nothing.');
  const finished = [...state.matches, ...(state.target === undefined ? [] : [state.target])].map((loaded) =>
    finish(state, loaded),
  );
  if (state.otherFamily) return { rules: [] };
  if (state.faults.length > 0) return { faults: state.faults };
  return { rules: expand(state, finished) };
}

function fault(
  state: State,
  token: { readonly column: number },
  id: string,
  message: string,
  hint?: string,
): void {
  state.faults.push({ id, message, column: token.column, ...(hint === undefined ? {} : { hint }) });
}

function readWord(state: State): void {
  const token = state.tokens[state.at] as Token;
  state.at++;
  const { text } = token;
  if (text === '!') {
    if (state.negated !== undefined)
      fault(state, token, 'bad-negation', 'Two "!" in a row mean nothing.', 'Remove one or both.');
    state.negated = token;
    return;
  }
  if (text.startsWith('--') && text.length > 2) readLong(state, token);
  else if (text.startsWith('-') && text.length > 1 && text !== '--') readShort(state, token);
  else strayWord(state, token);
  state.negated = undefined;
}

function strayWord(state: State, token: Token): void {
  const unknown = latestUnknown(state);
  if (unknown !== undefined && unknown.given.length > 0) {
    const last = unknown.given.pop() as Given;
    const { flag, negated, values } = last.option;
    unknown.given.push({
      row: undefined,
      option: { flag, negated, values: [...values, token.text] },
      quoted: [...last.quoted, token.quoted],
    });
    return;
  }
  fault(
    state,
    token,
    'bad-word',
    `"${token.text}" does not belong here.`,
    'Quote a value that has spaces in it.',
  );
}

/** The core options: letter, long names, and what each does with its value. */
interface Core {
  readonly letter: string;
  readonly long: readonly string[];
  readonly argument: boolean;
  readonly read: (state: State, value: Token, flag: Token) => void;
}

const CORE: readonly Core[] = [
  { letter: 'p', long: ['--protocol'], argument: true, read: readProtocol },
  { letter: 's', long: ['--source', '--src'], argument: true, read: addresses('source') },
  { letter: 'd', long: ['--destination', '--dst'], argument: true, read: addresses('destination') },
  { letter: 'i', long: ['--in-interface'], argument: true, read: interfaceOf('inInterface') },
  { letter: 'o', long: ['--out-interface'], argument: true, read: interfaceOf('outInterface') },
  { letter: 'f', long: ['--fragments'], argument: false, read: readFragment },
  { letter: 'm', long: ['--match'], argument: true, read: readMatch },
  { letter: 'j', long: ['--jump'], argument: true, read: readTarget(false) },
  { letter: 'g', long: ['--goto'], argument: true, read: readTarget(true) },
  { letter: 'c', long: ['--set-counters'], argument: true, read: readCounters },
  { letter: '4', long: ['--ipv4'], argument: false, read: onlyFor('v4') },
  { letter: '6', long: ['--ipv6'], argument: false, read: onlyFor('v6') },
  // How a listing would look; restore takes it and it changes nothing.
  { letter: 'v', long: ['--verbose'], argument: false, read: () => undefined },
];

const CORE_BY_LETTER = new Map(CORE.map((core) => [core.letter, core]));
const CORE_LONG = new Map(CORE.flatMap((core) => core.long.map((name) => [name, core] as const)));

function readShort(state: State, token: Token): void {
  const { text } = token;
  for (let index = 1; index < text.length; index++) {
    const core = CORE_BY_LETTER.get(text.charAt(index));
    if (core === undefined) {
      unknownOption(state, token);
      return;
    }
    if (!core.argument) {
      core.read(state, token, token);
      continue;
    }
    const attached = text.slice(index + 1);
    const value = attached === '' ? takeArgument(state, token) : { ...token, text: attached };
    if (value !== undefined) core.read(state, value, token);
    return;
  }
}

function takeArgument(state: State, flag: Token): Token | undefined {
  const value = state.tokens[state.at];
  if (value === undefined) {
    fault(state, flag, 'missing-value', `${flag.text} needs a value.`);
    return undefined;
  }
  state.at++;
  if (value.text === '!' && !value.quoted)
    fault(
      state,
      value,
      'bad-negation',
      `"!" stands after ${flag.text}.`,
      `Write it before: ! ${flag.text} ….`,
    );
  return value;
}

function readLong(state: State, token: Token): void {
  const cut = token.text.indexOf('=');
  const name = cut === -1 ? token.text : token.text.slice(0, cut);
  const attached = cut === -1 ? undefined : { ...token, text: token.text.slice(cut + 1) };
  const found = lookUp(state, name);
  if (found === undefined) {
    if (!implyProtocolMatch(state, name)) unknownOption(state, token);
    else readLong(state, token);
    return;
  }
  if ('read' in found) {
    const value = found.argument ? (attached ?? takeArgument(state, token)) : token;
    if (value !== undefined) found.read(state, value, token);
    return;
  }
  const values = takeValues(state, token, found.row, attached);
  if (values === undefined) return;
  const context = { family: state.family, ...protocolContext(state) };
  const canonical = values.map((value, index) => {
    const parsed = found.row.values[index]?.parse(value.text, context) ?? value.text;
    if (!isRefusal(parsed)) return parsed;
    fault(state, value, 'bad-value', `${token.text} ${parsed.refused}.`, parsed.hint);
    return value.text;
  });
  const negated = state.negated !== undefined;
  if (negated && !found.row.negatable)
    fault(state, token, 'bad-negation', `${found.row.flag} of ${found.loaded.name} cannot be negated.`);
  if (!found.row.repeatable && found.loaded.given.some((each) => each.row === found.row))
    fault(
      state,
      token,
      'option-twice',
      `${found.row.flag} of ${found.loaded.name} stands twice.`,
      'Keep one of them.',
    );
  found.loaded.given.push({
    row: found.row,
    option: { flag: found.row.flag, negated, values: canonical },
    quoted: [],
  });
}

function takeValues(
  state: State,
  flag: Token,
  row: OptionRow,
  attached: Token | undefined,
): Token[] | undefined {
  if (attached !== undefined && row.values.length === 0) {
    fault(state, attached, 'bad-value', `${row.flag} takes no value.`);
    return undefined;
  }
  const values = attached === undefined ? [] : [attached];
  while (values.length < row.values.length) {
    if (row.values[values.length]?.optional && !/^[^-!]/.test(state.tokens[state.at]?.text ?? '')) break;
    const value = takeArgument(state, flag);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

const protocolContext = (state: State): { readonly protocol?: string } =>
  state.protocol === undefined || state.protocol.negated
    ? {}
    : { protocol: protocolName(state.protocol.number) };

interface Found {
  readonly loaded: Loaded;
  readonly row: OptionRow;
}

/** As getopt_long does: an exact name first (the latest extension before earlier ones), then a start that fits one. */
function lookUp(state: State, name: string): Core | Found | undefined {
  const core = CORE_LONG.get(name);
  if (core !== undefined) return core;
  const newestFirst = [...(state.target === undefined ? [] : [state.target]), ...state.matches.toReversed()];
  for (const loaded of newestFirst) {
    const row = loaded.row?.options.find((each) => each.flag === name || each.aliases.includes(name));
    if (row !== undefined) return { loaded, row };
  }
  const starts: (Core | Found)[] = CORE.filter((each) => each.long.some((long) => long.startsWith(name)));
  for (const loaded of newestFirst)
    for (const row of loaded.row?.options ?? [])
      if ([row.flag, ...row.aliases].some((long) => long.startsWith(name))) starts.push({ loaded, row });
  return starts.length === 1 ? starts[0] : undefined;
}

/** `-p tcp … --dport 22` means `-m tcp --dport 22`, the match standing where its first option does. */
function implyProtocolMatch(state: State, name: string): boolean {
  if (state.implied || state.protocol === undefined) return false;
  const row = findExtension('match', state.family, protocolName(state.protocol.number));
  const knows = row?.options.some((each) =>
    [each.flag, ...each.aliases].some((long) => long.startsWith(name)),
  );
  if (row === undefined || !knows) return false;
  state.implied = true;
  state.matches.push({ kind: 'match', name: row.name, row, column: 1, given: [] });
  return true;
}

const latestUnknown = (state: State): Loaded | undefined => {
  if (state.target !== undefined && state.target.row === undefined) return state.target;
  return state.matches.findLast((loaded) => loaded.row === undefined);
};

function unknownOption(state: State, token: Token): void {
  const unknown = latestUnknown(state);
  if (unknown !== undefined && token.text.startsWith('--')) {
    const option = { flag: token.text, negated: state.negated !== undefined, values: [] };
    unknown.given.push({ row: undefined, option, quoted: [] });
    return;
  }
  const known = [...state.matches, ...(state.target === undefined ? [] : [state.target])];
  const names = known.flatMap((loaded) => (loaded.row?.options ?? []).map((row) => row.flag));
  const near = nearest(token.text, [...CORE_LONG.keys(), ...names]);
  fault(
    state,
    token,
    'unknown-option',
    `The option ${token.text} is not known here.`,
    near === undefined ? 'Load the match that has it with -m before it.' : `Did you mean ${near}?`,
  );
}

function readProtocol(state: State, value: Token, flag: Token): void {
  if (state.protocol !== undefined) twice(state, flag);
  const number = protocolNumber(value.text);
  const negated = state.negated !== undefined;
  if (number === undefined)
    fault(
      state,
      value,
      'bad-value',
      `The protocol "${value.text}" is not known.`,
      'Write its number, from 0 to 255.',
    );
  else if (number === 0 && negated)
    fault(state, value, 'bad-negation', 'A rule for no protocol would never match.', 'Remove "! -p all".');
  else state.protocol = { number, negated };
}

const twice = (state: State, flag: Token): void =>
  fault(state, flag, 'option-twice', `${flag.text} stands twice in one rule.`, 'Keep one of them.');

function addresses(key: 'source' | 'destination'): Core['read'] {
  return (state, value, flag) => {
    if (state[key] !== undefined) twice(state, flag);
    const parts = value.text.split(',');
    const negated = state.negated !== undefined;
    if (negated && parts.length > 1)
      fault(
        state,
        value,
        'bad-negation',
        `"!" cannot stand before a list of addresses.`,
        'Write a chain or a set instead.',
      );
    const values = parts.map((part) => {
      const parsed = canonicalNetwork(state.family === 'v4' ? padded(part) : part, state.family);
      if (!isRefusal(parsed)) return parsed;
      fault(state, value, 'bad-address', `${flag.text} ${parsed.refused}.`, parsed.hint);
      return part;
    });
    state[key] = { values, negated };
  };
}

/** `10/8` means `10.0.0.0/8`. Without a mask a short address stays refused: other tools read 10.1 as 10.0.0.1. */
function padded(text: string): string {
  const short = /^(\d+(?:\.\d+){0,2})(\/.+)$/.exec(text);
  if (short === null) return text;
  const [, host = '', mask = ''] = short;
  return `${host}${'.0'.repeat(4 - host.split('.').length)}${mask}`;
}

/** IFNAMSIZ with its final zero byte is 16. */
const INTERFACE_BYTES = 15;

function interfaceOf(key: 'inInterface' | 'outInterface'): Core['read'] {
  return (state, value, flag) => {
    if (state[key] !== undefined) twice(state, flag);
    const bytes = Buffer.byteLength(value.text);
    if (bytes === 0 || bytes > INTERFACE_BYTES || /[\s/]/.test(value.text))
      fault(
        state,
        value,
        'bad-interface',
        `"${value.text}" is not the name of an interface.`,
        `Write 1 to ${INTERFACE_BYTES} bytes without spaces and slashes; "+" at the end matches any rest.`,
      );
    state[key] = { value: value.text, negated: state.negated !== undefined };
  };
}

function readFragment(state: State, value: Token, flag: Token): void {
  if (state.fragment !== undefined) twice(state, flag);
  if (state.family === 'v6')
    fault(state, value, 'unknown-option', '-f does not exist for IPv6.', 'Write -m frag instead.');
  state.fragment = { negated: state.negated !== undefined };
}

/** A rule marked for the other family is left out, so that one file can serve both. */
function onlyFor(family: Family): Core['read'] {
  return (state) => {
    if (state.family !== family) state.otherFamily = true;
  };
}

function notNegated(state: State, flag: Token): void {
  if (state.negated !== undefined)
    fault(
      state,
      flag,
      'bad-negation',
      `"!" cannot stand before ${flag.text}.`,
      'Write it before the option it negates.',
    );
}

function readMatch(state: State, value: Token, flag: Token): void {
  notNegated(state, flag);
  const row = findExtension('match', state.family, value.text);
  state.matches.push({ kind: 'match', name: row?.name ?? value.text, row, column: value.column, given: [] });
}

/** XT_EXTENSION_MAXNAMELEN with its final zero byte is 29. */
export const CHAIN_NAME_BYTES = 28;

function readTarget(goto: boolean): Core['read'] {
  return (state, value, flag) => {
    notNegated(state, flag);
    if (state.target !== undefined) twice(state, flag);
    const { text, column } = value;
    if (text === '' || /\s/.test(text) || Buffer.byteLength(text) > CHAIN_NAME_BYTES)
      fault(
        state,
        value,
        'bad-chain-name',
        `"${text}" cannot be a target.`,
        `Write a name of 1 to ${CHAIN_NAME_BYTES} bytes without spaces.`,
      );
    const row = goto ? undefined : findExtension('target', state.family, text);
    state.target = { kind: 'target', name: text, row, column, given: [], goto };
  };
}

function readCounters(state: State, value: Token, flag: Token): void {
  const comma = value.text.indexOf(',');
  const bytes = comma === -1 ? takeArgument(state, flag)?.text : value.text.slice(comma + 1);
  const packets = comma === -1 ? value.text : value.text.slice(0, comma);
  if (!/^\d+$/.test(packets) || !/^\d+$/.test(bytes ?? ''))
    fault(state, value, 'bad-counters', `${flag.text} takes two numbers, packets and bytes.`);
  else state.counters = { packets: BigInt(packets), bytes: BigInt(bytes ?? 0) };
}

interface Finished {
  readonly extension: Extension;
  readonly text: string;
}

/** Checks an extension's options against one another and puts them into their canonical order. */
function finish(state: State, loaded: Loaded): Finished {
  const { row } = loaded;
  if (row === undefined) return verbatim(loaded);
  const refusal = combination(loaded, row, state);
  if (refusal !== undefined) {
    fault(state, loaded, 'bad-combination', `${row.name} ${refusal.refused}.`, refusal.hint);
    return { extension: { name: row.name, options: [], known: true }, text: '' };
  }
  const context: ValueContext = { family: state.family, ...protocolContext(state) };
  const ordered =
    row.order === 'given'
      ? loaded.given.map((given) => given.option)
      : inTableOrder(loaded, row, state.family);
  const rewritten = row.finish === undefined ? ordered : row.finish(ordered, context);
  if (isRefusal(rewritten)) {
    fault(state, loaded, 'bad-combination', `${row.name} ${rewritten.refused}.`, rewritten.hint);
    return { extension: { name: row.name, options: [], known: true }, text: '' };
  }
  const options = rewritten.filter((each) => !isHidden(each, row, state.family));
  return { extension: { name: row.name, options, known: true }, text: optionsText(options, row) };
}

const inTableOrder = (loaded: Loaded, row: ExtensionRow, family: Family): readonly Option[] =>
  row.options.flatMap((each) => {
    const found = loaded.given.filter((given) => given.row === each).map((given) => given.option);
    if (found.length > 0 || each.implied === undefined) return found;
    return [{ flag: each.flag, negated: false, values: [forFamily(each.implied, family)] }];
  });

function combination(loaded: Loaded, row: ExtensionRow, state: State): Refusal | undefined {
  const flags = new Set(loaded.given.map((each) => each.option.flag));
  const missing = row.options.find((each) => each.required && !flags.has(each.flag));
  if (missing !== undefined) return refuse(`needs ${missing.flag}`);
  if (row.oneOf !== undefined) {
    const choices = row.oneOf === 'any' ? row.options.map((each) => each.flag) : row.oneOf;
    if (!choices.some((flag) => flags.has(flag))) return refuse(`needs ${choices.join(' or ')}`);
  }
  for (const [index, { row: each }] of loaded.given.entries()) {
    const clash = each?.excludes.find((flag) => flags.has(flag));
    if (clash !== undefined) return refuse(`takes ${each?.flag} or ${clash}, not both`);
    const need = each?.needs.find((flag) => !flags.has(flag));
    if (need !== undefined) return refuse(`takes ${each?.flag} only with ${need}`);
    const before = loaded.given.slice(0, index).map((earlier) => earlier.option.flag);
    const late = each?.after.find((flag) => !before.includes(flag));
    if (late !== undefined) return refuse(`takes ${each?.flag} only after ${late}`);
  }
  return wrongProtocol(row, state);
}

function wrongProtocol(row: ExtensionRow, state: State): Refusal | undefined {
  if (row.protocols === undefined) return undefined;
  const { protocol } = state;
  const name = protocol === undefined ? undefined : protocolName(protocol.number);
  if (protocol?.negated === false && name !== undefined && row.protocols.includes(name)) return undefined;
  return refuse(
    'is for other protocols than this rule',
    `Add -p ${row.protocols.join(' or -p ')} before it.`,
  );
}

const isHidden = (each: Option, row: ExtensionRow, family: Family): boolean => {
  if (each.negated) return false;
  const hidden = row.options.find((candidate) => candidate.flag === each.flag)?.hidden;
  return hidden !== undefined && forFamily(hidden, family) === each.values.join(' ');
};

function optionsText(options: readonly Option[], row: ExtensionRow): string {
  let text = '';
  for (const each of options) {
    const types = row.options.find((candidate) => candidate.flag === each.flag)?.values;
    text += each.negated ? ` ! ${each.flag}` : ` ${each.flag}`;
    for (const [index, value] of each.values.entries()) text += ` ${types?.[index]?.print?.(value) ?? value}`;
  }
  return text;
}

/** An extension that the table does not know keeps its words, their order, and quotes where it had them. */
function verbatim(loaded: Loaded): Finished {
  const options = loaded.given.map((each) => each.option);
  let text = '';
  for (const { option, quoted } of loaded.given) {
    text += option.negated ? ` ! ${option.flag}` : ` ${option.flag}`;
    for (const [index, value] of option.values.entries())
      text += quoted[index] ? ` ${quote(value)}` : ` ${value}`;
  }
  return { extension: { name: loaded.name, options, known: false }, text };
}

const EVERYWHERE: { readonly [family in Family]: string } = { v4: '0.0.0.0/0', v6: '::/0' };

function expand(state: State, finished: readonly Finished[]): readonly Rule[] {
  const { target } = state;
  const last = target === undefined ? undefined : finished.at(-1);
  const matches = last === undefined ? finished : finished.slice(0, -1);
  const tail = matches.map(({ extension, text }) => ` -m ${extension.name}${text}`).join('');
  const jump = target && last && ` -${target.goto ? 'g' : 'j'} ${target.name}${last.text}`;
  const parts = {
    inInterface: named(state.inInterface),
    outInterface: named(state.outInterface),
    protocol:
      state.protocol && state.protocol.number !== 0
        ? { value: protocolName(state.protocol.number), negated: state.protocol.negated }
        : undefined,
  };
  const rules: Rule[] = [];
  for (const source of each(state.source, state.family))
    for (const destination of each(state.destination, state.family)) {
      const text = `${flagText('-s', source)}${flagText('-d', destination)}${flagText('-i', parts.inInterface)}${flagText('-o', parts.outInterface)}${flagText('-p', parts.protocol)}${state.fragment ? (state.fragment.negated ? ' ! -f' : ' -f') : ''}${tail}${jump ?? ''}`;
      rules.push({
        text: text.slice(1),
        ...(source && { source }),
        ...(destination && { destination }),
        ...(parts.inInterface && { inInterface: parts.inInterface }),
        ...(parts.outInterface && { outInterface: parts.outInterface }),
        ...(parts.protocol && { protocol: parts.protocol }),
        ...(state.fragment && { fragment: state.fragment }),
        matches: matches.map(({ extension }) => extension),
        ...(target && last && { target: asTarget(last.extension, target) }),
        ...(state.counters && { counters: state.counters }),
      });
    }
  return rules;
}

function asTarget(extension: Extension, target: Loaded & { readonly goto: boolean }): Target {
  const chain = target.row === undefined && extension.options.length === 0;
  return { ...extension, known: chain || extension.known, goto: target.goto, chain };
}

const flagText = (flag: string, part: Negatable | undefined): string =>
  part === undefined ? '' : part.negated ? ` ! ${flag} ${part.value}` : ` ${flag} ${part.value}`;

/** `-i +` means every interface and is not printed. */
const named = (part: Negatable | undefined): Negatable | undefined =>
  part?.value === '+' && !part.negated ? undefined : part;

/** One entry an address; addresses that stand for everything are not printed. */
function each(part: Addresses | undefined, family: Family): readonly (Negatable | undefined)[] {
  if (part === undefined) return [undefined];
  return part.values.map((value) =>
    value === EVERYWHERE[family] && !part.negated ? undefined : { value, negated: part.negated },
  );
}

/** The name that is at most two edits away, if one is. */
export function nearest(text: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = 3;
  for (const name of names) {
    const edits = distance(text, name, least);
    if (edits < least) [best, least] = [name, edits];
  }
  return best;
}

function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    row = next;
  }
  return row[b.length] ?? limit;
}
