/** What an evaluation of a ruleset as packet sets works with. */
import type { Hook } from '../model.js';
import type { CompiledChain, CompiledRule, CompiledRuleset } from '../program/compiled-ruleset.js';
import type { Stage } from '../program/pipeline.js';
import type { Decisions } from './decisions.js';
import type { Space } from './space.js';

export interface Evaluation {
  readonly space: Space;
  readonly ruleset: CompiledRuleset;
  readonly hook: Hook;
  /** Which leaves: verdicts alone, or who decided them. */
  readonly decisions: Decisions;
  /** Only packets in it need a right answer. */
  readonly relevant?: number;
  /** Whether a packet that is sent elsewhere may count as arrived; a proof of access says no one knows. */
  readonly nat?: 'unknown';
}

/** One table at one hook: where its rules are read, and what lies behind it. */
export interface EvaluationContext extends Evaluation {
  readonly stage: Extract<Stage, { kind: 'table' }>;
  readonly relevantHere: number;
  /** What a rule that accepts leads to; `undefined` is the chain's policy. */
  readonly accept: (step: CompiledRule | undefined) => number;
  readonly summaries: Map<CompiledChain, number>;
  readonly matches: Map<CompiledRule, number>;
}
