/** Targets of the nat table. */

import type { Family } from '../../../lib/family.js';
import { formatAddress, parseAddress } from '../../../lib/ip.js';
import {
  type ExtensionRow,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueContext,
  type ValueType,
} from '../row.js';
import { servicePort } from '../services.js';
import { canonicalNetwork, kind, network, noAddress, parsePort, parseWithin } from '../values.js';

/** ICMP stands here because its identifier is mapped as a port is. */
const WITH_PORTS = ['tcp', 'udp', 'sctp', 'dccp', 'icmp'];

const printed = (port: bigint | Refusal): string | Refusal => (isRefusal(port) ? port : String(port));

/** `80`, `80-90`, and with `shift` `80-90/8080`: the ports keep their distance from a base. */
function natPorts(text: string, context: ValueContext, shift: boolean): string | Refusal {
  if (!WITH_PORTS.includes(context.protocol ?? ''))
    return refuse(
      `takes a port only with a protocol that has ports`,
      'Add -p tcp, -p udp, -p sctp or -p dccp.',
    );
  if (text.includes(':')) return refuse(`takes a range with a dash, not "${text}"`, 'Write it as 8000-8010.');
  const found = /^(\w+)-(\w+)(?:\/([\w-]+))?$/.exec(text);
  const from = parsePort(found?.[1] ?? text, undefined);
  // A service's name may have a dash in it.
  if (found === null || servicePort(text) !== undefined) return printed(parsePort(text, undefined));
  if (isRefusal(from)) return from;
  const to = parseWithin(found[2] ?? '', from, 65535n);
  if (isRefusal(to)) return refuse(`takes a range from low to high, not "${text}"`);
  if (found[3] !== undefined && !shift) return refuse(`takes a port or a range, not "${text}"`);
  const base = found[3] === undefined ? undefined : parsePort(found[3], undefined);
  if (isRefusal(base)) return base;
  if (base === 0n) return refuse('takes a base port from 1 to 65535, not 0');
  const ends = from === to ? String(from) : `${from}-${to}`;
  return base === undefined ? ends : `${ends}/${base}`;
}

/** `address[-address][:ports]`; IPv6 addresses stand in brackets when ports follow. */
const natAddress = (shift: boolean): ValueType =>
  kind(
    {
      v4: ['10.0.0.5', '10.0.0.5-10.0.0.9'],
      v6: ['2001:db8::5', '2001:DB8::5-2001:db8::9', '[2001:db8::5]'],
    },
    (text, context) => {
      const { family } = context;
      const split = splitPorts(text, family);
      if (split === undefined) return refuse(`takes an address with optional ports, not "${text}"`);
      const ports = split.ports === undefined ? undefined : natPorts(split.ports, context, shift);
      if (isRefusal(ports)) return ports;
      if (split.address === '' && ports !== undefined) return `:${ports}`;
      const ends = split.address.split('-');
      const addresses = ends.map((end) => parseAddress(end, family));
      const bad = addresses.indexOf(undefined);
      if (bad !== -1 || ends.length > 2) return noAddress(ends[bad] ?? split.address, family);
      const [from = '', to = from] = addresses.map((each) => formatAddress(each ?? 0n, family));
      const address = from === to ? from : `${from}-${to}`;
      if (ports === undefined) return address;
      return family === 'v6' ? `[${address}]:${ports}` : `${address}:${ports}`;
    },
  );

function splitPorts(text: string, family: Family): { address: string; ports?: string } | undefined {
  const open = text.indexOf('[');
  if (open !== -1) {
    const close = text.indexOf(']');
    if (family === 'v4' || open !== 0 || close === -1) return undefined;
    const rest = text.slice(close + 1);
    const address = text.slice(1, close);
    if (rest === '') return { address };
    return rest.startsWith(':') ? { address, ports: rest.slice(1) } : undefined;
  }
  const colon = text.indexOf(':');
  if (colon === -1 || text.indexOf(':', colon + 1) !== -1) return { address: text };
  return { address: text.slice(0, colon), ports: text.slice(colon + 1) };
}

const portMapping: ValueType = kind(['8080', '1000-2000', '7-7'], (text, context) =>
  natPorts(text, context, false),
);

/** Its mask is always printed. */
const wholeNetwork: ValueType = kind(network(true).examples, (text, { family }) =>
  canonicalNetwork(text, family),
);

const random = option('--random');
const randomFully = option('--random-fully');
const persistent = option('--persistent');

export const NAT: readonly ExtensionRow[] = [
  {
    kind: 'target',
    name: 'DNAT',
    tables: ['nat'],
    hooks: ['PREROUTING', 'OUTPUT'],
    options: [option('--to-destination', natAddress(true), { required: true }), random, persistent],
  },
  {
    kind: 'target',
    name: 'SNAT',
    tables: ['nat'],
    hooks: ['POSTROUTING', 'INPUT'],
    options: [option('--to-source', natAddress(false), { required: true }), random, randomFully, persistent],
  },
  {
    kind: 'target',
    name: 'MASQUERADE',
    tables: ['nat'],
    hooks: ['POSTROUTING'],
    options: [option('--to-ports', portMapping), random, randomFully],
  },
  {
    kind: 'target',
    name: 'REDIRECT',
    tables: ['nat'],
    hooks: ['PREROUTING', 'OUTPUT'],
    options: [option('--to-ports', portMapping), random],
  },
  {
    kind: 'target',
    name: 'NETMAP',
    tables: ['nat'],
    hooks: ['PREROUTING', 'OUTPUT', 'POSTROUTING', 'INPUT'],
    options: [option('--to', wholeNetwork, { required: true })],
  },
];
