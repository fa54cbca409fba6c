/** Traffic that no host can do without: its own, answers to what it asked, and the ICMP that carries the rest. */
import { isIPv6 } from 'node:net';
import { type Problem, warning } from '../../lib/problem.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { Packet } from '../model.js';
import { explainer } from '../trace/explain.js';

interface Essential {
  readonly id: string;
  readonly what: string;
  readonly harm: string;
  /** @param own an address of the host */
  readonly packet: (own: string) => Packet | undefined;
}

/** Of networks for documentation (RFC 5737, RFC 3849): rules that name real addresses do not name these. */
const STRANGER = { v4: '198.51.100.7', v6: '2001:db8:ffff::7' } as const;
const LOOPBACK = { v4: '127.0.0.1', v6: '::1' } as const;
const NEIGHBOUR = 'fe80::7';

const familyOf = (own: string): 'v4' | 'v6' => (isIPv6(own) ? 'v6' : 'v4');

const loopback =
  (hook: 'INPUT' | 'OUTPUT') =>
  (own: string): Packet => {
    const address = LOOPBACK[familyOf(own)];
    const device = hook === 'INPUT' ? { in: 'lo' } : { out: 'lo' };
    return { hook, ...device, src: address, dst: address, protocol: 'tcp', sport: 40000, dport: 5432 };
  };

const answer =
  (hook: 'INPUT' | 'OUTPUT') =>
  (own: string): Packet => {
    const stranger = STRANGER[familyOf(own)];
    const [src, dst] = hook === 'INPUT' ? [stranger, own] : [own, stranger];
    return { hook, src, dst, protocol: 'tcp', sport: 443, dport: 40000, flags: 'ACK', state: 'ESTABLISHED' };
  };

const tooBig = (own: string): Packet => {
  const [protocol, type, code] = isIPv6(own) ? ['ipv6-icmp', 2, 0] : ['icmp', 3, 4];
  const what = { protocol: String(protocol), type: Number(type), code: Number(code) };
  return { hook: 'INPUT', src: STRANGER[familyOf(own)], dst: own, ...what, state: 'RELATED' };
};

/** The kernel tracks no neighbour discovery. */
const neighbour =
  (hook: 'INPUT' | 'OUTPUT', type: number) =>
  (own: string): Packet | undefined => {
    if (!isIPv6(own)) return undefined;
    const [src, dst] = hook === 'INPUT' ? [NEIGHBOUR, own] : [own, NEIGHBOUR];
    return { hook, src, dst, protocol: 'ipv6-icmp', type, code: 0, state: 'UNTRACKED' };
  };

const NEIGHBOURS = { id: 'icmp-blocked', harm: 'IPv6 finds no neighbours without it' } as const;

const ESSENTIALS: readonly Essential[] = [
  ...(['INPUT', 'OUTPUT'] as const).flatMap((hook): readonly Essential[] => [
    {
      id: 'loopback-blocked',
      what: 'What the host sends to itself',
      harm: 'programs on it cannot reach one another',
      packet: loopback(hook),
    },
    {
      id: 'established-blocked',
      what: hook === 'INPUT' ? 'An answer to what the host asked' : 'An answer of the host',
      harm: 'connections that were let in or out stand still',
      packet: answer(hook),
    },
    { ...NEIGHBOURS, what: 'A neighbour solicitation', packet: neighbour(hook, 135) },
    { ...NEIGHBOURS, what: 'A neighbour advertisement', packet: neighbour(hook, 136) },
  ]),
  {
    id: 'icmp-blocked',
    what: 'The message that a packet is too big',
    harm: 'large packets get lost silently',
    packet: tooBig,
  },
];

/**
 * One warning for each that is dropped for sure, at the rule that drops it; one for both families where the same line
 * does it.
 * @param addresses the host's own, one of each family is asked about
 */
export function blockedEssentials(ruleset: Ruleset, addresses: readonly string[]): readonly Problem[] {
  const explain = explainer(ruleset, { addresses });
  const owns = [addresses.find((one) => !isIPv6(one)), addresses.find(isIPv6)].filter(
    (one) => one !== undefined,
  );
  const found = owns.flatMap((own) =>
    ESSENTIALS.flatMap(({ id, what, harm, packet }) => {
      const sent = packet(own);
      const { verdict, rule } = sent === undefined ? { verdict: 'accept', rule: null } : explain(sent);
      if ((verdict !== 'drop' && verdict !== 'reject') || rule === null) return [];
      const { table, chain, number, text, source } = rule;
      const by = number === 0 ? `the policy of ${chain}` : `"-A ${chain} ${text}"`;
      const message = `${what} is dropped by ${by} (${table}): ${harm}.`;
      return [warning(id, message, source, 'Let it pass before that rule.')];
    }),
  );
  return [...new Map(found.map((problem) => [problem.message, problem])).values()];
}
