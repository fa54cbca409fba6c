/** The peers in the reach of a host are those whose packets `explain` accepts. */

import { networksText, parseAddress } from '../../../src/lib/ip.js';
import { has, isEmpty, subtract } from '../../../src/lib/ranges.js';
import { protocolNumber } from '../../../src/netfilter/extensions/protocols.js';
import type { Packet } from '../../../src/traffic/model.js';
import {
  everyPeer,
  isOpen,
  PORTS,
  type Reach,
  type ReachHook,
  reachOf,
} from '../../../src/traffic/questions/reach.js';
import { explainer } from '../../../src/traffic/trace/explain.js';
import { host, ruleset, table } from '../rules.js';
import { generatePackets, generateRules, generateSets, OWN_ADDRESSES } from '../trace/kernel/generate.js';
import { rulesetOf } from '../trace/kernel/judge.js';
import { seededRandom } from '../trace/kernel/random.js';

const reachIn = (v4: string, hook: ReachHook = 'INPUT'): Reach => {
  const reached = reachOf(ruleset({ v4 }), 'v4', hook, ['198.51.100.1']);
  if (!reached.ok) throw new Error(reached.why);
  return reached.value;
};

/** `6/443: 10.0.0.0/8 (surely 10.0.0.0/9)`, one line per entry. */
const lines = (reach: Reach): readonly string[] =>
  reach.map(({ services: [from, to], perhaps, surely }) => {
    const [all, sure] = [perhaps, surely].map((ranges) => networksText(ranges, 'v4').join(' '));
    const end = (service: bigint): string => `${service / PORTS}/${service % PORTS}`;
    const services = from === to ? end(from) : `${end(from)}-${end(to)}`;
    return `${services}: ${all}${sure === all ? '' : ` (surely ${sure || 'nobody'})`}`;
  });

test('reachOf() lists ports with their peers; earlier denies and rates count', () => {
  const rules = host(
    '-A INPUT -s 10.9.0.0/16 -j DROP',
    '-A INPUT -s 10.8.0.0/15 -p tcp -m multiport --dports 80,443 -j ACCEPT',
    '-A INPUT -s 192.0.2.0/24 -p udp -m udp --dport 53 -m limit --limit 5/min -j ACCEPT',
    '-A INPUT -s 192.0.2.7/32 -i eth1 -p tcp -m tcp --dport 22 -j ACCEPT',
    '-A INPUT -s 192.0.2.8/32 -p icmp -j ACCEPT',
  );
  expect(lines(reachIn(rules))).toEqual([
    '6/22: 192.0.2.7/32 (surely nobody)',
    '6/80: 10.8.0.0/16',
    '6/443: 10.8.0.0/16',
    '17/53: 192.0.2.0/24 (surely nobody)',
  ]);
});

test('each entry lists the peers by rule', () => {
  const [entry] = reachIn(
    host(
      '-A INPUT -s 10.0.0.1/32 -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A INPUT -s 10.0.0.0/30 -p tcp -m tcp --dport 22 -j ACCEPT',
    ),
  );
  expect(entry?.by.map(({ rule, peers }) => [rule?.number, networksText(peers, 'v4').join()])).toEqual([
    [5, '10.0.0.0/32,10.0.0.2/31'],
    [4, '10.0.0.1/32'],
  ]);
});

test('an output without rules is open, one with a refusing rule is not', () => {
  expect(isOpen(reachIn(host(), 'OUTPUT'), 'v4')).toBe(true);
  const closed = table('filter', ['-A OUTPUT -d 10.0.0.0/8 -p tcp -m tcp --dport 25 -j REJECT']);
  expect(isOpen(reachIn(closed, 'OUTPUT'), 'v4')).toBe(false);
  expect(isOpen(reachIn(host()), 'v4')).toBe(false);
});

