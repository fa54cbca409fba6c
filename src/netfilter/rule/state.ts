/** The state of reading one rule. */

import type { Family } from '../../lib/family.js';
import { protocolName } from '../extensions/protocols.js';
import type { ExtensionRow, OptionRow } from '../extensions/row.js';
import type { Counters, Negatable, Option } from '../model.js';
import type { Token } from '../text/tokens.js';

/** What is wrong with a word. */
export interface Fault {
  readonly id: string;
  readonly message: string;
  readonly hint?: string;
  readonly column: number;
}

export interface Given {
  readonly row: OptionRow | undefined;
  readonly option: Option;
  readonly quoted: readonly boolean[];
}

/** An extension while its options are being collected. */
export interface Loaded {
  readonly kind: ExtensionRow['kind'];
  readonly name: string;
  readonly row: ExtensionRow | undefined;
  readonly column: number;
  readonly given: Given[];
  /** A value was refused, so that the combination of options cannot be checked. */
  broken: boolean;
}

export interface State {
  readonly family: Family;
  readonly tokens: readonly Token[];
  readonly chains: { readonly has: (name: string) => boolean };
  readonly faults: Fault[];
  readonly matches: Loaded[];
  at: number;
  negated: Token | undefined;
  target: (Loaded & { readonly goto: boolean }) | undefined;
  /** `written` in lower case: `-p mh` loads the match mh, `-p 135` and `-p ipv6-mh` do not. */
  protocol: { readonly number: number; readonly negated: boolean; readonly written: string } | undefined;
  /** `-p tcp` loads its match once, on the first option that nothing else has. */
  implied: boolean;
  /** The match or target that was loaded last. */
  latest: Loaded | undefined;
  /** `-4` or `-6` says that the rule is not for this family. */
  otherFamily: boolean;
  source: Addresses | undefined;
  destination: Addresses | undefined;
  inInterface: Negatable | undefined;
  outInterface: Negatable | undefined;
  fragment: { readonly negated: boolean } | undefined;
  counters: Counters | undefined;
}

export interface Addresses {
  readonly values: readonly string[];
  readonly negated: boolean;
}

/** Adds a fault at the position of a word. */
export function fault(
  state: State,
  token: { readonly column: number },
  id: string,
  message: string,
  hint?: string,
): void {
  state.faults.push({ id, message, column: token.column, hint });
}

/** Adds a match to the rule. */
export function load(state: State, match: Loaded): void {
  state.matches.push(match);
  state.latest = match;
}

/** The word after an option. */
export function takeWord(state: State, flag: Token): Token | undefined {
  const value = state.tokens[state.at];
  if (value === undefined) fault(state, flag, 'missing-value', `${flag.text} needs a value.`);
  else state.at++;
  return value;
}

/** The word after an option that cannot be `!`. */
export function takeArgument(state: State, flag: Token): Token | undefined {
  const value = takeWord(state, flag);
  if (value !== undefined && isBang(value)) bangAfter(state, flag, value);
  return value;
}

/** Whether the word is `!`. */
export const isBang = ({ text, quoted }: Token): boolean => text === '!' && !quoted;

/** The old order: `-s ! 10.0.0.1`. */
export const bangAfter = (state: State, flag: Token, bang: Token): void =>
  fault(state, bang, 'bad-negation', `"!" follows ${flag.text}.`, `Write it before: ! ${flag.text} ….`);

/** The canonical name of the rule's protocol, unless it is negated. */
export const protocolContext = (state: State): { readonly protocol?: string } =>
  state.protocol === undefined || state.protocol.negated
    ? {}
    : { protocol: protocolName(state.protocol.number) };
