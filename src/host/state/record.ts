/** Sallyport's state directory on a host, parsed from what the agent prints of it. */
import type { RulesText } from '../../netfilter/model.js';
import { pairs } from '../agent/agent.js';
import type { HostRecord, KnownGood, Phase } from '../client.js';

const BLOCKS = new Set(['pending', 'last', 'known-good']);

/**
 * Parses blocks of a line `pending`, `last` or `known-good` and lines `name value`.
 * @param rules The rules of the history entry `rulesNumber`, if they were requested.
 */
export function readRecord(text: string, rules?: RulesText, rulesNumber?: number): HostRecord {
  const blocks: { readonly kind: string; readonly values: Map<string, string> }[] = [];
  for (const [name, value] of pairs(text)) {
    if (value === '' && BLOCKS.has(name)) blocks.push({ kind: name, values: new Map() });
    else blocks.at(-1)?.values.set(name, value);
  }
  const read = (kind: string): ((name: string) => string)[] =>
    blocks
      .filter((block) => block.kind === kind)
      .map(
        ({ values }) =>
          (name) =>
            values.get(name) ?? '',
      );
  const history = read('known-good')
    .reverse()
    .map((value, index): KnownGood => {
      const number = index + 1;
      return {
        number,
        run: value('run'),
        commit: value('commit'),
        time: value('time'),
        digest: value('digest'),
        native: value('native') || undefined,
        host: value('host') || undefined,
        machineId: value('machine-id') || undefined,
        rules: number === rulesNumber ? rules : undefined,
      };
    });
  const [pending] = read('pending');
  const [last] = read('last');
  return {
    history,
    current: history[0],
    pending: pending && {
      run: pending('run'),
      phase: (pending('phase') || 'arm') as Phase,
      owner: pending('owner'),
      since: pending('time'),
      secondsLeft: Number(pending('left') || 0),
    },
    last: last && {
      run: last('run'),
      outcome: last('outcome'),
      reason: last('reason'),
      time: last('time'),
    },
  };
}
