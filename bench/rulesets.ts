/** Rulesets of a given size, as text of iptables-save. */
import { type Dice, dice } from './random.js';

type Family = 'v4' | 'v6';

const CHAINS = 100;
const SOURCES = 860;
const DESTINATIONS = 200;
const PORTS = 100;

const ADDRESS: { readonly [family in Family]: (area: number, random: Dice) => string } = {
  v4: (area, random) => {
    const length = random.pick([16, 20, 24, 24, 24, 28, 32, 32, 32]);
    const address = ((area << 24) | (random.number(1 << 24) & 0xffffff)) >>> 0;
    const masked = (address & (length === 32 ? 0xffffffff : ~(0xffffffff >>> length))) >>> 0;
    return `${[24, 16, 8, 0].map((shift) => (masked >>> shift) & 255).join('.')}/${length}`;
  },
  v6: (area, random) => {
    const group = (): string => (random.number(0xffff) + 1).toString(16);
    const prefix = `2001:db8:${area.toString(16)}:${group()}`;
    return random.number(2) === 0
      ? `${prefix}::/64`
      : `${prefix}:${group()}:${group()}:${group()}:${group()}/128`;
  },
};

const several = <T>(count: number, make: () => T): readonly T[] => Array.from({ length: count }, make);

/**
 * A firewall as sites have them: some 100 user chains by source network, 1,700 distinct source and 400 destination
 * intervals, 200 port intervals. `revision` changes a few rules here and there.
 */
export function realistic(rules: number, family: Family, revision: number): string {
  const random = dice(1);
  const sources = several(SOURCES, () => ADDRESS[family](10, random));
  const destinations = several(DESTINATIONS, () => ADDRESS[family](172, random));
  const ports = several(PORTS, () => {
    const from = random.number(60_000) + 1;
    return random.number(4) === 0 ? `${from}:${from + random.number(200) + 1}` : `${from}`;
  });
  const change = dice(revision + 2);
  const chains = several(CHAINS, () => '').map((_, index) => `net${String(index).padStart(3, '0')}`);
  const bodies = chains.map((chain) =>
    several(Math.floor(rules / CHAINS) - 1, () => {
      const changed = revision > 0 && change.number(200) === 0;
      const words = [
        `-A ${chain} -s ${random.pick(sources)}`,
        random.number(3) > 0 ? `-d ${random.pick(destinations)}` : '',
        ...(random.number(10) > 0
          ? [
              (random.number(3) > 0 ? ['-p tcp -m tcp'] : ['-p udp -m udp'])[0],
              `--dport ${random.pick(ports)}`,
            ]
          : []),
        `-j ${changed ? 'DROP' : random.pick(['ACCEPT', 'ACCEPT', 'ACCEPT', 'DROP', 'RETURN'])}`,
      ];
      return words.filter((word) => word !== '').join(' ');
    }),
  );
  const hooks = chains.map((chain) => `-A FORWARD -s ${random.pick(sources)} -j ${chain}`);
  return table(chains, [
    '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ...hooks,
    ...bodies.flat(),
  ]);
}

/** Prefixes and port ranges that overlap at random, accepted and dropped in turn: the worst for any model. */
export function overlapping(rules: number, seed: number): string {
  const random = dice(seed);
  const address = (): string => {
    const length = 8 + random.number(25);
    const bits = random.number(0x1_0000_0000);
    const masked = (bits & (length === 32 ? 0xffffffff : ~(0xffffffff >>> length))) >>> 0;
    return `${[24, 16, 8, 0].map((shift) => (masked >>> shift) & 255).join('.')}/${length}`;
  };
  const lines = several(rules, () => '').map((_, index) => {
    const from = random.number(65_000);
    const range = `${from}:${Math.min(65_535, from + random.number(20_000) + 1)}`;
    const target = index % 2 === 0 ? 'ACCEPT' : 'DROP';
    return `-A INPUT -s ${address()} -d ${address()} -p tcp -m tcp --dport ${range} -j ${target}`;
  });
  return table([], lines);
}

/** A host's own rules. */
export function typical(rules: number, revision: number): string {
  const random = dice(7);
  const change = dice(revision + 11);
  const lines = several(rules - 5, () => {
    const changed = revision > 0 && change.number(30) === 0;
    const port = random.pick([22, 80, 443, 3306, 5432, 6379, 8080, 9100, 9090, 53]) + (changed ? 1 : 0);
    return `-A INPUT -s ${ADDRESS.v4(10, random)} -p tcp -m tcp --dport ${port} -m conntrack --ctstate NEW -j ACCEPT`;
  });
  return table(
    [],
    [
      '-A INPUT -i lo -j ACCEPT',
      '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A INPUT -m conntrack --ctstate INVALID -j DROP',
      ...lines,
      '-A INPUT -m limit --limit 5/min -j LOG --log-prefix "dropped: "',
      '-A INPUT -j DROP',
    ],
  );
}

const table = (chains: readonly string[], lines: readonly string[]): string =>
  [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...lines,
    'COMMIT',
    '',
  ].join('\n');
