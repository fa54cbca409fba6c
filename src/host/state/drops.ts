/** Counters of packets dropped by default (policies and final rules), not by a specific rule, from `iptables-save -c`. */
import { FAMILIES, type Family } from '../../lib/family.js';
import { pairs } from '../agent/agent.js';
import type { DropCount, DropRule } from '../client.js';

const POLICY = /^:([A-Z]+) DROP \[(\d+):/;
const LAST = /^\[(\d+):\d+\] -A (SALLYPORT-[A-Z]+) -j DROP$/;

/** Finds the drop counters. @param save The output of `iptables-save -c`, or the relevant lines of it. */
function dropRules(save: string, family: Family): readonly DropRule[] {
  const rules: DropRule[] = [];
  let table = '';
  for (const line of save.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    if (table !== 'filter') continue;
    const policy = POLICY.exec(line);
    if (policy !== null) rules.push({ family, chain: policy[1] ?? '', packets: Number(policy[2]) });
    const last = LAST.exec(line);
    if (last !== null) rules.push({ family, chain: last[2] ?? '', packets: Number(last[1]) });
  }
  return rules;
}

/** Reads the drop counters of both families. @param time Lines `boot ID` and `uptime HUNDREDTHS` (of a second). */
export function dropCount(time: string, saves: { readonly [family in Family]: string }): DropCount {
  const facts = new Map(pairs(time));
  return {
    boot: facts.get('boot') ?? '',
    uptime: Number(facts.get('uptime') ?? 0) / 100,
    rules: FAMILIES.flatMap((family) => dropRules(saves[family], family)),
  };
}

/** Parses the agent's file `counted`: the time, then `= v4` and `= v6`, each with lines of `iptables-save -c`. */
export function storedDropCount(text: string): DropCount {
  const [time = '', v4 = '', v6 = ''] = text.split(/^= v[46]\n/m);
  return dropCount(time, { v4, v6 });
}
