/** Traffic that every host needs: its own, replies, and the ICMP that networks depend on. */
import { isIPv6 } from 'node:net';
import type { Family } from '../../lib/family.js';
import { type Problem, warning } from '../../lib/problem.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { Packet } from '../model.js';
import { isNative } from '../program/compiled-ruleset.js';
import { STRANGER } from '../trace/example.js';
import { explainer } from '../trace/explain.js';
import { nativeRuleText } from '../trace/sentences.js';

interface Essential {
  readonly id: string;
  readonly what: string;
  readonly harm: string;
  /** @param own an address of the host */
  readonly packet: (own: string) => Packet | undefined;
}

const LOOPBACK = { v4: '127.0.0.1', v6: '::1' } as const;
const NEIGHBOUR = 'fe80::7';

const familyOf = (own: string): Family => (isIPv6(own) ? 'v6' : 'v4');

const loopback =
  (hook: 'INPUT' | 'OUTPUT') =>
  (own: string): Packet => {
    const address = LOOPBACK[familyOf(own)];
    const device = hook === 'INPUT' ? { in: 'lo' } : { out: 'lo' };
    return { hook, ...device, src: address, dst: address, protocol: 'tcp', sport: 40000, dport: 5432 };
  };

const reply =
  (hook: 'INPUT' | 'OUTPUT') =>
  (own: string): Packet => {
    const stranger = STRANGER[familyOf(own)];
    const [src, dst] = hook === 'INPUT' ? [stranger, own] : [own, stranger];
    return { hook, src, dst, protocol: 'tcp', sport: 443, dport: 40000, flags: 'ACK', state: 'ESTABLISHED' };
  };

const packetTooBig = (own: string): Packet => {
  const icmp = isIPv6(own)
    ? { protocol: 'ipv6-icmp', type: 2, code: 0 }
    : { protocol: 'icmp', type: 3, code: 4 };
  return { hook: 'INPUT', src: STRANGER[familyOf(own)], dst: own, ...icmp, state: 'RELATED' };
};

/** The kernel does not track neighbour discovery. */
const neighbour =
  (hook: 'INPUT' | 'OUTPUT', type: number) =>
  (own: string): Packet | undefined => {
    if (!isIPv6(own)) return undefined;
    const [src, dst] = hook === 'INPUT' ? [NEIGHBOUR, own] : [own, NEIGHBOUR];
    return { hook, src, dst, protocol: 'ipv6-icmp', type, code: 0, state: 'UNTRACKED' };
  };

const NEIGHBOURS = { id: 'icmp-blocked', harm: 'IPv6 cannot resolve neighbours without it' } as const;

const ESSENTIALS: readonly Essential[] = [
  ...(['INPUT', 'OUTPUT'] as const).flatMap((hook): readonly Essential[] => [
    {
      id: 'loopback-blocked',
      what: 'Loopback traffic',
      harm: 'programs on the host cannot reach each other',
      packet: loopback(hook),
    },
    {
      id: 'established-blocked',
      what: hook === 'INPUT' ? 'A reply to a connection of the host' : 'A reply of the host',
      harm: 'accepted connections stall',
      packet: reply(hook),
    },
    { ...NEIGHBOURS, what: 'A neighbour solicitation', packet: neighbour(hook, 135) },
    { ...NEIGHBOURS, what: 'A neighbour advertisement', packet: neighbour(hook, 136) },
  ]),
  {
    id: 'icmp-blocked',
    what: 'The ICMP message that a packet is too big',
    harm: 'large packets are lost silently',
    packet: packetTooBig,
  },
];

/**
 * A warning for each that is dropped for sure, at the rule that drops it; one for both families where the same line
 * does it.
 * @param addresses the host's own; the first of each family is tested
 */
export function blockedEssentials(ruleset: Ruleset, addresses: readonly string[]): readonly Problem[] {
  const explain = explainer(ruleset, { addresses });
  const tested = [addresses.find((each) => !isIPv6(each)), addresses.find(isIPv6)];
  const found = tested.flatMap((own) =>
    ESSENTIALS.flatMap(({ id, what, harm, packet }) => {
      const sent = own === undefined ? undefined : packet(own);
      if (sent === undefined) return [];
      const { verdict, rule } = explain(sent);
      if ((verdict !== 'drop' && verdict !== 'reject') || rule === null) return [];
      const { table, chain, number, text, source } = rule;
      const inTable = number === 0 ? `the policy of ${chain}` : `"-A ${chain} ${text}"`;
      const by = isNative(table) ? nativeRuleText(rule) : `${inTable} (${table})`;
      const message = `${what} is dropped by ${by}: ${harm}.`;
      return [warning(id, message, { location: source, hint: 'Accept it before that rule.' })];
    }),
  );
  return [...new Map(found.map((problem) => [problem.message, problem])).values()];
}
