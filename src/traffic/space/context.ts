/** The input of an evaluation of a ruleset as sets of packets, and its state within one table. */
import type { Hook } from '../model.js';
import type { CompiledChain, CompiledRule, CompiledRuleset } from '../program/compiled-ruleset.js';
import type { TableStage } from '../program/pipeline.js';
import type { Decisions } from './decisions.js';
import type { Space } from './space.js';

export interface Evaluation {
  readonly space: Space;
  readonly ruleset: CompiledRuleset;
  readonly hook: Hook;
  /** Which leaves: verdicts alone, or with the rule that decided. */
  readonly decisions: Decisions;
  /** The packets whose verdict must be right; default all. */
  readonly relevant?: number;
  /** It is unknown whether a packet that nat redirects may count as arrived: a proof of access needs that. */
  readonly nat?: 'unknown';
}

/** One table at one hook: its rules, and what follows it. */
export interface EvaluationContext extends Evaluation {
  readonly stage: TableStage;
  /** {@link Evaluation.relevant} as the packets reach this table. */
  readonly relevantHere: number;
  /** The result for packets that a rule of it translates. */
  readonly translated: number;
  /** The result for packets that a rule accepts; `undefined` is the chain's policy. */
  readonly accept: (rule: CompiledRule | undefined) => number;
  readonly summaries: Map<CompiledChain, number>;
  readonly matches: Map<CompiledRule, number>;
}
