/** Counters of dropped packets out of `iptables-save -c`: of what no rule named, not of what a rule denies by name. */
import { FAMILIES, type Family } from '../../lib/family.js';
import { pairs } from '../agent/agent.js';
import type { DropCount, DropRule } from '../client.js';

const POLICY = /^:([A-Z]+) DROP \[(\d+):/;
const LAST = /^\[(\d+):\d+\] -A (SALLYPORT-[A-Z]+) -j DROP$/;

/** @param save What `iptables-save -c` printed, or the lines of it that count. */
export function dropRules(save: string, family: Family): readonly DropRule[] {
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

/** @param when Lines `boot ID` and `uptime HUNDREDTHS`. */
export function dropCount(when: string, saves: { readonly [family in Family]: string }): DropCount {
  const facts = new Map(pairs(when));
  return {
    boot: facts.get('boot') ?? '',
    uptime: Number(facts.get('uptime') ?? 0) / 100,
    rules: FAMILIES.flatMap((family) => dropRules(saves[family], family)),
  };
}

/** What the agent kept: the time, then `= v4` and `= v6` with lines of `iptables-save -c` below each. */
export function storedDropCount(text: string): DropCount {
  const [when = '', v4 = '', v6 = ''] = text.split(/^= v[46]\n/m);
  return dropCount(when, { v4, v6 });
}
