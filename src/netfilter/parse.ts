/**
 * The language of iptables-save and iptables-restore: text in, canonical tables out. What iptables-restore refuses
 * is refused here, each problem with its line and column and how to mend it; all of them at once.
 */

import { byPlace, error, type Place, type Problem, type Result } from '../problem.js';
import { findExtension } from './extensions/index.js';
import {
  BUILT_IN_CHAINS,
  type Chain,
  type Counters,
  type Family,
  type Rule,
  type Table,
  type TableName,
  type Tables,
} from './model.js';
import { CHAIN_NAME_BYTES, type Fault, nearest, readRule } from './rule.js';
import { type Token, tokenise } from './tokens.js';

/**
 * Parses the text that iptables-save prints or iptables-restore reads, in any accepted spelling.
 * Tables come in the order of the kernel's names, each with all its built-in chains; a table that stands twice is
 * what its last section says, as restore has it. Empty text means no tables.
 * @param file the name that problems carry.
 */
export function parseSave(text: string, family: Family, file: string): Result<Tables> {
  const reader: Reader = { family, file, problems: [], tables: new Map(), table: undefined, line: 0 };
  if (text.includes('\r')) crlf(reader, text);
  else for (const line of text.split('\n')) readLine(reader, line);
  if (reader.table !== undefined)
    report(
      reader,
      'missing-commit',
      `The table ${reader.table.name} has no COMMIT.`,
      1,
      'Add a line COMMIT after its rules.',
    );
  const problems = reader.problems.toSorted(byPlace);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: assemble(reader), problems };
}

export interface RuleContext {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly place: Place;
}

/**
 * Parses one rule without its `-A CHAIN`. A list of addresses makes several rules of it, in the order in which
 * iptables adds them. Problems and rules carry the context's place.
 */
export function parseRules(text: string, context: RuleContext): Result<readonly Rule[]> {
  const { place } = context;
  const where = (fault: Fault): Problem => error(fault.id, fault.message, place, fault.hint);
  if (/[\r\n]/.test(text))
    return { ok: false, problems: [error('line-break', 'A rule cannot hold a line break.', place)] };
  const tokens = tokenise(text);
  if ('openQuote' in tokens)
    return { ok: false, problems: [error('open-quote', OPEN_QUOTE, place, CLOSE_IT)] };
  const read = readRule(tokens, context.family);
  if ('faults' in read) return { ok: false, problems: read.faults.map(where) };
  return { ok: true, value: read.rules.map((rule) => ({ ...rule, place })), problems: [] };
}

const OPEN_QUOTE = 'A double quote is never closed.';
const CLOSE_IT = 'Close it, or write a backslash before it inside other quotes.';

interface Reader {
  readonly family: Family;
  readonly file: string;
  readonly problems: Problem[];
  readonly tables: Map<TableName, Section>;
  table: Section | undefined;
  line: number;
}

interface Section {
  readonly name: TableName;
  readonly chains: Map<string, OpenChain>;
}

interface OpenChain {
  policy: 'ACCEPT' | 'DROP' | undefined;
  counters: Counters | undefined;
  rules: Rule[];
}

function report(reader: Reader, id: string, message: string, column: number, hint?: string): void {
  reader.problems.push(error(id, message, { file: reader.file, line: reader.line, column }, hint));
}

function crlf(reader: Reader, text: string): void {
  const at = text.indexOf('\r');
  reader.line = text.slice(0, at).split('\n').length;
  const column = at - text.lastIndexOf('\n', at);
  report(
    reader,
    'carriage-return',
    'The file has Windows line ends, which iptables-restore refuses.',
    column,
    'Save it with Unix line ends (LF).',
  );
}

/** What iptables-nft-save prints instead of a table that it cannot express. */
const INCOMPATIBLE = /^# Table [`'](.+)' is incompatible/;

function readLine(reader: Reader, line: string): void {
  reader.line++;
  if (line.startsWith('#')) {
    const table = INCOMPATIBLE.exec(line)?.[1];
    if (table !== undefined)
      report(
        reader,
        'incompatible-table',
        `The table ${table} holds rules that iptables cannot show, so this text is not all of it.`,
        1,
        'Look at it with "nft list ruleset" and move those rules into a table of their own.',
      );
    return;
  }
  if (line === '') return;
  if (line.startsWith('*')) openTable(reader, line);
  else if (reader.table === undefined)
    report(
      reader,
      'no-table',
      `"${firstWord(line)}" stands outside a table.`,
      1,
      'Start a table with a line such as *filter, and end it with COMMIT.',
    );
  else if (line === 'COMMIT') {
    reader.tables.delete(reader.table.name);
    reader.tables.set(reader.table.name, reader.table);
    reader.table = undefined;
  } else if (line.startsWith(':')) declareChain(reader, reader.table, line);
  else readCommand(reader, reader.table, line);
}

