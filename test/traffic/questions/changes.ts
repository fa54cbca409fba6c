/** Small changes of random rulesets. */
import type { Random } from '../trace/kernel/random.js';

/** The same rules with one rule left out, inverted or swapped, or a policy changed. */
export function change(random: Random, rules: string): string {
  const lines = rules.split('\n');
  const indexes = lines.flatMap((line, index) => (line.startsWith('-A') ? [index] : []));
  const at = random.pick(indexes);
  const line = lines[at] ?? '';
  const kind = random.below(4);
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
  const other = indexes.find((index) => index !== at && lines[index]?.split(' ')[1] === chain) ?? at;
  return lines
    .map((each, index) => (index === at ? (lines[other] ?? '') : index === other ? line : each))
    .join('\n');
}

/** The same rules with what makes them hard to compare: limits, sets that rules change, the host's addresses, duplicates. */
export const harden = (random: Random, rules: string): string =>
  rules
    .split('\n')
    .flatMap((line) => {
      if (!line.startsWith('-A')) return [line];
      let hard = line;
      if (random.percent(15))
        hard = hard.replace(/ (?=-[jg] )/, ` -m limit --limit ${random.pick(['5/min', '9/min'])} `);
      if (random.percent(6)) hard = hard.replace(/ (?=-[jg] )/, ' -m addrtype --dst-type LOCAL ');
      if (random.percent(4) && / -j (ACCEPT|DROP)$/.test(hard))
        hard = hard.replace(/ -j \S+$/, ' -j SET --add-set hosts src');
      return random.percent(12) ? [hard, hard] : [hard];
    })
    .join('\n');
