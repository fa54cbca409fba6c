/** Small changes of random rulesets. */
import type { Chance } from '../trace/kernel/random.js';

/** The same rules with a rule left out, doubled, moved, or a policy turned. */
export function change(by: Chance, rules: string): string {
  const lines = rules.split('\n');
  const places = lines.flatMap((line, index) => (line.startsWith('-A') ? [index] : []));
  const at = by.one(places);
  const line = lines[at] ?? '';
  const kind = by.below(4);
  if (kind === 0) return lines.toSpliced(at, 1).join('\n');
  if (kind === 1)
    return lines
      .toSpliced(
        at,
        1,
        line.replace(/-j (ACCEPT|DROP)$/, (_, verdict) => `-j ${verdict === 'DROP' ? 'ACCEPT' : 'DROP'}`),
      )
      .join('\n');
  if (kind === 2) return rules.replace(':FORWARD DROP', ':FORWARD ACCEPT');
  const chain = line.split(' ')[1];
  const other = places.find((location) => location !== at && lines[location]?.split(' ')[1] === chain) ?? at;
  return lines
    .map((each, index) => (index === at ? (lines[other] ?? '') : index === other ? line : each))
    .join('\n');
}

/** The same rules with what makes them hard to compare: limits, sets that rules change, the host's addresses, doubles. */
export const harden = (by: Chance, rules: string): string =>
  rules
    .split('\n')
    .flatMap((line) => {
      if (!line.startsWith('-A')) return [line];
      let hard = line;
      if (by.in100(15))
        hard = hard.replace(/ (?=-[jg] )/, ` -m limit --limit ${by.one(['5/min', '9/min'])} `);
      if (by.in100(6)) hard = hard.replace(/ (?=-[jg] )/, ' -m addrtype --dst-type LOCAL ');
      if (by.in100(4) && / -j (ACCEPT|DROP)$/.test(hard))
        hard = hard.replace(/ -j \S+$/, ' -j SET --add-set hosts src');
      return by.in100(12) ? [hard, hard] : [hard];
    })
    .join('\n');
