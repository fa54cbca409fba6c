/** Each finding about foreign rules, once reported and once not, on live rules after a deploy. */
import { describe, expect, test } from '@jest/globals';
import { FOREIGN_IDS, lintForeign } from '../../../src/compile/lint/foreign.js';
import { replaceManaged } from '../../../src/compile/merge/replace-managed.js';
import { compiled } from '../fleet.js';
import { DOCKER, KUBE, read } from '../foreign.js';

const HOST = compiled('input:\n  - {allow: https, reason: The site}');
/** Their findings on a host that gets a policy: `id number-or-chain line`. */
const findings = (rules: string, chains = '', table = 'filter') =>
  lintForeign(replaceManaged(read(`*${table}\n${chains}${rules}COMMIT\n`), HOST, 'chains').next);

interface Case {
  readonly fires: readonly [rules: string, chains?: string, table?: string];
  /** What the sentence must say. */
  readonly where: string;
  /** The line of the live text. */
  readonly line: number;
  readonly silent: readonly [rules: string, chains?: string, table?: string];
}

const MINE = ':MINE - [0:0]\n';
/** FORWARD leaves to others what the policy does not decide. */
const FORWARD = (rules: string): string => `-A FORWARD -i lan0 -j MINE\n-A FORWARD -j MINE\n${rules}`;

const CASES: Readonly<Record<string, Case>> = {
  'foreign-accept-everything': {
    fires: ['-A FORWARD -j ACCEPT\n'],
    where: 'Rule 2 of FORWARD (IPv4) accepts every packet',
    line: 2,
    silent: ['-A FORWARD -i lan0 -j MINE\n-A MINE -j ACCEPT\n-A OUTPUT -j ACCEPT\n', MINE],
  },
  'foreign-deny-after-accept': {
    fires: [
      FORWARD('-A MINE -p tcp -j ACCEPT\n-A MINE -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP\n'),
      MINE,
    ],
    where: 'Rule 2 of MINE (IPv4) never matches',
    line: 6,
    silent: [
      FORWARD(
        '-A MINE -p tcp -m limit --limit 5/min -j ACCEPT\n-A MINE -p tcp -j DROP\n-A MINE -p udp -j ACCEPT\n',
      ),
      MINE,
    ],
  },
  'foreign-log-without-limit': {
    fires: [FORWARD('-A MINE -j LOG\n-A MINE -p tcp -j LOG\n'), MINE],
    where:
      'Rule 1 of MINE (IPv4) logs without a limit, so anyone can fill the disk of the host. The same applies to 1 more',
    line: 5,
    silent: [FORWARD('-A MINE -m limit --limit 5/min -j LOG\n'), MINE],
  },
  'foreign-state': {
    fires: ['-A PREROUTING -m state --state INVALID -j DROP\n', '', 'mangle'],
    where: 'Rule 1 of mangle PREROUTING (IPv4) uses "-m state"',
    line: 2,
    silent: ['-A PREROUTING -m conntrack --ctstate INVALID -j DROP\n', '', 'mangle'],
  },
  'foreign-rule-twice': {
    fires: [
      FORWARD('-A MINE -s 10.0.0.1/32 -j DROP\n-A MINE -p tcp -j DROP\n-A MINE -s 10.0.0.1/32 -j DROP\n'),
      MINE,
    ],
    where: 'Rule 3 of MINE (IPv4) is a duplicate of an earlier rule of its chain',
    line: 7,
    silent: [FORWARD('-A MINE -s 10.0.0.1/32 -j DROP\n-A MINE -s 10.0.0.2/32 -j DROP\n'), MINE],
  },
  'foreign-unreached': {
    fires: ['-A INPUT -s 192.0.2.7/32 -j DROP\n-A INPUT -p tcp -m tcp --dport 8081 -j ACCEPT\n'],
    where: 'Rule 3 of INPUT (IPv4) is unreachable',
    line: 3,
    silent: ['-A INPUT -s 192.0.2.7/32 -j DROP\n-A FORWARD -p tcp -j ACCEPT\n'],
  },
  'foreign-chain-name': {
    fires: ['-A OUTUT -j DROP\n', ':OUTUT - [0:0]\n'],
    where: 'The chain OUTUT (IPv4) is not OUTPUT',
    line: 3,
    silent: ['-A OUTPUT -j OUTUT\n-A OUTUT -s 10.0.0.0/8 -j DROP\n', ':OUTUT - [0:0]\n'],
  },
};

describe("findings about others' rules", () => {
  test('every one has its case', () => {
    expect(FOREIGN_IDS.toSorted()).toEqual(Object.keys(CASES).toSorted());
  });

  test.each(Object.entries(CASES))('%s', (id, { fires, where, line, silent }) => {
    const fired = findings(...fires).filter((found) => found.id === id);
    expect(fired).toMatchObject([
      {
        message: expect.stringContaining(where),
        hint: expect.stringContaining(`accept: [{finding: ${id}, `),
        location: { file: 'h live v4', line },
      },
    ]);
    expect(findings(...silent).filter((found) => found.id === id)).toEqual([]);
  });

  test.each([
    ['Docker', DOCKER],
    ['kube-proxy', KUBE],
  ])('what %s writes is its own affair', (_, live) => {
    expect(lintForeign(replaceManaged(read(live), HOST, 'chains').next)).toEqual([]);
  });

  test('a chain of thousands of rules takes no time to speak of', () => {
    const rules = Array.from({ length: 6000 }, (_, index) => {
      const source = `10.${index >> 8}.${index & 255}.1/32`;
      return `-A MINE -s ${source} -i eth0 -p tcp -m tcp --dport ${index} -j ${index % 2 ? 'DROP' : 'ACCEPT'}\n`;
    });
    const next = replaceManaged(
      read(`*filter\n${MINE}${FORWARD(rules.join(''))}COMMIT\n`),
      HOST,
      'chains',
    ).next;
    const start = performance.now();
    expect(lintForeign(next)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
