/** What `explain` says beyond the verdict: each answers a question that people ask. */
import { describe, expect, test } from '@jest/globals';
import type { Packet } from '../../../src/traffic/model.js';
import { explainWithHints } from '../../../src/traffic/questions/hints.js';
import { DROPS, ruleset, table } from '../rules.js';

const PACKET: Packet = {
  hook: 'INPUT',
  src: '198.51.100.7',
  dst: '192.0.2.10',
  protocol: 'tcp',
  dport: 443,
};

const hints = (v4: string, packet: Partial<Packet> = {}): readonly string[] =>
  explainWithHints(ruleset({ v4 }), { ...PACKET, ...packet })?.hints ?? [];
const input = (...rules: readonly string[]): string =>
  table(
    'filter',
    rules.map((rule) => `-A INPUT ${rule}`),
    DROPS,
  );
const HTTPS = '-p tcp -m tcp --dport 443';

test('a rule that comes too late, in either direction', () => {
  expect(hints(input('-s 198.51.100.0/24 -j DROP', `${HTTPS} -j ACCEPT`))).toEqual([
    expect.stringContaining('Rule 2 of INPUT'),
  ]);
  expect(hints(input(`${HTTPS} -j ACCEPT`, '-s 198.51.100.0/24 -j DROP'))).toEqual([
    expect.stringMatching(/^Rule 2 of INPUT.* would refuse it, but comes later\.$/),
  ]);
});

test('one in a chain of its own is found as well, unless the packet would leave that chain before', () => {
  const chains = (first: string): string =>
    table(
      'filter',
      ['-A INPUT -j DROP', '-A INPUT -j WEB', `-A WEB ${first} -j RETURN`, `-A WEB ${HTTPS} -j ACCEPT`],
      DROPS,
    );
  expect(hints(chains('-p udp'))).toEqual([expect.stringContaining('Rule 2 of WEB')]);
  expect(hints(chains('-p tcp'))).toEqual([]);
});

test.each([
  [`-s 10.0.0.0/8 ${HTTPS} -j ACCEPT`, 'accepts it from 10.0.0.0/8, not from 198.51.100.7.'],
  [`! -s 198.51.100.0/24 ${HTTPS} -j ACCEPT`, 'accepts it from anything but 198.51.100.0/24, not from'],
  [`-d 192.0.2.11/32 ${HTTPS} -j ACCEPT`, 'accepts it to 192.0.2.11/32, not to 192.0.2.10.'],
  [`-i eth1 ${HTTPS} -j ACCEPT`, 'accepts it in on eth1, not on an interface that no rule names.'],
  ['-p udp -m udp --dport 443 -j ACCEPT', 'accepts port 443 over udp, not over tcp.'],
  ['-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT', 'A running connection passes all the same'],
])('%s is nearly right', (rule, text) => {
  expect(hints(input(rule))).toEqual([expect.stringContaining(text)]);
});

test('what differs in more than one way is not near, and lo is nobody’s mistake', () => {
  expect(hints(input(`-i lo -j ACCEPT`, `-s 10.0.0.0/8 -p udp -m udp --dport 53 -j ACCEPT`))).toEqual([]);
});

test('nat is told before the filter table', () => {
  const nat = table('nat', [`-A PREROUTING ${HTTPS} -j REDIRECT --to-ports 8443`]);
  expect(hints(nat + input(`${HTTPS} -j ACCEPT`))).toEqual([
    expect.stringMatching(/^Rule 1 of PREROUTING.*sends it on, now to this host port 8443, before/),
  ]);
});

test('what hangs on an unmodelled match is not said for sure', () => {
  expect(hints(input('-j DROP', `${HTTPS} -m limit --limit 5/min -j ACCEPT`))).toEqual([]);
});

test('an accepted packet needs none', () => {
  expect(hints(input(`${HTTPS} -j ACCEPT`, '-j DROP'))).toEqual([]);
});

describe('rules of which something is to be said', () => {
  const anomalies = (v4: string, packet: Partial<Packet> = {}): readonly string[] =>
    (explainWithHints(ruleset({ v4 }), { ...PACKET, ...packet })?.anomalies ?? []).map(
      ({ id, location }) => `${id} ${location?.line}`,
    );

  test('the one that was written for the packet and that several before it hide', () => {
    const bans = ['-s 198.51.100.0/25 -j DROP', '-s 198.51.100.128/25 -j DROP'];
    const late = `-s 198.51.100.0/24 ${HTTPS} -j ACCEPT`;
    const other = '-s 198.51.100.0/24 -p udp -j ACCEPT';
    expect(anomalies(input(...bans, late, other))).toEqual(['shadowed-rule 6']);
    expect(anomalies(input(...bans, late, other), { src: '192.0.2.1' })).toEqual([]);
  });

  test('one in a chain, if the jump to it fits', () => {
    const chains = (jump: string): string =>
      table(
        'filter',
        ['-A INPUT -p tcp -j DROP', `-A INPUT ${jump} -j WEB`, `-A WEB ${HTTPS} -j ACCEPT`],
        DROPS,
      );
    expect(anomalies(chains('-p tcp'))).toEqual(['dead-rule 6']);
    expect(anomalies(chains('-s 10.0.0.0/8'))).toEqual([]);
  });

  test('the deciding one, where it changes nothing or accepts very much; others that do are left aside', () => {
    const wide = '-s 198.51.0.0/16 -j ACCEPT';
    expect(anomalies(input(wide, '-s 10.0.0.0/8 -j ACCEPT'))).toEqual(['wide-allow 4']);
    expect(anomalies(input(`${HTTPS} -j ACCEPT`, '-p tcp -j ACCEPT'))).toEqual(['redundant-rule 4']);
  });

  test('in a table before nat the packet is what it was when it came', () => {
    const raw = table('raw', ['-A PREROUTING -p tcp -j DROP', `-A PREROUTING ${HTTPS} -j ACCEPT`]);
    const nat = table('nat', [`-A PREROUTING ${HTTPS} -j REDIRECT --to-ports 8443`]);
    expect(anomalies(raw + nat + input('-j DROP'))).toEqual(['shadowed-rule 3']);
  });

  test('what a spent budget kept from being looked at', () => {
    const answer = explainWithHints(
      ruleset({ v4: input('-s 198.51.100.0/24 -j DROP', `-s 198.51.100.0/25 ${HTTPS} -j ACCEPT`) }),
      PACKET,
      { budget: { nodes: 10, milliseconds: 1_000 } },
    );
    expect(answer).toMatchObject({ verdict: 'drop', anomalies: [{ id: 'anomalies-not-searched' }] });
  });
});