test('what nat redirects to another host does not reach this one, and its services are listed', () => {
  const dnat = table('nat', [
    '-A PREROUTING -s 192.0.2.0/24 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.5:80',
  ]);
  const reached = reachOf(ruleset({ v4: dnat }), 'v4', 'INPUT', ['198.51.100.1']);
  const port = 6n * PORTS + 8080n;
  expect(reached).toMatchObject({ ok: true, redirected: [[port, port]] });
  const entry = reachIn(dnat).find(({ services: [from] }) => from === port);
  expect(has(entry?.perhaps ?? [], parseAddress('192.0.2.7', 'v4') ?? 0n)).toBe(false);
  expect(has(entry?.perhaps ?? [], parseAddress('192.0.3.7', 'v4') ?? 0n)).toBe(true);
});

test('what REDIRECT sends to another port is accepted as that one, and for sure by nobody', () => {
  const redirect = table('nat', ['-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80']);
  const http = host('-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT');
  const entry = reachIn(redirect + http).find(({ services: [from] }) => from === 6n * PORTS + 8080n);
  expect(entry?.perhaps.length).toBeGreaterThan(0);
  expect(entry).toMatchObject({ surely: [] });
});

test('a host without an address of the family is reached by nobody', () => {
  expect(reachOf(ruleset({ v4: host() }), 'v6', 'INPUT', ['198.51.100.1'])).toMatchObject({
    ok: true,
    value: [],
  });
});

test('a spent budget gives no result', () => {
  const rules = ruleset({ v4: host('-A INPUT -s 10.0.0.0/8 -j ACCEPT') });
  const budget = { nodes: 1, milliseconds: -1 };
  expect(reachOf(rules, 'v4', 'INPUT', ['198.51.100.1'], { budget })).toMatchObject({ ok: false });
});

/** A packet of the generator as an ordinary client's first one. */
function first(packet: Packet, hook: ReachHook, own: string): Packet {
  const { src, dst, protocol, dport = 0, in: arriving, out } = packet;
  return {
    hook,
    ...(hook === 'INPUT' ? { src, dst: own } : { src: own, dst }),
    protocol,
    dport,
    ...(hook === 'INPUT' && arriving !== undefined ? { in: arriving } : {}),
    ...(hook === 'OUTPUT' && out !== undefined ? { out } : {}),
  };
}

const SEEDS = Array.from({ length: 30 }, (_, index) => index + 1);

test.each(SEEDS)('seed %i: reachOf() and explain() agree on every packet', (seed) => {
  const random = seededRandom(seed);
  const family = seed % 2 === 0 ? 'v4' : 'v6';
  const rules = rulesetOf(family, generateRules(random, family), generateSets(random, family));
  const [own = ''] = OWN_ADDRESSES[family];
  const explain = explainer(rules, { addresses: [own] });
  let tested = 0;
  for (const hook of ['INPUT', 'OUTPUT'] as const) {
    const reached = reachOf(rules, family, hook, [own]);
    if (!reached.ok) throw new Error(reached.why);
    expect(reached.value.filter(({ perhaps, surely }) => !isEmpty(subtract(surely, perhaps)))).toEqual([]);
    for (const { packet: sample } of generatePackets(random, family, 200)) {
      const packet = first(sample, hook, own);
      const number = BigInt(protocolNumber(packet.protocol) ?? 0);
      const peer = parseAddress(hook === 'INPUT' ? packet.src : packet.dst, family) ?? 0n;
      if (number === 1n || number === 58n || !has(everyPeer(family), peer)) continue;
      const service = number * PORTS + BigInt(packet.dport ?? 0);
      const entry = reached.value.find(({ services: [from, to] }) => from <= service && service <= to);
      const { verdict } = explain(packet);
      tested++;
      // An unmodelled match may choose between drop and reject.
      if (entry === undefined || !has(entry.perhaps, peer))
        expect(verdict).toMatch(/^(drop|reject|unknown)$/);
      else if (has(entry.surely, peer)) expect(verdict).toBe('accept');
      if (verdict === 'accept') expect(entry && has(entry.perhaps, peer)).toBe(true);
    }
  }
  expect(tested).toBeGreaterThan(100);
});
