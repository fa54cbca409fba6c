/** Lines that change chains: `-A`, and the others that iptables-restore accepts. */

import { nearest } from '../../lib/nearest.js';
import type { SourceLocation } from '../../lib/problem.js';
import { findExtension } from '../extensions/index.js';
import { BUILT_IN_CHAINS, type Counters, type Rule } from '../model.js';
import { readRule } from '../rule/rule.js';
import {
  addChain,
  CLOSE_IT,
  firstWord,
  OPEN_QUOTE,
  type OpenChain,
  parseCounters,
  type Reader,
  remark,
  report,
  type Section,
  setPolicy,
} from './section.js';
import { type Token, tokenise } from './tokens.js';

/** `-A CHAIN …`, perhaps with `[packets:bytes]` before it. */
export function readCommand(reader: Reader, table: Section, line: string): void {
  const counted = /^\[(\d+):(\d+)\]/.exec(line);
  const tokens = tokenise(line, counted?.[0].length ?? 0);
  if ('openQuote' in tokens) {
    report(reader, 'open-quote', OPEN_QUOTE, tokens.openQuote, CLOSE_IT);
    return;
  }
  const command = splitCommand(tokens);
  if (command === undefined) {
    if (tokens.length > 0 || counted !== null)
      report(
        reader,
        'no-command',
        `"${firstWord(line)}" is not a command.`,
        tokens[0]?.column ?? 1,
        'Start the line with -A and the name of a chain.',
      );
    return;
  }
  const counters = counted === null ? undefined : parseCounters(counted[0]);
  COMMANDS[command.letter](reader, table, { ...command, counters });
}

type Letter = 'A' | 'I' | 'D' | 'N' | 'P' | 'F' | 'X';

interface Command {
  readonly letter: Letter;
  readonly chain: Token;
  readonly rest: readonly Token[];
  readonly counters?: Counters | undefined;
}

const LONG: Readonly<Record<string, Letter>> = {
  '--append': 'A',
  '--insert': 'I',
  '--delete': 'D',
  '--new-chain': 'N',
  '--policy': 'P',
  '--flush': 'F',
  '--delete-chain': 'X',
};

function splitCommand(tokens: readonly Token[]): Command | undefined {
  const [first, second] = tokens;
  if (first === undefined) return undefined;
  if (first.text === '-A') return second && { letter: 'A', chain: second, rest: tokens.slice(2) };
  const short = /^-([AIDNPFX])(.*)$/s.exec(first.text);
  const letter = (short?.[1] as Letter | undefined) ?? LONG[first.text];
  if (letter === undefined) return undefined;
  const attached = short?.[2] ?? '';
  if (attached !== '') return { letter, chain: { ...first, text: attached }, rest: tokens.slice(1) };
  return second && { letter, chain: second, rest: tokens.slice(2) };
}

type Run = (reader: Reader, table: Section, command: Command) => void;

const COMMANDS: { readonly [letter in Letter]: Run } = {
  A: (reader, table, command) => {
    const chain = existing(reader, table, command.chain);
    chain?.rules.push(...rulesOf(reader, table, command, command.rest));
  },
  I: (reader, table, command) => {
    const chain = existing(reader, table, command.chain);
    const { number, rest } = splitNumber(command.rest);
    if (chain === undefined) return;
    const rules = rulesOf(reader, table, command, rest);
    if (number !== undefined && (number < 1 || number > chain.rules.length + 1))
      report(
        reader,
        'bad-rule-number',
        `The chain ${command.chain.text} has no position ${number}.`,
        command.chain.column,
        `Write a number from 1 to ${chain.rules.length + 1}.`,
      );
    // Each address of a list is put in at the same place, so the last comes first.
    else chain.rules.splice((number ?? 1) - 1, 0, ...rules.toReversed());
  },
  D: (reader, table, command) => {
    const chain = existing(reader, table, command.chain);
    const { number, rest } = splitNumber(command.rest);
    if (chain === undefined) return;
    const remove = (position: number): void => {
      if (chain.rules[position] !== undefined) chain.rules.splice(position, 1);
      else
        report(
          reader,
          'no-such-rule',
          `The chain ${command.chain.text} has no such rule to delete.`,
          command.chain.column,
        );
    };
    if (number !== undefined) {
      nothingMore(reader, rest);
      remove(number - 1);
    } else
      for (const { text } of rulesOf(reader, table, command, rest))
        remove(chain.rules.findIndex((rule) => rule.text === text));
  },
  N: (reader, table, command) => {
    const { text, column } = command.chain;
    nothingMore(reader, command.rest);
    if (findExtension('target', reader.family, text) === undefined) addChain(reader, table, text, column);
    else
      report(reader, 'bad-chain-name', `"${text}" is the name of a target.`, column, 'Write another name.');
  },
  P: (reader, table, command) => {
    const chain = existing(reader, table, command.chain);
    const policy = command.rest[0];
    nothingMore(reader, command.rest.slice(1));
    if (chain === undefined) return;
    if (table.name === 'nat' && policy?.text === 'DROP')
      report(
        reader,
        'bad-policy',
        'The table nat is not for filtering.',
        policy.column,
        'Drop in the table filter.',
      );
    else if (policy === undefined || policy.text === '-')
      report(
        reader,
        'bad-policy',
        `-P ${command.chain.text} has no policy.`,
        command.chain.column,
        'Write ACCEPT or DROP.',
      );
    else
      setPolicy(reader, table, {
        name: command.chain.text,
        chain,
        policy: policy.text,
        column: policy.column,
      });
  },
  F: (reader, table, command) => {
    const chain = existing(reader, table, command.chain);
    nothingMore(reader, command.rest);
    if (chain !== undefined) chain.rules = [];
  },
  X: (reader, table, command) => {
    const { text, column } = command.chain;
    nothingMore(reader, command.rest);
    if (BUILT_IN_CHAINS[table.name].includes(text))
      report(reader, 'bad-chain-name', `The built-in chain ${text} cannot be deleted.`, column);
    const chain = existing(reader, table, command.chain);
    if (chain === undefined) return;
    if (chain.rules.length > 0)
      report(
        reader,
        'chain-not-empty',
        `The chain ${text} has rules and cannot be deleted.`,
        column,
        `Empty it first with -F ${text}.`,
      );
    table.chains.delete(text);
  },
};

