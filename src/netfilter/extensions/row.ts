/**
 * The shape of the table of extensions: one row a match or target, one row an option in it. The rows say what
 * iptables-restore accepts and what iptables-save prints; the parser knows no extension by name.
 */

import type { Family } from '../../lib/family.js';
import type { Option, Rule, TableName } from '../model.js';

/** What a value may depend on. */
export interface ValueContext {
  readonly family: Family;
  /** The rule's own protocol by canonical name, when it has one that is not negated. */
  readonly protocol?: string;
}

/** Why a value or a combination is refused: the end of a sentence, and how to mend it. */
export interface Refusal {
  readonly refused: string;
  readonly hint?: string;
}

export const refuse = (refused: string, hint?: string): Refusal =>
  hint === undefined ? { refused } : { refused, hint };

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && 'refused' in value;

/** A kind of value: any accepted spelling in, the one that iptables-save prints out. */
export interface ValueType {
  readonly parse: (text: string, context: ValueContext) => string | Refusal;
  /** How save writes the value, where that is not the value itself: in quotes, mostly. */
  readonly print?: (value: string) => string;
  /** May be left out; the next word is its value unless it starts with `-` or `!`. */
  readonly optional?: true;
  /** Spellings that are accepted, some of them canonical: what documentation shows and tests generate from. */
  readonly examples: { readonly [family in Family]: readonly string[] };
}

export interface OptionRow {
  /** As iptables-save prints it. */
  readonly flag: string;
  /** Other spellings of the same option. */
  readonly aliases: readonly string[];
  /** One type an argument. */
  readonly values: readonly ValueType[];
  readonly negatable: boolean;
  /** The rule is refused without it. */
  readonly required: boolean;
  /** May stand more than once; each is kept. */
  readonly repeatable: boolean;
  /** Flags that may not stand beside it. */
  readonly excludes: readonly string[];
  /** Flags that must stand beside it. */
  readonly needs: readonly string[];
  /** Flags that must stand before it. */
  readonly after: readonly string[];
  /** The value that save leaves out (when not negated). */
  readonly hidden?: ByFamily;
  /** The value that save prints when the option was not given. */
  readonly implied?: ByFamily;
}

export type ByFamily = string | { readonly [family in Family]: string };

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
  /** `given`: the order of the options matters, so `finish` gets them as they stood; else in the order of `options`. */
  readonly order?: 'given';
  /** At least one of these flags must be given; `any` is any of all. */
  readonly oneOf?: 'any' | readonly string[];
  /** The rule must name one of these protocols. */
  readonly protocols?: readonly string[];
  /** The only tables in which the kernel takes it; may depend on the options. */
  readonly tables?: readonly TableName[] | ((options: readonly Option[]) => readonly TableName[] | undefined);
  /** The only built-in chains from which the kernel lets it be reached; may depend on the options. */
  readonly hooks?: readonly string[] | ((options: readonly Option[]) => readonly string[] | undefined);
  /** What the kernel demands of the rest of the rule. */
  readonly suits?: (rule: Pick<Rule, 'matches'>) => Refusal | undefined;
  /** What depends on several options at once: rewrites them, or says why they cannot stand together. */
  readonly finish?: (options: readonly Option[], context: ValueContext) => readonly Option[] | Refusal;
}

/** Built-in chains that packets pass with an interface they came in on, and with one they go out on. */
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

/** An option row: `option('--dport', portRange, { not: true })`. `not` means that `!` may stand before it. */
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
    ...(extras.hidden === undefined ? {} : { hidden: extras.hidden }),
    ...(extras.implied === undefined ? {} : { implied: extras.implied }),
  };
}

/** Marks a group of options as excluding one another. */
export function exclusive(...rows: readonly OptionRow[]): OptionRow[] {
  const flags = rows.map((row) => row.flag);
  return rows.map((row) => ({
    ...row,
    excludes: [...row.excludes, ...flags.filter((flag) => flag !== row.flag)],
  }));
}

interface Indexed {
  readonly row: OptionRow;
  /** Where it stands among the rows: the order of printing. */
  readonly position: number;
}

const INDEX = new WeakMap<ExtensionRow, ReadonlyMap<string, Indexed>>();

/** The option of an extension by any of its names. */
export function findOption(extension: ExtensionRow, name: string): Indexed | undefined {
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

/** For `finish`: reads and writes the options of one extension. */
export const valueGiven = (options: readonly Option[], flag: string): string | undefined =>
  options.find((given) => given.flag === flag)?.values[0];

export const has = (options: readonly Option[], flag: string): boolean =>
  options.some((given) => given.flag === flag);

/** Sorts options into the order of their rows, for a `finish` that has put some in. */
export function inOrder(options: readonly Option[], rows: readonly OptionRow[]): readonly Option[] {
  const order = rows.map((row) => row.flag);
  return options.toSorted((a, b) => order.indexOf(a.flag) - order.indexOf(b.flag));
}

export const given = (flag: string, ...values: readonly string[]): Option => ({
  flag,
  negated: false,
  values,
});
