/**
 * The words of one rule, read as iptables reads its command line (getopt over a list of options that grows with every
 * `-m` and `-j`), and made canonical by the table of extensions.
 */

import type { Family } from '../../lib/family.js';
import { nearest } from '../../lib/nearest.js';
import { extensionsWith, findExtension } from '../extensions/index.js';
import { protocolName } from '../extensions/protocols.js';
import { type ExtensionRow, findOption, isRefusal, type OptionRow } from '../extensions/row.js';
import type { Counters, Extension, Negatable, Rule, Target } from '../model.js';
import type { Token } from '../text/tokens.js';
import {
  COMMAND_OPTIONS,
  CORE,
  CORE_BY_LETTER,
  CORE_LONG,
  type Core,
  EVERYWHERE,
  isOfOtherFamily,
  wrongFamily,
} from './core.js';
import { type Finished, finish } from './extension.js';
import {
  type Addresses,
  bangAfter,
  type Fault,
  fault,
  type Given,
  isBang,
  type Loaded,
  load,
  protocolContext,
  type State,
  takeArgument,
  takeWord,
} from './state.js';

export type RuleResult = { readonly rules: readonly Rule[] } | { readonly faults: readonly Fault[] };

/** What the meaning of a rule's words depends on. */
export interface ReadContext {
  readonly family: Family;
  /** `[packets:bytes]` before the rule. */
  readonly counters?: Counters | undefined;
  /** Chains of the rule's table: `-j LOG` jumps to a chain LOG where there is one. */
  readonly chains?: { readonly has: (name: string) => boolean };
}

/** Reads the words after `-A CHAIN`. One text becomes several rules when `-s` or `-d` lists addresses. */
export function readRule(
  tokens: readonly Token[],
  { family, counters, chains = new Set() }: ReadContext,
): RuleResult {
  const state: State = {
    family,
    tokens,
    chains,
    faults: [],
    matches: [],
    at: 0,
    negated: undefined,
    target: undefined,
    protocol: undefined,
    implied: false,
    latest: undefined,
    otherFamily: false,
    source: undefined,
    destination: undefined,
    inInterface: undefined,
    outInterface: undefined,
    fragment: undefined,
    counters: undefined,
  };
  while (state.at < tokens.length) readWord(state);
  state.counters ??= counters;
  if (state.negated !== undefined) fault(state, state.negated, 'bad-negation', 'Nothing follows "!".');
  const finished = [...state.matches, ...(state.target === undefined ? [] : [state.target])].map((loaded) =>
    finish(state, loaded),
  );
  const { target } = state;
  // Without options it may be the name of a chain.
  if (target && target.given.length > 0 && isOfOtherFamily('target', family, target.name))
    wrongFamily(state, { text: target.name, column: target.column });
  if (state.otherFamily) return { rules: [] };
  if (state.faults.length > 0) return { faults: state.faults };
  return { rules: expand(state, finished) };
}

function readWord(state: State): void {
  const token = state.tokens[state.at] as Token;
  state.at++;
  const { text } = token;
  if (text === '!') {
    if (state.negated !== undefined)
      fault(state, token, 'bad-negation', 'Two "!" in a row.', 'Remove one or both.');
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
  fault(state, token, 'bad-word', `Unexpected "${token.text}".`, 'Quote a value that has spaces in it.');
}

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
    if (attached === '') readArgument(state, core, token);
    else readAttached(state, core, { ...token, text: attached }, token);
    return;
  }
}

function readArgument(state: State, core: Core, flag: Token): void {
  const value = takeArgument(state, flag);
  if (value !== undefined) core.read(state, value, flag);
}

function readAttached(state: State, core: Core, value: Token, flag: Token): void {
  if (core.separate)
    fault(
      state,
      flag,
      'joined-value',
      `iptables 1.8.9 reads ${flag.text} differently from other versions.`,
      `Write the value as a separate word: ${core.long[0]} ${value.text.replace(/^=/, '')}.`,
    );
  else core.read(state, value, flag);
}

