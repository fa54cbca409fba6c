/** Translation of addresses, and the filter rules without which it would lead nowhere. */
import { parseAddress } from '../netfilter/address.js';
import type { Family } from '../netfilter/model.js';
import type { AddressSet, Host, NatRule, PortRange } from '../policy/fleet.js';
import { error, type Problem } from '../problem.js';
import { comment, join, type Lines, NO_LINES, oneLine } from './lines.js';
import { ownedChain } from './names.js';
import { portMatches, type ServiceMatch, serviceMatches } from './services.js';
import { type Side, sideOf } from './sides.js';

/** A `nat` statement in one family. */
export interface Translation {
  readonly chain: 'PREROUTING' | 'POSTROUTING';
  readonly lines: Lines;
  /** The rule in the filter table that lets the translated packets through. */
  readonly brought?: { readonly chain: 'INPUT' | 'FORWARD'; readonly lines: Lines };
}

type Kind = NatRule['kind'];

const CHAIN: { readonly [kind in Kind]: Translation['chain'] } = {
  masquerade: 'POSTROUTING',
  snat: 'POSTROUTING',
  dnat: 'PREROUTING',
  redirect: 'PREROUTING',
};

const WORDS: { readonly [kind in Kind]: string } = {
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

/** What is wrong with a translation, whatever the family. */
export function natProblems(rule: NatRule): readonly Problem[] {
  const problems: Problem[] = [];
  const { kind, place } = rule;
  if (CHAIN[kind] === 'POSTROUTING' && rule.in !== undefined)
    problems.push(
      error('interface-direction', `A ${kind} cannot say "in".`, place, 'Packets leave here: use "out".'),
    );
  if (CHAIN[kind] === 'PREROUTING' && rule.out !== undefined)
    problems.push(
      error('interface-direction', `A ${kind} cannot say "out".`, place, 'Packets arrive here: use "in".'),
    );
  const target = readTarget(rule);
  if (target === undefined)
    problems.push(
      error(
        'bad-nat-target',
        `"${rule.target ?? ''}" is no target of a ${kind}.`,
        place,
        kind === 'redirect'
          ? 'Write a port.'
          : 'Write an address, or an address and a port such as 10.0.0.5:8080 or [2001:db8::5]:80.',
      ),
    );
  else if (target.ports !== undefined && rule.services.some((service) => service.kind !== 'ports'))
    problems.push(
      error(
        'bad-nat-target',
        'A port can only be translated for services that have ports.',
        place,
        'Name services such as tcp/80, or leave the port out of the target.',
      ),
    );
  return problems;
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
  const from = sideOf(rule.from, undefined, 'source', family, setsFrom);
  const to = sideOf(rule.to, undefined, 'destination', family, setsFrom);
  const services = serviceMatches(rule.services, family);
  if (from === undefined || to === undefined || services.length === 0) return undefined;
  const words = comment(oneLine(`${rule.origin}: ${rule.reason}`));
  const jump = join(WORDS[rule.kind], rule.target ?? '');
  const interfaces = join(rule.in ? `-i ${rule.in}` : '', rule.out ? `-o ${rule.out}` : '');
  const rules = cross(from, to).flatMap((sides) =>
    services.map((service) => join(sides, interfaces, service.text, words, jump)),
  );
  const chain = CHAIN[rule.kind];
  const lines: Lines = { ...NO_LINES, rules, sets: [...from.sets, ...to.sets] };
  if (chain === 'POSTROUTING') return { chain, lines };
  return { chain, lines, brought: brings(rule, target, { host, from, services, words }) };
}

const cross = (from: Side, to: Side): readonly string[] =>
  from.matches.flatMap((source) => to.matches.map((destination) => join(source, destination)));

interface Parts {
  readonly host: Host;
  readonly from: Side;
  readonly services: readonly ServiceMatch[];
  readonly words: string;
}

/**
 * The filter sees the new address and port. Only connections that were translated pass (`--ctstate DNAT`), so that the
 * new address is not reachable under its own name.
 */
function brings(
  rule: NatRule,
  target: Target,
  { host, from, services, words }: Parts,
): NonNullable<Translation['brought']> {
  const own = target.address === undefined || isOwnAddress(target.address, host);
  const { ports } = target;
  const after =
    ports === undefined
      ? services
      : [...new Set(services.map(({ protocol = '' }) => protocol))].flatMap((protocol) =>
          portMatches(protocol, [ports]),
        );
  const destination = target.address === undefined ? '' : `-d ${target.address}`;
  const rules = from.matches.flatMap((source) =>
    after.map((service) =>
      join(
        source,
        destination,
        rule.in ? `-i ${rule.in}` : '',
        service.text,
        '-m conntrack --ctstate DNAT',
        words,
        '-j ACCEPT',
      ),
    ),
  );
  return { chain: own ? 'INPUT' : 'FORWARD', lines: { ...NO_LINES, rules, sets: from.sets } };
}

const isOwnAddress = (address: string, host: Host): boolean =>
  host.addresses.includes(address) || address.startsWith('127.') || address === '::1';

/** Whether an address set has any address at all. */
export const isEmpty = (addresses: AddressSet): boolean =>
  !addresses.any && addresses.v4.length === 0 && addresses.v6.length === 0;

export const natChain = (translation: Translation): string => ownedChain(translation.chain);