const firstWord = (line: string): string => line.trim().split(/\s/)[0] ?? '';

const isTableName = (name: string): name is TableName => Object.hasOwn(BUILT_IN_CHAINS, name);

function openTable(reader: Reader, line: string): void {
  if (reader.table !== undefined)
    report(
      reader,
      'missing-commit',
      `The table ${reader.table.name} has no COMMIT.`,
      1,
      'Add a line COMMIT before the next table.',
    );
  const name = line.slice(1).trim();
  if (!isTableName(name)) {
    report(
      reader,
      'unknown-table',
      `There is no table "${name}".`,
      2,
      `Write one of ${Object.keys(BUILT_IN_CHAINS).join(', ')}.`,
    );
    reader.table = { name: 'filter', chains: new Map() };
    return;
  }
  const chains = new Map<string, OpenChain>();
  for (const chain of BUILT_IN_CHAINS[name])
    chains.set(chain, { policy: 'ACCEPT', counters: undefined, rules: [] });
  reader.table = { name, chains };
}

function declareChain(reader: Reader, table: Section, line: string): void {
  const [name = '', policy = '', counts, ...rest] = line
    .slice(1)
    .trim()
    .split(/[ \t]+/);
  const counters = counts === undefined ? undefined : parseCounters(counts);
  if (rest.length > 0 || (counts !== undefined && counters === undefined))
    report(
      reader,
      'bad-chain-line',
      `The line of the chain ${name} has more than a policy and counters.`,
      1,
      'Write it as :NAME POLICY [0:0].',
    );
  if (policy === '') {
    report(
      reader,
      'bad-policy',
      `The chain ${name} has no policy.`,
      1,
      'Write ACCEPT or DROP, or "-" for a chain of your own.',
    );
    return;
  }
  const chain = addChain(reader, table, name, 2);
  if (chain === undefined) return;
  chain.counters = counters;
  setPolicy(reader, table, { name, chain, policy, column: 1 });
}

const parseCounters = (text: string): Counters | undefined => {
  const found = /^\[(\d+):(\d+)\]$/.exec(text);
  return found === null ? undefined : { packets: BigInt(found[1] ?? 0), bytes: BigInt(found[2] ?? 0) };
};

/** Declares a chain, or finds the one that is there. */
function addChain(reader: Reader, table: Section, name: string, column: number): OpenChain | undefined {
  const known = table.chains.get(name);
  if (known !== undefined) return known;
  const flaw = nameFlaw(name, reader.family);
  if (flaw !== undefined) {
    report(
      reader,
      'bad-chain-name',
      `"${name}" cannot be the name of a chain: ${flaw}.`,
      column,
      `Write 1 to ${CHAIN_NAME_BYTES} bytes without spaces, not starting with "-" or "!".`,
    );
    return undefined;
  }
  const chain: OpenChain = { policy: undefined, counters: undefined, rules: [] };
  table.chains.set(name, chain);
  return chain;
}

function nameFlaw(name: string, family: Family): string | undefined {
  if (name === '') return 'it is empty';
  if (Buffer.byteLength(name) > CHAIN_NAME_BYTES) return `it is longer than ${CHAIN_NAME_BYTES} bytes`;
  if (name.startsWith('-') || name.startsWith('!')) return `it starts with "${name.charAt(0)}"`;
  if (/\s/.test(name)) return 'it has spaces';
  return findExtension('target', family, name) === undefined ? undefined : 'it is the name of a target';
}

interface PolicyChange {
  readonly name: string;
  readonly chain: OpenChain;
  readonly policy: string;
  readonly column: number;
}

function setPolicy(reader: Reader, table: Section, change: PolicyChange): void {
  const { name, chain, policy, column } = change;
  const builtIn = BUILT_IN_CHAINS[table.name].includes(name);
  if (policy === '-') return;
  if (!builtIn)
    report(
      reader,
      'bad-policy',
      `The chain ${name} is your own and cannot have a policy.`,
      column,
      'Write "-", and end the chain with a rule that decides.',
    );
  else if (policy !== 'ACCEPT' && policy !== 'DROP')
    report(reader, 'bad-policy', `"${policy}" is not a policy.`, column, 'Write ACCEPT or DROP.');
  else chain.policy = policy;
}

