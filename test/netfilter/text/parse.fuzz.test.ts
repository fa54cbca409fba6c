/** Mutated rules: whatever stands there, the answer is tables, or problems with a location. */

import type { Family } from '../../../src/lib/family.js';
import { formatRules } from '../../../src/netfilter/text/fmt.js';

const LINES = 100_000;
/** Rules in one text, so that a mutation can also damage its neighbours. */
const TOGETHER = 50;

const SEEDS = [
  '-A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m comment --comment "web: a b" -j ACCEPT',
  String.raw`-A INPUT -m comment --comment "it\'s \"q\"" -j LOG --log-prefix "x: " --log-level 6`,
  '-A FORWARD -s 10.0.0.0/8 ! -i eth0 -p udp -m multiport ! --dports 1,2:3 -m limit --limit 5/min -j DROP',
  '-A INPUT -m hashlimit --hashlimit-upto 512kb/s --hashlimit-burst 1mb --hashlimit-mode srcip --hashlimit-name b',
  '-A OUTPUT -m policy --dir out --pol ipsec --strict --reqid 1 --mode tunnel --next --spi 0x1 -j ACCEPT',
  '-A INPUT -m u32 --u32 "0x6&0xff=0x1:0x5&&0x0>>0x16=0x1" -m string --hex-string "|0a|x" --algo bm -j DROP',
  '-A INPUT -m time --timestart 10:00 --weekdays Mon,Sun --datestop 2030-01-01 -m statistic --mode nth --every 3 --packet 1',
  '-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.5-10.0.0.9:80-90/8080 --random',
  '-A INPUT -s 2001:db8::/32 -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j REJECT --reject-with icmp6-port-unreachable',
  '-A INPUT -m future ! --colour "deep blue" --size 1 -j HOLOGRAM --at 1.2.3.4',
  '[1:2] -I INPUT 3 -j OWN',
  ':OWN - [0:0]',
  'COMMIT',
];

const ODD = [
  '"',
  '\\',
  "'",
  '!',
  '-',
  '--',
  ' ',
  '\t',
  '*',
  ':',
  '#',
  '=',
  '/',
  ',',
  '0',
  '9'.repeat(40),
  '\u0000',
  'ü',
  '\u{1F600}',
  '[',
  '%',
];

/** A small generator of its own, so that a failure can be made again (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`${LINES} mutated lines`, () => {
  const random = generator(20_261_124);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = (list: readonly string[]): string => list[below(list.length)] ?? '';
  const mutate = (line: string): string => {
    const at = below(line.length + 1);
    const kind = below(5);
    if (kind === 0) return line.slice(0, at) + pick(ODD) + line.slice(at);
    if (kind === 1) return line.slice(0, at) + line.slice(at + 1 + below(5));
    if (kind === 2) return line.slice(0, at) + pick(SEEDS).slice(below(20));
    const words = line.split(' ');
    const [one, other] = [below(words.length), below(words.length)];
    if (kind === 3) return words.with(one, words[other] ?? '').join(' ');
    return words.with(one, pick(ODD)).join(' ');
  };
  let accepted = 0;
  for (let count = 0; count < LINES; count += TOGETHER) {
    const lines = Array.from({ length: TOGETHER }, () => {
      let line = pick(SEEDS);
      for (let times = below(3); times >= 0; times--) line = mutate(line);
      return line;
    });
    const family: Family = count % 100 === 0 ? 'v4' : 'v6';
    // Each line alone as well, so that one that is wrong hides no other.
    for (const text of [
      ...lines.map((line) => `*filter\n:OWN - [0:0]\n${line}\nCOMMIT\n`),
      `*nat\n${lines.join('\n')}\n`,
    ]) {
      const formatted = formatRules(text, family, 'fuzz');
      if (formatted.ok) {
        accepted++;
        const again = formatRules(formatted.value, family, 'fuzz');
        if (!again.ok || again.value !== formatted.value)
          throw new Error(`not its own canonical text: ${text}`);
      } else if (
        formatted.problems.length === 0 ||
        formatted.problems.some(({ location }) => !location || location.line < 1 || location.column < 1)
      )
        throw new Error(`a problem without a location: ${text}`);
    }
  }
  expect(accepted).toBeGreaterThan(LINES / 20);
});
