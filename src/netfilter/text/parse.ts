/**
 * The language of iptables-save and iptables-restore: text in, canonical tables out. What iptables-restore refuses
 * is refused here, each problem with its line and column and how to mend it; all of them at once.
 */

import type { Family } from '../../lib/family.js';
import {
  byLocation,
  error,
  failure,
  type Problem,
  type Result,
  type SourceLocation,
} from '../../lib/problem.js';
import { BUILT_IN_CHAINS, type Chain, type Rule, type Table, type TableName, type Tables } from '../model.js';
import { readRule } from '../rule/rule.js';
import type { Fault } from '../rule/state.js';
import { inSaveOrder, TABLE_NAMES } from '../tables.js';
import { readCommand } from './commands.js';
import {
  addChain,
  CLOSE_IT,
  firstWord,
  OPEN_QUOTE,
  type OpenChain,
  parseCounters,
  type Reader,
  report,
  type Section,
  setPolicy,
} from './section.js';
import { tokenise } from './tokens.js';

/**
 * Parses the text that iptables-save prints or iptables-restore reads, in any accepted spelling.
 * Tables come in the order of the kernel's names, each with all its built-in chains; of two sections
 * of one table the last counts, as in restore. Empty text means no tables.
 * @param file the name of the text in locations
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
  const problems = reader.problems.toSorted(byLocation);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: assemble(reader), problems };
}

export interface RuleContext {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly location: SourceLocation;
}

/**
 * Parses one rule without its `-A CHAIN`. A list of addresses makes several rules of it, in the order in which
 * iptables adds them. Problems and rules have the context's location.
 */
export function parseRules(text: string, context: RuleContext): Result<readonly Rule[]> {
  const { location } = context;
  const where = (fault: Fault): Problem => error(fault.id, fault.message, { location, hint: fault.hint });
  if (/[\r\n]/.test(text))
    return failure(error('line-break', 'A rule cannot hold a line break.', { location }));
  const tokens = tokenise(text);
  if ('openQuote' in tokens) return failure(error('open-quote', OPEN_QUOTE, { location, hint: CLOSE_IT }));
  const read = readRule(tokens, context);
  if ('faults' in read) return { ok: false, problems: read.faults.map(where) };
  return { ok: true, value: read.rules.map((rule) => ({ ...rule, location })), problems: [] };
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
const INCOMPATIBLE = /^# Table [`'](.+)' (?:is|contains) incompatible/;

function readLine(reader: Reader, line: string): void {
  reader.line++;
  if (line.startsWith('#')) {
    const table = INCOMPATIBLE.exec(line)?.[1];
    if (table !== undefined)
      report(
        reader,
        'incompatible-table',
        `The table ${table} has rules that iptables cannot show, so this text is incomplete.`,
        1,
        'List it with "nft list ruleset" and move those rules to a table of their own.',
      );
    return;
  }
  if (line === '') return;
  if (line.startsWith('*')) openTable(reader, line);
  else if (reader.table === undefined)
    report(
      reader,
      'no-table',
      `"${firstWord(line)}" is outside a table.`,
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
    report(reader, 'unknown-table', `Unknown table "${name}".`, 2, `Write one of ${TABLE_NAMES.join(', ')}.`);
    reader.table = { name: 'filter', chains: new Map(), jumpedTo: new Set() };
    return;
  }
  const chains = new Map<string, OpenChain>();
  for (const chain of BUILT_IN_CHAINS[name])
    chains.set(chain, { policy: 'ACCEPT', counters: undefined, rules: [] });
  reader.table = { name, chains, jumpedTo: new Set() };
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
      'Write ACCEPT or DROP, or "-" for a user-defined chain.',
    );
    return;
  }
  const builtIn = BUILT_IN_CHAINS[table.name].includes(name);
  const chain = builtIn ? table.chains.get(name) : addChain(reader, table, name, 2);
  if (chain === undefined) return;
  chain.counters = counters;
  setPolicy(reader, table, { name, chain, policy, column: 1 });
}

function assemble(reader: Reader): Tables {
  return TABLE_NAMES.flatMap((name) => {
    const section = reader.tables.get(name);
    return section === undefined ? [] : [closeTable(section)];
  });
}

function closeTable({ name, chains }: Section): Table {
  const closed = [...chains].map(([chain, open]): Chain => ({ name: chain, ...open }));
  return { name, chains: inSaveOrder(name, closed) };
}