/** `-A CHAIN …`, perhaps with `[packets:bytes]` before it. */
function readCommand(reader: Reader, table: Section, line: string): void {
  const counted = /^\[(\d+):(\d+)\]/.exec(line);
  const tokens = tokenise(line, counted?.[0].length ?? 0);
  if ('openQuote' in tokens) {
    report(reader, 'open-quote', OPEN_QUOTE, tokens.openQuote, CLOSE_IT);
    return;
  }
  const command = splitCommand(tokens);
  if (command === undefined) {
    if (tokens.length > 0)
      report(
        reader,
        'no-command',
        `"${firstWord(line)}" starts no rule.`,
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

const ALL_CHAINS: Token = { text: '', column: 1, quoted: false };

function splitCommand(tokens: readonly Token[]): Command | undefined {
  const [first, second] = tokens;
  if (first === undefined) return undefined;
  const short = /^-([AIDNPFX])(.*)$/s.exec(first.text);
  const letter = (short?.[1] as Letter | undefined) ?? LONG[first.text];
  if (letter === undefined) return undefined;
  const attached = short?.[2] ?? '';
  if (attached !== '') return { letter, chain: { ...first, text: attached }, rest: tokens.slice(1) };
  if (second === undefined)
    return letter === 'F' || letter === 'X' ? { letter, chain: ALL_CHAINS, rest: [] } : undefined;
  return { letter, chain: second, rest: tokens.slice(2) };
}

type Run = (reader: Reader, table: Section, command: Command) => void;

const COMMANDS: { readonly [letter in Letter]: Run } = {
  A: (reader, table, command) => {
    const chain = existing(reader, table, command.chain);
    chain?.rules.push(...rulesOf(reader, command, command.rest));
  },
  I: (reader, table, command) => {
    const chain = existing(reader, table, command.chain);
    const { number, rest } = splitNumber(command.rest);
    if (chain === undefined) return;
    const rules = rulesOf(reader, command, rest);
    if (number !== undefined && (number < 1 || number > chain.rules.length + 1))
      report(
        reader,
        'bad-rule-number',
        `The chain ${command.chain.text} has no place ${number}.`,
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
    const texts = number === undefined ? rulesOf(reader, command, rest).map((rule) => rule.text) : [];
    const positions =
      number === undefined
        ? texts.map((text) => chain.rules.findIndex((rule) => rule.text === text))
        : [number - 1];
    for (const position of positions)
      if (chain.rules[position] === undefined)
        report(
          reader,
          'no-such-rule',
          `The chain ${command.chain.text} has no such rule to delete.`,
          command.chain.column,
        );
      else chain.rules.splice(position, 1);
  },
  N: (reader, table, command) => {
    const { text, column } = command.chain;
    if (table.chains.has(text)) report(reader, 'chain-twice', `The chain ${text} is there already.`, column);
    else addChain(reader, table, text, column);
  },
  P: (reader, table, command) => {
    const chain = existing(reader, table, command.chain);
    const policy = command.rest[0];
    if (chain === undefined) return;
    if (policy === undefined || policy.text === '-')
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
    for (const chain of chosen(reader, table, command)) chain.rules = [];
  },
  X: (reader, table, command) => {
    if (command.chain !== ALL_CHAINS && existing(reader, table, command.chain) === undefined) return;
    const names = command.chain === ALL_CHAINS ? [...table.chains.keys()] : [command.chain.text];
    for (const name of names) if (!BUILT_IN_CHAINS[table.name].includes(name)) table.chains.delete(name);
  },
};

const chosen = (reader: Reader, table: Section, command: Command): readonly OpenChain[] => {
  if (command.chain === ALL_CHAINS) return [...table.chains.values()];
  const chain = existing(reader, table, command.chain);
  return chain === undefined ? [] : [chain];
};

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

function rulesOf(reader: Reader, command: Command, tokens: readonly Token[]): readonly Rule[] {
  const read = readRule(tokens, reader.family, command.counters);
  if ('faults' in read) {
    for (const { id, message, column, hint } of read.faults) report(reader, id, message, column, hint);
    return [];
  }
  const place = { file: reader.file, line: reader.line, column: command.chain.column };
  return read.rules.map((rule) => ({ ...rule, place }));
}

function assemble(reader: Reader): Tables {
  const names = Object.keys(BUILT_IN_CHAINS) as TableName[];
  return names.flatMap((name) => {
    const section = reader.tables.get(name);
    return section === undefined ? [] : [closeTable(section)];
  });
}

function closeTable(section: Section): Table {
  const builtIn = BUILT_IN_CHAINS[section.name];
  const own = [...section.chains.keys()].filter((name) => !builtIn.includes(name)).toSorted(byBytes);
  const chains = [...builtIn, ...own].map((name): Chain => {
    const { policy, counters, rules } = section.chains.get(name) as OpenChain;
    return { name, ...(policy && { policy }), ...(counters && { counters }), rules };
  });
  return { name: section.name, chains };
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
