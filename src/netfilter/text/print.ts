/** Tables as text, in the form of iptables-save. */
import type { Chain, Counters, Rule, Tables } from '../model.js';
import { quote } from './tokens.js';

export interface PrintOptions {
  /** Print the counters of chains and rules; otherwise every chain has `[0:0]` and rules have none. */
  readonly counters?: boolean;
}

/**
 * Exactly what `iptables-save` prints (with `counters`: `iptables-save -c`) for these tables, without its comment and
 * date lines; tables in the order given. No tables are the empty text.
 */
export function printTables(tables: Tables, options: PrintOptions = {}): string {
  const lines: string[] = [];
  for (const table of tables) {
    lines.push(`*${table.name}`);
    for (const chain of table.chains)
      lines.push(
        `:${chain.name} ${chain.policy ?? '-'} ${printCounters(options.counters ? chain.counters : undefined)}`,
      );
    for (const chain of table.chains)
      for (const rule of chain.rules) lines.push(printRule(chain, rule, options));
    lines.push('COMMIT');
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** `-A CHAIN …`, with `[packets:bytes]` before it when counters are asked for. */
export function printRule(chain: Pick<Chain, 'name'>, rule: Rule, options: PrintOptions = {}): string {
  const line = rule.text === '' ? `-A ${chain.name}` : `-A ${chain.name} ${rule.text}`;
  return options.counters ? `${printCounters(rule.counters)} ${line}` : line;
}

/** A rule's text without its comment, which says what the rule is for and nothing about packets. */
export function withoutComment({ text, comment }: Pick<Rule, 'text' | 'comment'>): string {
  if (comment === undefined) return text;
  const match = `-m comment --comment ${quote(comment)}`;
  const start = text.indexOf(match);
  return start === -1
    ? text
    : `${text.slice(0, start).trimEnd()} ${text.slice(start + match.length).trimStart()}`.trim();
}

const printCounters = (counters: Counters | undefined): string =>
  `[${counters?.packets ?? 0n}:${counters?.bytes ?? 0n}]`;
