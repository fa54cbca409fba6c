/** Current flows and listening ports, from the output of the agent's `activity.sh`. */
import { familyOf, formatAddress, parseAddress } from '../../lib/ip.js';
import type { Activity, CurrentFlow, Listener } from '../client.js';

/** Parses the section. @param own The host's addresses. @returns `undefined` if the host could not list its sockets. */
export function readActivity(text: string, own: readonly string[]): Activity | undefined {
  const lines = text.split('\n').filter((line) => line !== '');
  const words = lines.map((line) => line.split(' '));
  if (!words.some(([kind]) => kind === 'listen')) return undefined;
  const ownAddresses = new Set(own.map(readAddress));
  const tracked = lines.includes('tracked');
  return {
    tracked,
    flows: joined(words.flatMap((line) => readFlow(line, ownAddresses))),
    more: lines.includes('cut') || words.some(([kind, count]) => kind === 'left' && count !== '0'),
    listening: words.flatMap(readListener),
  };
}

/** Forwarded flows are skipped. */
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
    // With NAT to another host, that host answers.
    return own.has(source) || (answers !== undefined && !own.has(answers))
      ? []
      : [{ ...flow, direction: 'in', peer: source }];
  return own.has(source) ? [{ ...flow, direction: 'out', peer: destination }] : [];
}

const isProtocol = (text: string | undefined): text is CurrentFlow['protocol'] =>
  text === 'tcp' || text === 'udp';

/** Sums flows with the same peer and port, whichever of the host's addresses they use. */
function joined(flows: readonly CurrentFlow[]): readonly CurrentFlow[] {
  const found = new Map<string, CurrentFlow>();
  for (const flow of flows) {
    const key = [flow.direction, flow.protocol, flow.peer, flow.port].join(' ');
    const known = found.get(key);
    found.set(key, known === undefined ? flow : { ...known, count: known.count + flow.count });
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, flow]) => flow);
}

/** Sockets on loopback are skipped: nobody else can reach them. */
function readListener([kind, protocol, end = '']: readonly string[]): readonly Listener[] {
  if (kind !== 'listen' || !isProtocol(protocol)) return [];
  const colon = end.lastIndexOf(':');
  const [host, port] = [end.slice(0, colon), end.slice(colon + 1)];
  const address = host === '*' ? '::' : readAddress(host);
  if (address === undefined || address === '::1' || address.startsWith('127.')) return [];
  const number = readPort(port, host);
  // An IPv6 wildcard accepts IPv4 as well, except with IPV6_V6ONLY (ipv6(7)), which ss prints as `[::]`.
  const families = !address.includes(':')
    ? (['v4'] as const)
    : address === '::' && host !== '[::]'
      ? (['v4', 'v6'] as const)
      : (['v6'] as const);
  return Number.isInteger(number) ? [{ protocol, port: number, families }] : [];
}

/** /proc/net/tcp and the like print ports, and addresses as words in host byte order, in hexadecimal. */
const HEX = /^(?:[0-9A-F]{8}|[0-9A-F]{32})$/;

const readPort = (port: string, besideAddress: string): number =>
  Number(HEX.test(besideAddress) ? `0x${port}` : port);

/** Normalizes an address: `[fe80::1]%eth0`, `::ffff:10.0.0.1`, `0100007F`. */
function readAddress(text: string): string | undefined {
  const bare = text
    .replace(/%.*$/, '')
    .replace(/^\[(.*?)\](?:%.*)?$/, '$1')
    .replace(/%.*$/, '');
  const written = HEX.test(bare) ? fromHex(bare) : bare;
  const mapped = /^(?:::ffff:|0:0:0:0:0:ffff:)(\d+\.\d+\.\d+\.\d+)$/i.exec(written)?.[1];
  const plain = mapped ?? written;
  const family = familyOf(plain);
  const address = parseAddress(plain, family);
  return address === undefined ? undefined : formatAddress(address, family);
}

/** Assumes a little-endian machine. */
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
