/** What the agent's `activity` prints, as flows with peers and ports that listen. */
import { familyOf, formatAddress, parseAddress } from '../../lib/ip.js';
import type { Activity, CurrentFlow, Listener } from '../client.js';

/** @param own the host's addresses. @returns nothing where the host could not see what listens. */
export function readActivity(text: string, own: readonly string[]): Activity | undefined {
  const lines = text.split('\n').filter((line) => line !== '');
  const words = lines.map((line) => line.split(' '));
  if (!words.some(([kind]) => kind === 'listen')) return undefined;
  const mine = new Set(own.map(readAddress));
  const tracked = lines.includes('tracked');
  return {
    tracked,
    flows: joined(words.flatMap((line) => readFlow(line, mine))),
    more: lines.includes('cut') || words.some(([kind, count]) => kind === 'left' && count !== '0'),
    listening: words.flatMap(readListener),
  };
}

/** A flow that passes through the host is none of its own. */
function readFlow(
  [kind, count, protocol, from = '', to = '', port = '', answeredBy = '']: readonly string[],
  own: ReadonlySet<string | undefined>,
): readonly CurrentFlow[] {
  if (kind !== 'flow' || !isProtocol(protocol)) return [];
  const [source, destination, answers] = [from, to, answeredBy].map(readAddress);
  if (source === undefined || destination === undefined || source === destination) return [];
  const number = readPort(port, from);
  const flow = { protocol, port: number, count: Number(count) };
  if (own.has(destination))
    // Where nat sends it to another host, that one answers.
    return own.has(source) || (answers !== undefined && !own.has(answers))
      ? []
      : [{ ...flow, direction: 'in', peer: source }];
  return own.has(source) ? [{ ...flow, direction: 'out', peer: destination }] : [];
}

const isProtocol = (text: string | undefined): text is CurrentFlow['protocol'] =>
  text === 'tcp' || text === 'udp';

/** One entry a peer and port, whichever of the host's addresses it is with. */
function joined(flows: readonly CurrentFlow[]): readonly CurrentFlow[] {
  const found = new Map<string, CurrentFlow>();
  for (const flow of flows) {
    const key = [flow.direction, flow.protocol, flow.peer, flow.port].join(' ');
    const known = found.get(key);
    found.set(key, known === undefined ? flow : { ...known, count: known.count + flow.count });
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, flow]) => flow);
}

/** A socket on loopback is nobody's business but the host's. */
function readListener([kind, protocol, end = '']: readonly string[]): readonly Listener[] {
  if (kind !== 'listen' || !isProtocol(protocol)) return [];
  const colon = end.lastIndexOf(':');
  const [host, port] = [end.slice(0, colon), end.slice(colon + 1)];
  const address = host === '*' ? '::' : readAddress(host);
  if (address === undefined || address === '::1' || address.startsWith('127.')) return [];
  const number = readPort(port, host);
  // A wildcard of IPv6 takes IPv4 as well unless it is told not to (ipv6(7)): `[::]` in the words of ss.
  const families = !address.includes(':')
    ? (['v4'] as const)
    : address === '::' && host !== '[::]'
      ? (['v4', 'v6'] as const)
      : (['v6'] as const);
  return Number.isInteger(number) ? [{ protocol, port: number, families }] : [];
}

/** /proc/net/tcp and its like write addresses as words of the machine's byte order, and ports, in hexadecimal. */
const HEX = /^(?:[0-9A-F]{8}|[0-9A-F]{32})$/;

const readPort = (port: string, besideAddress: string): number =>
  Number(HEX.test(besideAddress) ? `0x${port}` : port);

/** Any spelling of an address as one: `[fe80::1]%eth0`, `::ffff:10.0.0.1`, `0100007F`. */
function readAddress(text: string): string | undefined {
  const bare = text
    .replace(/%.*$/, '')
    .replace(/^\[(.*?)\](?:%.*)?$/, '$1')
    .replace(/%.*$/, '');
  const spelt = HEX.test(bare) ? fromHex(bare) : bare;
  const mapped = /^(?:::ffff:|0:0:0:0:0:ffff:)(\d+\.\d+\.\d+\.\d+)$/i.exec(spelt)?.[1];
  const plain = mapped ?? spelt;
  const family = familyOf(plain);
  const address = parseAddress(plain, family);
  return address === undefined ? undefined : formatAddress(address, family);
}

/** Little-endian, as on every machine that is likely. */
function fromHex(text: string): string {
  const bytes = (text.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)),
  );
  if (bytes.length === 4) return bytes.join('.');
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (isMapped) return bytes.slice(12).join('.');
  return Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  ).join(':');
}
