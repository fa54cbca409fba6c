/**
 * Types of the table of extensions: a row for each match or target, with a row for each option. They define what
 * iptables-restore accepts and what iptables-save prints; the parser has no code for single extensions.
 */

import type { Family } from '../../lib/family.js';
import type { Option, Rule, TableName } from '../model.js';

/** What a value may depend on. */
export interface ValueContext {
  readonly family: Family;
  /** The rule's own protocol by canonical name, when it has one that is not negated. */
  readonly protocol?: string;
}

/** Why a value or a combination is refused: the end of a sentence, and how to fix it. */
export interface Refusal {
  readonly refused: string;
  readonly hint?: string;
}

/** @param refused continues a sentence that starts with the option or extension: `takes a number, not "x"` */
export const refuse = (refused: string, hint?: string): Refusal => ({ refused, hint });

/** Tells a refusal from a parsed value. */
export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && 'refused' in value;

/** A kind of value: any accepted spelling in, the one that iptables-save prints out. */
export interface ValueType {
  readonly parse: (text: string, context: ValueContext) => string | Refusal;
  /** How save writes the value, where that is not the value itself: in quotes, mostly. */
  readonly print?: (value: string) => string;
  /** May be omitted; the next word is its value unless it starts with `-` or `!`. */
  readonly optional?: true;
  /** Accepted spellings, some of them canonical: shown in the documentation, and used to generate tests. */
  readonly examples: { readonly [family in Family]: readonly string[] };
}

export interface OptionRow {
  /** As iptables-save prints it. */
  readonly flag: string;
  /** Other spellings of the same option. */
  readonly aliases: readonly string[];
  /** The type of each argument. */
  readonly values: readonly ValueType[];
  readonly negatable: boolean;
  /** The rule is refused without it. */
  readonly required: boolean;
  /** May occur more than once; each is kept. */
  readonly repeatable: boolean;
  /** Flags that are not allowed with it. */
  readonly excludes: readonly string[];
  /** Flags that it requires. */
  readonly needs: readonly string[];
  /** Flags that must come before it. */
  readonly after: readonly string[];
  /** The value that save omits (when not negated). */
  readonly hidden?: ByFamily;
  /** The value that save prints when the option was not given. */
  readonly implied?: ByFamily;
}

/** One text for both families, or one for each. */
export type ByFamily = string | { readonly [family in Family]: string };

/** The text for the family. */
export const forFamily = (value: ByFamily, family: Family): string =>
  typeof value === 'string' ? value : value[family];

export interface ExtensionRow {
  readonly kind: 'match' | 'target';
  readonly name: string;
  /** Other names that `-m` or `-j` accepts for it; save prints `name`. */
  readonly aliases?: readonly string[];
  /** The only family it exists for. */
  readonly family?: Family;
  /** In the order in which save prints them. */
  readonly options: readonly OptionRow[];
  /** `given`: the order of the options matters, so `finish` gets them in that order; else in the order of `options`. */
  readonly order?: 'given';
  /** At least one of these flags must be given; `any` is any of all. */
  readonly oneOf?: 'any' | readonly string[];
  /** The rule must name one of these protocols. */
  readonly protocols?: readonly string[];
  /** The only tables in which the kernel accepts it; may depend on the options. */
  readonly tables?: readonly TableName[] | ((options: readonly Option[]) => readonly TableName[] | undefined);
  /** The only built-in chains from which it may be reached; may depend on the options. */
  readonly hooks?: readonly string[] | ((options: readonly Option[]) => readonly string[] | undefined);
  /** What the kernel requires of the rest of the rule. */
  readonly suits?: (rule: Pick<Rule, 'matches'>) => Refusal | undefined;
  /** For what depends on several options: rewrites them, or refuses the combination. */
  readonly finish?: (options: readonly Option[], context: ValueContext) => readonly Option[] | Refusal;
}

/** Built-in chains in which packets have an incoming interface, and those in which they have an outgoing one. */
export const ARRIVING: readonly string[] = ['PREROUTING', 'INPUT', 'FORWARD'];
export const LEAVING: readonly string[] = ['FORWARD', 'OUTPUT', 'POSTROUTING'];

interface OptionExtras {
  readonly aliases?: readonly string[];
  readonly not?: true;
  readonly required?: true;
  readonly repeatable?: true;
  readonly excludes?: readonly string[];
  readonly needs?: readonly string[];
  readonly after?: readonly string[];
  readonly hidden?: ByFamily;
  readonly implied?: ByFamily;
}

/** An option row: `option('--dport', portRange, { not: true })`. `not` means that it may be negated. */
export function option(
  flag: string,
  values: ValueType | readonly ValueType[] = [],
  extras: OptionExtras = {},
): OptionRow {
  return {
    flag,
    aliases: extras.aliases ?? [],
    values: 'parse' in values ? [values] : values,
    negatable: extras.not ?? false,
    required: extras.required ?? false,
    repeatable: extras.repeatable ?? false,
    excludes: extras.excludes ?? [],
    needs: extras.needs ?? [],
    after: extras.after ?? [],
    hidden: extras.hidden,
    implied: extras.implied,
  };
}

/** Options of which only one is allowed. */
export function exclusive(...rows: readonly OptionRow[]): OptionRow[] {
  const flags = rows.map((row) => row.flag);
  return rows.map((row) => ({
    ...row,
    excludes: [...row.excludes, ...flags.filter((flag) => flag !== row.flag)],
  }));
}

interface IndexedOption {
  readonly row: OptionRow;
  /** Its index among the rows: the order of printing. */
  readonly position: number;
}

const INDEX = new WeakMap<ExtensionRow, ReadonlyMap<string, IndexedOption>>();

/** The option of an extension by any of its names. */
export function findOption(extension: ExtensionRow, name: string): IndexedOption | undefined {
  let index = INDEX.get(extension);
  if (index === undefined) {
    index = new Map(
      extension.options.flatMap((row, position) =>
        [row.flag, ...row.aliases].map((each) => [each, { row, position }] as const),
      ),
    );
    INDEX.set(extension, index);
  }
  return index.get(name);
}

/** For `finish`: the first value of an option. */
export const valueGiven = (options: readonly Option[], flag: string): string | undefined =>
  options.find((given) => given.flag === flag)?.values[0];

/** For `finish`: whether the option is given. */
export const has = (options: readonly Option[], flag: string): boolean =>
  options.some((given) => given.flag === flag);

/** For `finish`: the options in the order of their rows. */
export function inOrder(options: readonly Option[], rows: readonly OptionRow[]): readonly Option[] {
  const order = rows.map((row) => row.flag);
  return options.toSorted((a, b) => order.indexOf(a.flag) - order.indexOf(b.flag));
}

/** For `finish`: an option that is not negated. */
export const given = (flag: string, ...values: readonly string[]): Option => ({
  flag,
  negated: false,
  values,
});