function readLong(state: State, token: Token): void {
  const cut = token.text.indexOf('=');
  const name = cut === -1 ? token.text : token.text.slice(0, cut);
  const attached = cut === -1 ? undefined : { ...token, text: token.text.slice(cut + 1) };
  const unknownMatch = state.latest?.kind === 'match' && state.latest.row === undefined;
  const found = unknownMatch ? CORE_LONG.get(name) : lookUp(state, name);
  if (found === undefined) {
    if (unknownMatch || !implyProtocolMatch(state, token, name)) unknownOption(state, token);
    else readLong(state, token);
    return;
  }
  if ('read' in found) {
    if (!found.argument) found.read(state, token, token);
    else if (attached === undefined) readArgument(state, found, token);
    else readAttached(state, found, attached, token);
    return;
  }
  const values = takeValues(state, token, found.row, attached);
  if (values === undefined) return;
  const context = { family: state.family, ...protocolContext(state) };
  const canonical = values.map((value, index) => {
    const parsed = found.row.values[index]?.parse(value.text, context) ?? value.text;
    if (!isRefusal(parsed)) return parsed;
    if (isBang(value)) bangAfter(state, token, value);
    else fault(state, value, 'bad-value', `${token.text} ${parsed.refused}.`, parsed.hint);
    found.loaded.broken = true;
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
      `Duplicate ${found.row.flag} of ${found.loaded.name}.`,
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
    const value = takeWord(state, flag);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

interface Found {
  readonly loaded: Loaded;
  readonly row: OptionRow;
}

/** As getopt_long does: an exact name first (the latest extension before earlier ones), then a unique abbreviation. */
function lookUp(state: State, name: string): Core | Found | undefined {
  const core = CORE_LONG.get(name);
  if (core !== undefined) return core;
  const newestFirst = state.matches.toReversed();
  if (state.target !== undefined) newestFirst.unshift(state.target);
  for (const loaded of newestFirst) {
    const row = loaded.row && findOption(loaded.row, name)?.row;
    if (row !== undefined) return { loaded, row };
  }
  if (COMMAND_OPTIONS.some((long) => long.startsWith(name))) return undefined;
  const starts: (Core | Found)[] = CORE.filter((each) => each.long.some((long) => long.startsWith(name)));
  for (const loaded of newestFirst)
    for (const row of loaded.row?.options ?? [])
      if ([row.flag, ...row.aliases].some((long) => long.startsWith(name))) starts.push({ loaded, row });
  return starts.length === 1 ? starts[0] : undefined;
}

/** The match of the rule's protocol, if it is not loaded yet. */
const protocolMatch = (state: State): ExtensionRow | undefined =>
  state.implied || state.protocol === undefined
    ? undefined
    : (findExtension('match', state.family, protocolName(state.protocol.number)) ??
      findExtension('match', state.family, state.protocol.written));

/** `-p tcp … --dport 22` means `-m tcp --dport 22`, the match being where its first option is. */
function implyProtocolMatch(state: State, token: Token, name: string): boolean {
  const row = protocolMatch(state);
  const names = row?.options.flatMap((each) => [each.flag, ...each.aliases]) ?? [];
  if (row === undefined || !names.some((long) => long.startsWith(name))) return false;
  state.implied = true;
  load(state, { kind: 'match', name: row.name, row, column: token.column, given: [], broken: false });
  return true;
}

/**
 * The options of an unknown match are not known, so it gets every option up to the next `-m` or `-j`, as save writes it;
 * an unknown target may be a chain, so it gets only options that nothing else has.
 */
const latestUnknown = (state: State): Loaded | undefined =>
  state.latest !== undefined && state.latest.row === undefined ? state.latest : undefined;

function unknownOption(state: State, token: Token): void {
  const unknown = latestUnknown(state);
  if (unknown !== undefined && /^--[^\s"]+$/.test(token.text)) {
    const option = { flag: token.text, negated: state.negated !== undefined, values: [] };
    unknown.given.push({ row: undefined, option, quoted: [] });
    return;
  }
  const loaded = [...state.matches.map(({ row }) => row), state.target?.row, protocolMatch(state)];
  const names = loaded.flatMap((row) => (row?.options ?? []).map(({ flag }) => flag));
  const near = nearest(token.text, [...CORE_LONG.keys(), ...names]);
  const owners = extensionsWith(state.family, token.text);
  const hint =
    owners.length > 0
      ? `It belongs to ${owners.join(', ')}, which must be loaded before it with -m, -p or -j.`
      : near === undefined
        ? 'Load the match that has it with -m before it.'
        : `Did you mean ${near}?`;
  fault(state, token, 'unknown-option', `Unknown option ${token.text}.`, hint);
}

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
  const comment = matches.find(({ extension }) => extension.name === 'comment')?.extension.options[0]
    ?.values[0];
  const rules: Rule[] = [];
  for (const source of each(state.source, state.family))
    for (const destination of each(state.destination, state.family)) {
      const text = `${flagText('-s', source)}${flagText('-d', destination)}${flagText('-i', parts.inInterface)}${flagText('-o', parts.outInterface)}${flagText('-p', parts.protocol)}${state.fragment ? (state.fragment.negated ? ' ! -f' : ' -f') : ''}${tail}${jump ?? ''}`;
      const rule: Draft = { text: text.slice(1), matches: matches.map(({ extension }) => extension) };
      if (source) rule.source = source;
      if (destination) rule.destination = destination;
      if (parts.inInterface) rule.inInterface = parts.inInterface;
      if (parts.outInterface) rule.outInterface = parts.outInterface;
      if (parts.protocol) rule.protocol = parts.protocol;
      if (state.fragment) rule.fragment = state.fragment;
      if (comment !== undefined) rule.comment = comment;
      if (target && last) rule.target = asTarget(last.extension, target);
      if (state.counters) rule.counters = state.counters;
      rules.push(rule);
    }
  return rules;
}

/** A rule under construction: files have thousands, and spreading optional parts takes longer than reading them. */
type Draft = { -readonly [key in keyof Rule]: Rule[key] };

function asTarget(
  { name, options, known }: Extension,
  { row, goto }: Loaded & { readonly goto: boolean },
): Target {
  const chain = row === undefined && options.length === 0;
  return { name, options, known: chain || known, goto, chain };
}

const flagText = (flag: string, part: Negatable | undefined): string =>
  part === undefined ? '' : part.negated ? ` ! ${flag} ${part.value}` : ` ${flag} ${part.value}`;

/** `-i +` means every interface and is not printed. */
const named = (part: Negatable | undefined): Negatable | undefined =>
  part?.value === '+' && !part.negated ? undefined : part;

/** An entry for each address; an address that means every address is not printed. */
function each(part: Addresses | undefined, family: Family): readonly (Negatable | undefined)[] {
  if (part === undefined) return [undefined];
  return part.values.map((value) =>
    value === EVERYWHERE[family] && !part.negated ? undefined : { value, negated: part.negated },
  );
}
