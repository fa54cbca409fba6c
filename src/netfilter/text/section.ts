/** Tables under construction: chains, policies and problems. */

import type { Family } from '../../lib/family.js';
import { error, note, type Problem } from '../../lib/problem.js';
import { BUILT_IN_CHAINS, type Counters, type Rule, type TableName } from '../model.js';
import { CHAIN_NAME_BYTES } from '../rule/core.js';

export interface Reader {
  readonly family: Family;
  readonly file: string;
  readonly problems: Problem[];
  readonly tables: Map<TableName, Section>;
  table: Section | undefined;
  line: number;
  /** The current line. */
  text: string;
  /** The kernel printed the text: whatever it holds is in force, understood or not. */
  readonly printed: boolean;
}

export interface Section {
  readonly name: TableName;
  readonly chains: Map<string, OpenChain>;
  /** The chains that the rules so far jump to. */
  readonly jumpedTo: Set<string>;
  /** A table of the kernel that is not known here: its lines are skipped. */
  readonly unknown?: true;
}

export interface OpenChain {
  policy: 'ACCEPT' | 'DROP' | undefined;
  counters: Counters | undefined;
  rules: Rule[];
}

/** Adds a note on the current line. */
export function remark(reader: Reader, id: string, message: string, column: number, hint: string): void {
  reader.problems.push(
    note(id, message, { location: { kind: 'host', file: reader.file, line: reader.line, column }, hint }),
  );
}

/** Adds an error on the current line. */
export function report(reader: Reader, id: string, message: string, column: number, hint?: string): void {
  reader.problems.push(
    error(id, message, { location: { kind: 'host', file: reader.file, line: reader.line, column }, hint }),
  );
}

export const OPEN_QUOTE = 'Unclosed double quote.';
export const CLOSE_IT = 'Close it, or escape it with a backslash inside other quotes.';

/** The first word of a line. */
export const firstWord = (line: string): string => line.trim().split(/\s/)[0] ?? '';

/** `[packets:bytes]`. */
export const parseCounters = (text: string): Counters | undefined => {
  const found = /^\[(\d+):(\d+)\]$/.exec(text);
  return found === null ? undefined : { packets: BigInt(found[1] ?? 0), bytes: BigInt(found[2] ?? 0) };
};

/** Declares a user-defined chain; reports a name that is not valid. */
export function addChain(
  reader: Reader,
  table: Section,
  name: string,
  column: number,
): OpenChain | undefined {
  const known = table.chains.has(name);
  const flaw = known ? '' : nameFlaw(name);
  if (flaw !== undefined) {
    report(
      reader,
      known ? 'chain-twice' : 'bad-chain-name',
      known ? `Duplicate chain "${name}".` : `"${name}" is not a valid chain name: ${flaw}.`,
      column,
      known
        ? 'Declare it once.'
        : `Write 1 to ${CHAIN_NAME_BYTES} bytes without spaces, not starting with "-" or "!".`,
    );
    return undefined;
  }
  if (table.jumpedTo.has(name))
    report(
      reader,
      'late-chain',
      `The chain ${name} is declared after a rule that jumps to it.`,
      column,
      'Move this line above the rules: iptables-restore looks for the chain when it reads the rule.',
    );
  const chain: OpenChain = { policy: undefined, counters: undefined, rules: [] };
  table.chains.set(name, chain);
  return chain;
}

const VERDICTS = ['ACCEPT', 'DROP', 'QUEUE', 'RETURN'];

function nameFlaw(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (Buffer.byteLength(name) > CHAIN_NAME_BYTES) return `it is longer than ${CHAIN_NAME_BYTES} bytes`;
  if (name.startsWith('-') || name.startsWith('!')) return `it starts with "${name.charAt(0)}"`;
  if (VERDICTS.includes(name)) return 'it is the name of a verdict';
  return /[\s"]/.test(name) ? 'it has spaces or quotes' : undefined;
}

interface PolicyChange {
  readonly name: string;
  readonly chain: OpenChain;
  readonly policy: string;
  readonly column: number;
}

/** Sets the policy of a built-in chain; reports one that is not valid. */
export function setPolicy(reader: Reader, table: Section, change: PolicyChange): void {
  const { name, chain, policy, column } = change;
  const builtIn = BUILT_IN_CHAINS[table.name].includes(name);
  if (policy === '-') return;
  if (!builtIn)
    report(
      reader,
      'bad-policy',
      `The user-defined chain ${name} cannot have a policy.`,
      column,
      'Write "-", and end the chain with a rule that decides.',
    );
  else if (policy !== 'ACCEPT' && policy !== 'DROP')
    report(reader, 'bad-policy', `"${policy}" is not a policy.`, column, 'Write ACCEPT or DROP.');
  else chain.policy = policy;
}
