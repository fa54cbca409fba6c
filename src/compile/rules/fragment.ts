/** Rules as text before they are made canonical, with the chains and sets that they need. */
import type { IpSet } from '../../netfilter/model.js';
import { quote } from '../../netfilter/text/tokens.js';
import type { Baseline, LogLevel, Rate } from '../../policy/fleet.js';
import { subChain, truncate } from '../names.js';

/** What one statement of the policy compiles to in one family, for the chain of the statement. */
export interface RuleFragment {
  readonly rules: readonly string[];
  /** Chains that those rules jump to. */
  readonly chains: readonly { readonly name: string; readonly rules: readonly string[] }[];
  readonly sets: readonly IpSet[];
}

export const EMPTY_FRAGMENT: RuleFragment = { rules: [], chains: [], sets: [] };

/** The parts that are not empty, with one space between them. */
export const join = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');

/** The rules moved to a chain of their own, and the target that jumps to it. */
export function inChain(
  parent: string,
  conditions: readonly string[],
  { rules, chains, sets }: RuleFragment,
): { readonly jump: string; readonly fragment: RuleFragment } {
  // The conditions are part of the name, so that two statements never share the one limit of a chain.
  const name = subChain(parent, [...conditions, '', ...rules].join('\n'));
  return { jump: `-j ${name}`, fragment: { rules: [], chains: [{ name, rules }, ...chains], sets } };
}

/** xt_comment.h: XT_MAX_COMMENT_LEN is 256 with the final zero byte. */
export const COMMENT_BYTES = 255;

/** A reason may have several lines; a rule has one. */
export const oneLine = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: removes control characters.
    .replace(/[\s\u0000-\u001f\u007f]+/g, ' ')
    .trim();

/** The match that carries a text; empty for the empty text. */
export const comment = (text: string): string =>
  text === '' ? '' : `-m comment --comment ${quote(truncate(text, COMMENT_BYTES))}`;

export interface LogOptions {
  readonly rate: Rate;
  readonly burst: number;
  readonly prefix: string;
  readonly level: LogLevel;
}

/** For `log: true` and the verb `log` where the policy does not log drops. */
const DEFAULT_LOG: LogOptions = {
  rate: { count: 5, per: 'minute' },
  burst: 10,
  prefix: 'iptables-drop: ',
  level: 'warning',
};

/** How rules of a host log. */
export const logOptions = (baseline: Baseline): LogOptions => baseline.log ?? DEFAULT_LOG;

/** At most `rate` packets match, after a burst of `burst`. */
export const limit = (rate: Rate, burst: number): string =>
  `-m limit --limit ${rate.count}/${rate.per} --limit-burst ${burst}`;

/** The target that logs. */
export const logTarget = ({ prefix, level }: LogOptions): string =>
  `-j LOG --log-prefix ${quote(prefix)} --log-level ${level}`;
