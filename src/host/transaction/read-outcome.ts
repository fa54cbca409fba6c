/** How a run ended, as the host reports it. The host decides (`agent/rollback.sh`, `agent/finish.sh`); this reads its answer. */
import type { AgentAnswer } from '../agent/agent.js';
import type { OutcomeKind, Phase } from '../client.js';

/** The outcome of a run, as recorded on the host. */
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

/** Reads the line `ended OUTCOME PHASE REASON` of an answer; `undefined` if it has none. */
export function readOutcome(answer: AgentAnswer): RunOutcome | undefined {
  if (answer.kind !== 'answer') return undefined;
  const ended = answer.lines.find((line) => line.startsWith('ended '))?.split(' ');
  if (ended === undefined) return undefined;
  const [, outcome = '', phase = 'done', ...reason] = ended;
  return { outcome: OUTCOMES[outcome] ?? 'unknown', phase: phase as Phase, reason: reason.join(' ') };
}