function nothingMore(reader: Reader, rest: readonly Token[]): void {
  const [first] = rest;
  if (first !== undefined)
    report(reader, 'bad-word', `Unexpected "${first.text}".`, first.column, 'Remove it.');
}

function existing(reader: Reader, table: Section, token: Token): OpenChain | undefined {
  const chain = table.chains.get(token.text);
  if (chain !== undefined) return chain;
  const near = nearest(token.text, [...table.chains.keys()]);
  report(
    reader,
    'unknown-chain',
    `The table ${table.name} has no chain ${token.text}.`,
    token.column,
    near === undefined ? `Declare it first with a line :${token.text} - [0:0].` : `Did you mean ${near}?`,
  );
  return undefined;
}

function splitNumber(tokens: readonly Token[]): { number?: number; rest: readonly Token[] } {
  const first = tokens[0]?.text ?? '';
  return /^\d+$/.test(first) ? { number: Number(first), rest: tokens.slice(1) } : { rest: tokens };
}

/** A rule of which only the words after `-j` or `-g` are understood, and these only if it is one word. */
function opaqueRule(line: string, { chain, counters }: Command, chains: Section['chains']): Rule {
  const at = chain.column - 1 + chain.text.length + (chain.quoted ? 2 : 0);
  const text = line.slice(at).trim();
  const jump = /(?:^| )-([jg]) (\S+)(.*)$/s.exec(text);
  const [, flag, name = '', rest = ''] = jump ?? [];
  const known = rest.trim() === '' && /^(ACCEPT|DROP|RETURN)$/.test(name);
  return {
    text,
    opaque: true,
    matches: [{ name: text, options: [], known: false }],
    target: jump ? { name, options: [], known, goto: flag === 'g', chain: chains.has(name) } : undefined,
    counters,
  };
}

function rulesOf(
  reader: Reader,
  { chains, jumpedTo }: Section,
  command: Command,
  tokens: readonly Token[],
): readonly Rule[] {
  const read = readRule(tokens, { family: reader.family, counters: command.counters, chains });
  const location: SourceLocation = {
    kind: 'host',
    file: reader.file,
    line: reader.line,
    column: command.chain.column,
  };
  if ('faults' in read && reader.printed) {
    const rule = opaqueRule(reader.text, command, chains);
    const [first] = read.faults;
    if (rule.target?.chain) jumpedTo.add(rule.target.name);
    remark(
      reader,
      'rule-not-understood',
      `The rule "${rule.text}" is not understood: ${first?.message ?? ''}`,
      first?.column ?? command.chain.column,
      'It stays as it is, and counts as unknown: it may match any packet.',
    );
    return [{ ...rule, location }];
  }
  if ('faults' in read) {
    for (const { id, message, column, hint } of read.faults) report(reader, id, message, column, hint);
    return [];
  }
  for (const { target } of read.rules) if (target?.chain) jumpedTo.add(target.name);
  return read.rules.map((rule) => ({ ...rule, location }));
}
