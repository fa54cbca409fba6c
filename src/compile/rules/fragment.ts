/** Rules as text before they are made canonical, and the chains and sets that they bring. */
import type { IpSet } from '../../netfilter/model.js';
import { quote } from '../../netfilter/text/tokens.js';
import type { Baseline, LogLevel, Rate } from '../../policy/fleet.js';
import { cut, subChain } from '../names.js';

/** What one statement of the policy becomes in one family, in the chain it stands in. */
export interface RuleFragment {
  readonly rules: readonly string[];
  /** Chains behind those rules. */
  readonly chains: readonly { readonly name: string; readonly rules: readonly string[] }[];
  readonly sets: readonly IpSet[];
}

export const EMPTY_FRAGMENT: RuleFragment = { rules: [], chains: [], sets: [] };

/** Words with one space between them, those that are empty left out. */
export const join = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');

/** The rules moved into a chain of their own, and the one word that jumps to it. */
export function inChain(
  parent: string,
  heads: readonly string[],
  lines: RuleFragment,
): { readonly jump: string; readonly lines: RuleFragment } {
  // The heads are part of the name, so that two statements never share the one limit of a chain.
  const name = subChain(parent, [...heads, '', ...lines.rules].join('\n'));
  return {
    jump: `-j ${name}`,
    lines: { rules: [], chains: [{ name, rules: lines.rules }, ...lines.chains], sets: lines.sets },
  };
}

/** xt_comment.h: XT_MAX_COMMENT_LEN is 256 with the final zero byte. */
export const COMMENT_BYTES = 255;

/** A reason may be written over several lines; a rule stands on one. */
export const oneLine = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must go.
    .replace(/[\s\u0000-\u001f\u007f]+/g, ' ')
    .trim();

export const comment = (text: string): string =>
  text === '' ? '' : `-m comment --comment ${quote(cut(text, COMMENT_BYTES))}`;

export interface LogOptions {
  readonly rate: Rate;
  readonly burst: number;
  readonly prefix: string;
  readonly level: LogLevel;
}

/** What `log: true` and the verb `log` use where the policy turns the log of drops off. */
const DEFAULT_LOG: LogOptions = {
  rate: { count: 5, per: 'minute' },
  burst: 10,
  prefix: 'iptables-drop: ',
  level: 'warning',
};

/** How a host logs. */
export const logOptions = (baseline: Baseline): LogOptions => baseline.log ?? DEFAULT_LOG;

export const limit = (rate: Rate, burst: number): string =>
  `-m limit --limit ${rate.count}/${rate.per} --limit-burst ${burst}`;

export const logTarget = ({ prefix, level }: LogOptions): string =>
  `-j LOG --log-prefix ${quote(prefix)} --log-level ${level}`;
