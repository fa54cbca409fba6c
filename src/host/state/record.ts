/** What Sallyport's own directory on a host says, from the lines in which the agent prints it. */
import type { RulesText } from '../../netfilter/model.js';
import { pairs } from '../agent/agent.js';
import type { HostRecord, KnownGood, Phase } from '../client.js';

/** `known` is the text of the entry that was asked for, together with its number. */
export function readRecord(text: string, known?: RulesText, knownNumber?: number): HostRecord {
  const blocks: { readonly kind: string; readonly values: Map<string, string> }[] = [];
  for (const [name, value] of pairs(text)) {
    if (value === '' && KINDS.has(name)) blocks.push({ kind: name, values: new Map() });
    else blocks.at(-1)?.values.set(name, value);
  }
  const entries = blocks.filter(({ kind }) => kind === 'known-good').reverse();
  const history = entries.map(({ values }, index): KnownGood => {
    const number = index + 1;
    const [host, machineId] = [values.get('host'), values.get('machine-id')];
    return {
      number,
      run: values.get('run') ?? '',
      commit: values.get('commit') ?? '',
      time: values.get('time') ?? '',
      digest: values.get('digest') ?? '',
      ...(host === undefined ? {} : { host }),
      ...(machineId === undefined ? {} : { machineId }),
      ...(known !== undefined && number === knownNumber ? { rules: known } : {}),
    };
  });
  const pending = blocks.find(({ kind }) => kind === 'pending')?.values;
  const last = blocks.find(({ kind }) => kind === 'last')?.values;
  const current = history[0];
  return {
    history,
    ...(current === undefined ? {} : { current }),
    ...(pending === undefined
      ? {}
      : {
          pending: {
            run: pending.get('run') ?? '',
            phase: (pending.get('phase') ?? 'arm') as Phase,
            owner: pending.get('owner') ?? '',
            since: pending.get('time') ?? '',
            secondsLeft: Number(pending.get('left') ?? 0),
          },
        }),
    ...(last === undefined
      ? {}
      : {
          last: {
            run: last.get('run') ?? '',
            outcome: last.get('outcome') ?? '',
            reason: last.get('reason') ?? '',
            time: last.get('time') ?? '',
          },
        }),
  };
}

const KINDS = new Set(['pending', 'last', 'known-good']);
