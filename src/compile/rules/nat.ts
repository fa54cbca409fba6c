/** Address translation, and the filter rules that accept the translated packets. */

import type { Family } from '../../lib/family.js';
import { parseAddress } from '../../lib/ip.js';
import type { Host, NatRule, PortRange } from '../../policy/fleet.js';
import { comment, EMPTY_FRAGMENT, join, oneLine, type RuleFragment } from './fragment.js';
import { portMatches, type ServiceMatch, serviceMatches } from './services.js';
import { around, type Side, sideOf } from './sides.js';

/** A `nat` statement in one family. */
export interface Translation {
  readonly chain: 'PREROUTING' | 'POSTROUTING';
  readonly fragment: RuleFragment;
  /** The rules of the filter table that accept the translated packets. */
  readonly accept?: { readonly chain: 'INPUT' | 'FORWARD'; readonly fragment: RuleFragment };
}

type Kind = NatRule['kind'];

const CHAIN: { readonly [kind in Kind]: Translation['chain'] } = {
  masquerade: 'POSTROUTING',
  snat: 'POSTROUTING',
  dnat: 'PREROUTING',
  redirect: 'PREROUTING',
};

const TARGET: { readonly [kind in Kind]: string } = {
  masquerade: '-j MASQUERADE',
  snat: '-j SNAT --to-source',
  dnat: '-j DNAT --to-destination',
  redirect: '-j REDIRECT --to-ports',
};

interface Target {
  /** Absent for the host itself. */
  readonly address?: string;
  readonly family?: Family;
  readonly ports?: PortRange;
}

/** `10.0.0.5`, `10.0.0.5:8080`, `10.0.0.5:8080-8089`, `2001:db8::5`, `[2001:db8::5]:80`; for redirect `8080`. */
function readTarget(rule: NatRule): Target | undefined {
  const text = rule.target ?? '';
  if (rule.kind === 'masquerade') return {};
  if (rule.kind === 'redirect') return portsOf(text);
  if (parseAddress(text, 'v6') !== undefined) return { address: text, family: 'v6' };
  const found = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(.+))?$/.exec(text);
  const [, six, four, ports] = found ?? [];
  const address = six ?? four ?? '';
  const family = six === undefined ? 'v4' : 'v6';
  if (parseAddress(address, family) === undefined) return undefined;
  const range = ports === undefined ? {} : portsOf(ports);
  return range && { address, family, ...range };
}

function portsOf(text: string): { readonly ports: PortRange } | undefined {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  return from === undefined ? undefined : { ports: { from: Number(from), to: Number(to) } };
}

/** The translation in one family, or `undefined` when none of its packets are of that family. */
export function translate(
  rule: NatRule,
  host: Host,
  family: Family,
  setsFrom: number,
): Translation | undefined {
  const target = readTarget(rule);
  if (target === undefined || (target.family ?? family) !== family) return undefined;
  const options = { family, setsFrom, mayReturn: false };
  const from = sideOf(rule.from, undefined, { ...options, direction: 'source' });
  const to = sideOf(rule.to, undefined, { ...options, direction: 'destination' });
  const services = serviceMatches(rule.services, family);
  if (from === undefined || to === undefined || services.length === 0) return undefined;
  const reason = comment(oneLine(`${rule.origin}: ${rule.reason}`));
  const jump = join(TARGET[rule.kind], rule.target ?? '');
  const interfaces = join(rule.in ? `-i ${rule.in}` : '', rule.out ? `-o ${rule.out}` : '');
  const rules = from.matches.flatMap((source) =>
    to.matches.flatMap((destination) =>
      services.map((service) =>
        join(around(source, destination, join(interfaces, service.text)), reason, jump),
      ),
    ),
  );
  const chain = CHAIN[rule.kind];
  const fragment: RuleFragment = { ...EMPTY_FRAGMENT, rules, sets: [...from.sets, ...to.sets] };
  if (chain === 'POSTROUTING') return { chain, fragment };
  return { chain, fragment, accept: acceptTranslated(rule, target, { host, from, services, reason }) };
}

interface TranslationParts {
  readonly host: Host;
  readonly from: Side;
  readonly services: readonly ServiceMatch[];
  readonly reason: string;
}

/**
 * The filter sees the new address and port. Only translated connections are accepted (`--ctstate DNAT`), so that the
 * new address cannot be reached directly.
 */
function acceptTranslated(
  rule: NatRule,
  target: Target,
  { host, from, services, reason }: TranslationParts,
): NonNullable<Translation['accept']> {
  const own = target.address === undefined || isOwnAddress(target.address, host);
  const { ports } = target;
  const after =
    ports === undefined
      ? services
      : [...new Set(services.map(({ protocol = '' }) => protocol))].flatMap((protocol) =>
          portMatches(protocol, [ports]),
        );
  const destination = target.address === undefined ? '' : `-d ${target.address}`;
  const interfaces = rule.in === undefined ? '' : `-i ${rule.in}`;
  const rules = from.matches.flatMap((source) =>
    after.map((service) =>
      join(
        around(source, destination, join(interfaces, service.text)),
        '-m conntrack --ctstate DNAT',
        reason,
        '-j ACCEPT',
      ),
    ),
  );
  return { chain: own ? 'INPUT' : 'FORWARD', fragment: { ...EMPTY_FRAGMENT, rules, sets: from.sets } };
}

const isOwnAddress = (address: string, host: Host): boolean =>
  host.addresses.includes(address) || address.startsWith('127.') || address === '::1';
