/** How a run ended, as the host tells it. */
import type { AgentAnswer } from '../agent/agent.js';
import type { OutcomeKind, Phase } from '../client.js';

/** In the host's words. */
export interface RunOutcome {
  readonly outcome: OutcomeKind;
  readonly phase: Phase;
  readonly reason: string;
}

const OUTCOMES: Readonly<Record<string, OutcomeKind>> = {
  confirmed: 'confirmed',
  'rolled-back': 'rolled-back',
  refused: 'refused',
  'rollback-failed': 'unknown',
};

/** `undefined` where the answer tells of no end. */
export function readOutcome(answer: AgentAnswer): RunOutcome | undefined {
  if (answer.kind !== 'answer') return undefined;
  const words = answer.words.find((line) => line.startsWith('ended '))?.split(' ');
  if (words === undefined) return undefined;
  const [, outcome = '', phase = 'done', ...reason] = words;
  return { outcome: OUTCOMES[outcome] ?? 'unknown', phase: phase as Phase, reason: reason.join(' ') };
}
