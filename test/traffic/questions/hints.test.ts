/** The hints and anomalies of `explain`. */
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

test('a hint names a later rule with the opposite verdict', () => {
  expect(hints(input('-s 198.51.100.0/24 -j DROP', `${HTTPS} -j ACCEPT`))).toEqual([
    expect.stringContaining('Rule 2 of INPUT'),
  ]);
  expect(hints(input(`${HTTPS} -j ACCEPT`, '-s 198.51.100.0/24 -j DROP'))).toEqual([
    expect.stringMatching(/^Rule 2 of INPUT.* would refuse it, but comes later\.$/),
  ]);
});

test('the later rule may be in a chain, unless the packet returns from it before', () => {
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
  ['-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT', 'Established connections still pass'],
])('a hint names the nearly matching rule %s', (rule, text) => {
  expect(hints(input(rule))).toEqual([expect.stringContaining(text)]);
});

test('there is no hint for a rule that differs in two fields, nor for lo', () => {
  expect(hints(input(`-i lo -j ACCEPT`, `-s 10.0.0.0/8 -p udp -m udp --dport 53 -j ACCEPT`))).toEqual([]);
});

test('a hint names the nat rule that redirects the packet', () => {
  const nat = table('nat', [`-A PREROUTING ${HTTPS} -j REDIRECT --to-ports 8443`]);
  expect(hints(nat + input(`${HTTPS} -j ACCEPT`))).toEqual([
    expect.stringMatching(/^Rule 1 of PREROUTING.*redirects it, now to this host port 8443, before/),
  ]);
});

test('there is no hint for a rule that depends on an unmodelled match', () => {
  expect(hints(input('-j DROP', `${HTTPS} -m limit --limit 5/min -j ACCEPT`))).toEqual([]);
});

test('there is no hint for an accepted packet without a later refusal', () => {
  expect(hints(input(`${HTTPS} -j ACCEPT`, '-j DROP'))).toEqual([]);
});

describe('anomalies', () => {
  const anomalies = (v4: string, packet: Partial<Packet> = {}): readonly string[] =>
    (explainWithHints(ruleset({ v4 }), { ...PACKET, ...packet })?.anomalies ?? []).map(
      ({ id, location }) => `${id} ${location?.line}`,
    );

  test('a rule for the packet that several rules before it hide', () => {
    const bans = ['-s 198.51.100.0/25 -j DROP', '-s 198.51.100.128/25 -j DROP'];
    const late = `-s 198.51.100.0/24 ${HTTPS} -j ACCEPT`;
    const other = '-s 198.51.100.0/24 -p udp -j ACCEPT';
    expect(anomalies(input(...bans, late, other))).toEqual(['shadowed-rule 6']);
    expect(anomalies(input(...bans, late, other), { src: '192.0.2.1' })).toEqual([]);
  });

  test('a rule in a chain, if the jump to it matches', () => {
    const chains = (jump: string): string =>
      table(
        'filter',
        ['-A INPUT -p tcp -j DROP', `-A INPUT ${jump} -j WEB`, `-A WEB ${HTTPS} -j ACCEPT`],
        DROPS,
      );
    expect(anomalies(chains('-p tcp'))).toEqual(['dead-rule 6']);
    expect(anomalies(chains('-s 10.0.0.0/8'))).toEqual([]);
  });

  test('the deciding rule, where it has no effect or accepts very much, and no other such rule', () => {
    const wide = '-s 198.51.0.0/16 -j ACCEPT';
    expect(anomalies(input(wide, '-s 10.0.0.0/8 -j ACCEPT'))).toEqual(['wide-allow 4']);
    expect(anomalies(input(`${HTTPS} -j ACCEPT`, '-p tcp -j ACCEPT'))).toEqual(['redundant-rule 4']);
  });

  test('tables before nat see the packet as it arrived', () => {
    const raw = table('raw', ['-A PREROUTING -p tcp -j DROP', `-A PREROUTING ${HTTPS} -j ACCEPT`]);
    const nat = table('nat', [`-A PREROUTING ${HTTPS} -j REDIRECT --to-ports 8443`]);
    expect(anomalies(raw + nat + input('-j DROP'))).toEqual(['shadowed-rule 3']);
  });

  test('a spent budget is reported', () => {
    const answer = explainWithHints(
      ruleset({ v4: input('-s 198.51.100.0/24 -j DROP', `-s 198.51.100.0/25 ${HTTPS} -j ACCEPT`) }),
      PACKET,
      { budget: { nodes: 10, milliseconds: 1_000 } },
    );
    expect(answer).toMatchObject({ verdict: 'drop', anomalies: [{ id: 'anomalies-not-searched' }] });
  });
});
