/** Random rulesets that use all that is modelled, and packets at the edges of what their rules say. */
import type { Family } from '../../../../src/lib/family.js';
import type { Hook, Packet } from '../../../../src/traffic/model.js';
import type { Chance } from './random.js';
import { stateOf } from './wire.js';

export const DEVICES: readonly string[] = ['eth0', 'eth1', 'eth0.10', 'wlan0', 'ppp0'];
const PATTERNS = [...DEVICES.slice(0, 4), 'eth+', 'eth0+', 'wlan+', 'tun+'];

interface Pool {
  readonly networks: readonly string[];
  readonly holes: readonly string[];
  readonly ranges: readonly string[];
  /** Where nat may send packets. */
  readonly targets: readonly string[];
  readonly hosts: readonly string[];
  readonly icmp: string;
  readonly icmpMatch: string;
  readonly types: readonly (readonly [number, number])[];
}

const POOLS: { readonly [family in Family]: Pool } = {
  v4: {
    networks: [
      '10.0.0.0/8',
      '10.1.0.0/16',
      '10.1.2.0/24',
      '10.1.2.3/32',
      '172.16.0.0/12',
      '128.0.0.0/1',
      '192.168.7.0/30',
    ],
    holes: ['10.0.2.0/255.0.255.0', '0.0.0.1/0.0.0.1'],
    ranges: ['10.1.1.250-10.1.2.5', '172.16.0.1-172.16.0.1'],
    targets: ['10.1.2.3', '10.9.9.9', '172.20.0.5'],
    hosts: [
      '10.0.0.0',
      '10.1.2.3',
      '10.1.2.4',
      '10.1.1.255',
      '10.1.2.255',
      '10.2.2.0',
      '10.255.255.255',
      '11.0.0.1',
      '172.16.0.1',
      '172.31.255.254',
      '172.32.0.1',
      '192.168.7.3',
      '192.168.7.4',
      '203.0.113.7',
      '198.51.100.9',
    ],
    icmp: 'icmp',
    icmpMatch: '-m icmp --icmp-type',
    types: [
      [8, 0],
      [8, 1],
      [0, 0],
      [3, 1],
      [3, 4],
      [13, 0],
      [11, 0],
    ],
  },
  v6: {
    networks: [
      '2001:db8::/32',
      '2001:db8:1::/48',
      '2001:db8:1:2::/64',
      '2001:db8:1:2::3/128',
      'fe80::/10',
      '2001:db8:8000::/33',
    ],
    holes: ['::1/::1', '2001:db8::5/ffff:ffff::ffff'],
    ranges: ['2001:db8:1:2::-2001:db8:1:2::9', '2001:db8::1-2001:db8::1'],
    targets: ['2001:db8:1:2::3', '2001:db8:9::9', '2001:db8:7::5'],
    hosts: [
      '2001:db8::1',
      '2001:db8::5',
      '2001:db8:1::1',
      '2001:db8:1:2::3',
      '2001:db8:1:2::4',
      '2001:db8:1:2::9',
      '2001:db8:1:2::a',
      '2001:db8:1:3::',
      '2001:db8:8000::1',
      '2001:db9::1',
      '2001:db7:ffff::1',
    ],
    icmp: 'ipv6-icmp',
    icmpMatch: '-m icmp6 --icmpv6-type',
    types: [
      [128, 0],
      [129, 0],
      [1, 0],
      [1, 4],
      [2, 0],
      [135, 0],
      [136, 0],
      [143, 0],
      [139, 0],
    ],
  },
};

const PORTS = [0, 1, 21, 22, 23, 53, 80, 443, 1023, 1024, 1025, 8080, 8081, 65534, 65535];
const FLAGS = ['SYN', 'SYN,ACK', 'ACK', 'PSH,ACK', 'FIN,ACK', 'RST', 'NONE', 'SYN,FIN'];
const MASKS = [
  'FIN,SYN,RST,ACK SYN',
  'SYN,RST SYN,RST',
  'FIN,SYN,RST,PSH,ACK,URG NONE',
  'ACK ACK',
  'SYN,ACK SYN,ACK',
  'FIN FIN',
];
const STATES = [
  'NEW',
  'ESTABLISHED',
  'RELATED',
  'INVALID',
  'UNTRACKED',
  'RELATED,ESTABLISHED',
  'NEW,INVALID',
  'NEW,UNTRACKED',
];
const MARKS = ['0x1', '0x2', '0x3', '0x10/0xf0', '0x1/0x1', '0x0'];
const CHAINS = ['A', 'B', 'C', 'D'];

const not = (by: Chance, text: string, percent = 20): string => (by.in100(percent) ? `! ${text}` : text);
const range = (by: Chance): string => {
  const [a, b] = [by.below(PORTS.length), by.below(PORTS.length)];
  return a === b ? String(PORTS[a]) : `${PORTS[Math.min(a, b)]}:${PORTS[Math.max(a, b)]}`;
};

function transportMatch(by: Chance, pool: Pool): string {
  const kind = by.below(10);
  if (kind < 4) {
    const tcp = by.in100(70);
    const name = tcp ? 'tcp' : 'udp';
    const ports = `${not(by, `--${by.one(['sport', 'dport', 'dport'])} ${range(by)}`)}`;
    const flags = tcp && by.in100(25) ? ` ${not(by, `--tcp-flags ${by.one(MASKS)}`)}` : '';
    return `-p ${name} -m ${name} ${ports}${flags}`;
  }
  if (kind < 6) {
    const list = Array.from({ length: 1 + by.below(4) }, () => range(by)).join(',');
    return `-p ${by.one(['tcp', 'udp'])} -m multiport ${not(by, `--${by.one(['sports', 'dports', 'ports'])} ${list}`)}`;
  }
  if (kind < 7) {
    const [type, code] = by.one(pool.types);
    return `-p ${pool.icmp} ${by.in100(20) ? pool.icmpMatch.replace(' --', ' ! --') : pool.icmpMatch} ${type}${by.in100(30) ? `/${code}` : ''}`;
  }
  return not(by, `-p ${by.one(['tcp', 'udp', pool.icmp, '47', '253'])}`);
}

/** What a rule may ask in a chain that packets reach from these hooks. */
export interface Surroundings {
  readonly table: string;
  readonly arriving: boolean;
  readonly leaving: boolean;
}

function matches(by: Chance, pool: Pool, around: Surroundings): readonly string[] {
  const parts: string[] = [];
  if (by.in100(30)) parts.push(not(by, `-s ${by.in100(10) ? by.one(pool.holes) : by.one(pool.networks)}`));
  if (by.in100(30)) parts.push(not(by, `-d ${by.in100(10) ? by.one(pool.holes) : by.one(pool.networks)}`));
  if (around.arriving && by.in100(20)) parts.push(not(by, `-i ${by.one(PATTERNS)}`));
  if (around.leaving && by.in100(20)) parts.push(not(by, `-o ${by.one(PATTERNS)}`));
  if (by.in100(55)) parts.push(transportMatch(by, pool));
  if (around.table !== 'raw' && by.in100(25))
    parts.push(`-m conntrack ${not(by, `--ctstate ${by.one(STATES)}`)}`);
  if (around.table !== 'raw' && by.in100(4)) parts.push('-m state --state NEW');
  if (by.in100(8))
    parts.push(`-m iprange ${not(by, `--${by.one(['src', 'dst'])}-range ${by.one(pool.ranges)}`)}`);
  if (by.in100(12)) parts.push(`-m mark ${not(by, `--mark ${by.one(MARKS)}`)}`);
  if (by.in100(10))
    parts.push(
      `-m set ${not(by, `--match-set ${by.one(['nets', 'hosts', 'lists'])} ${by.one(['src', 'dst'])}`)}`,
    );
  if (by.in100(5))
    parts.push(`-m set ${not(by, `--match-set pairs ${by.one(['src,dst', 'dst,dst', 'src,src'])}`)}`);
  if (by.in100(4)) parts.push(`-m set ${not(by, `--match-set ports ${by.one(['src', 'dst'])}`)}`);
  if (by.in100(3)) parts.push(not(by, '-m comment --comment nothing', 0));
  if (around.leaving && !around.arriving && by.in100(6)) parts.push(`-m owner ${not(by, '--uid-owner 0')}`);
  if (by.in100(2))
    parts.push('-m ttl --ttl-eq 64'.replace('ttl --ttl', pool.icmp === 'icmp' ? 'ttl --ttl' : 'hl --hl'));
  return parts;
}

function target(by: Chance, pool: Pool, table: string, deeper: readonly string[]): string {
  const kind = by.below(100);
  if (deeper.length > 0 && kind < 22) return `${by.one(['-j', '-j', '-g'])} ${by.one(deeper)}`;
  if (kind < 32) return '-j RETURN';
  if (table === 'nat') {
    const port = by.one(PORTS.slice(1));
    return by.one([
      '-j ACCEPT',
      `-j DNAT --to-destination ${by.one(pool.targets)}`,
      `-p tcp -j DNAT --to-destination ${bracketed(by.one(pool.targets))}:${port}`,
      `-p udp -j DNAT --to-destination :${port}`,
      `-p tcp -j REDIRECT --to-ports ${port}`,
    ]);
  }
  if (table === 'mangle' && kind < 70)
    return `-j MARK ${by.one(['--set-xmark 0x1/0xffffffff', '--set-xmark 0x2/0x2', '--or-mark 0x10', '--and-mark 0xfe', '--xor-mark 0x3'])}`;
  if (table === 'raw' && kind < 70) return by.one(['-j NOTRACK', '-j CT --notrack']);
  if (kind < 40) return '';
  if (table !== 'filter') return by.one(['-j ACCEPT', '-j ACCEPT', '-j DROP']);
  return by.one(['-j ACCEPT', '-j ACCEPT', '-j ACCEPT', '-j DROP', '-j DROP', '-j REJECT']);
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};
const ARRIVING = ['PREROUTING', 'INPUT', 'FORWARD'];
const LEAVING = ['FORWARD', 'OUTPUT', 'POSTROUTING'];

/** Every table stands in the text, so that loading it clears the one before. */
export function generateRules(by: Chance, family: Family): string {
  const pool = POOLS[family];
  const used = (table: string): boolean =>
    table === 'filter' || by.in100({ raw: 20, mangle: 30, nat: 25, security: 8 }[table] ?? 0);
  return Object.entries(BUILT_IN)
    .map(([table, builtIn]) =>
      used(table) ? generateTable(by, pool, table, builtIn) : emptyTable(table, builtIn),
    )
    .join('');
}

const emptyTable = (table: string, builtIn: readonly string[]): string =>
  [`*${table}`, ...builtIn.map((chain) => `:${chain} ACCEPT [0:0]`), 'COMMIT', ''].join('\n');

function generateTable(by: Chance, pool: Pool, table: string, builtIn: readonly string[]): string {
  const policy = (): string => (table !== 'nat' && by.in100(table === 'filter' ? 50 : 3) ? 'DROP' : 'ACCEPT');
  const lines = [
    `*${table}`,
    ...builtIn.map((chain) => `:${chain} ${policy()} [0:0]`),
    ...CHAINS.map((chain) => `:${chain} - [0:0]`),
  ];
  const busy = table === 'filter' ? 5 : 2;
  const add = (chain: string, around: Surroundings, deeper: readonly string[], most: number): void => {
    for (let count = by.below(most + 1); count > 0; count--) {
      const goal = target(by, pool, table, deeper);
      const asked = matches(by, pool, around);
      // nat's ports need a protocol of their own.
      const [own, ...rest] = goal.split(' -j ');
      const parts = goal.startsWith('-p ')
        ? [own, ...asked.filter((part) => !/-p /.test(part)), `-j ${rest.join(' -j ')}`]
        : [...asked, goal];
      lines.push(['-A', chain, ...parts].filter((part) => part !== '').join(' '));
    }
  };
  for (const chain of builtIn)
    if (table !== 'nat' || chain === 'PREROUTING' || chain === 'OUTPUT')
      add(
        chain,
        { table, arriving: ARRIVING.includes(chain), leaving: LEAVING.includes(chain) },
        CHAINS,
        busy + 1,
      );
  for (const [index, chain] of CHAINS.entries())
    add(chain, { table, arriving: false, leaving: false }, CHAINS.slice(index + 1), busy);
  return `${lines.join('\n')}\nCOMMIT\n`;
}

/** Sets that rules name: as `ipset save` prints them. */
export function generateSets(by: Chance, family: Family): string {
  const pool = POOLS[family];
  const name = family === 'v4' ? 'inet' : 'inet6';
  const some = (of: readonly string[], percent: number): readonly string[] =>
    of.filter(() => by.in100(percent));
  return [
    `create nets hash:net family ${name} hashsize 1024 maxelem 65536`,
    ...some(
      pool.networks.filter((each) => !each.endsWith('/1')),
      50,
    ).map((each) => `add nets ${each}${by.in100(25) ? ' nomatch' : ''}`),
    `create hosts hash:ip family ${name} hashsize 1024 maxelem 65536`,
    ...some(pool.hosts, 30).map((each) => `add hosts ${each}`),
    `create pairs hash:ip,port family ${name} hashsize 1024 maxelem 65536`,
    ...some(pool.hosts, 40).map((each) => `add pairs ${each},${by.one(['tcp', 'udp'])}:${by.one(PORTS)}`),
    'create ports bitmap:port range 0-65535',
    ...new Set(some(PORTS.map(String), 30).map((each) => `add ports ${each}`)),
    'create lists list:set size 8',
    'add lists nets',
    'add lists hosts',
    '',
  ].join('\n');
}

export interface Sample {
  readonly packet: Packet;
  /** The device it comes in on or goes out on first, by its place among `DEVICES`. */
  readonly device: number;
  /** 0 is local, 4 * n leaves through the n-th device. */
  readonly service: number;
  /** A connection that conntrack knows before: the packet belongs to it (ESTABLISHED) or tells of it (RELATED). */
  readonly flow?: Packet;
}

/**
 * Packets none of which answers or continues an earlier one, so that each begins a connection: whatever nat made of
 * the earlier one, its answer goes to where it came from.
 */
export function generatePackets(by: Chance, family: Family, count: number): readonly Sample[] {
  const origins = new Set<string>();
  const goals = new Set<string>();
  const connections = new Set<string>();
  const samples: Sample[] = [];
  while (samples.length < count) {
    const sample = generatePacket(by, family, samples.length);
    const { protocol, src, dst, sport = '', dport = '' } = sample.packet;
    const [from, to] = [`${protocol} ${src} ${sport}`, `${protocol} ${dst} ${dport}`];
    const { flow } = sample;
    if (flow !== undefined && flow.src === flow.dst) continue;
    if (from === to || origins.has(to) || connections.has(from + to)) continue;
    // Without ports nat has nothing to tell a connection from another one between its source and where nat sends it.
    if (sport === '' && flow === undefined && (origins.has(from) || goals.has(from))) continue;
    if (flow === undefined || sport !== '') origins.add(from);
    goals.add(to);
    connections.add(from + to);
    samples.push(sample);
  }
  return samples;
}

/** @param serial makes source ports, and so connections, differ where rules do not look. */
function generatePacket(by: Chance, family: Family, serial: number): Sample {
  const pool = POOLS[family];
  const hook = by.one<Hook>(['INPUT', 'INPUT', 'FORWARD', 'OUTPUT']);
  const protocol = by.one(['tcp', 'tcp', 'tcp', 'udp', 'udp', pool.icmp, '47', '253']);
  const device = by.below(DEVICES.length);
  const out = by.below(DEVICES.length);
  const name = DEVICES[device] ?? '';
  const ported = protocol === 'tcp' || protocol === 'udp';
  const [type, code] = by.one(pool.types);
  const bare: Packet = {
    hook,
    src: by.one(pool.hosts),
    dst: by.one(pool.hosts),
    protocol: protocolName(protocol),
    ...(hook === 'OUTPUT' ? { out: name, uid: 0, gid: 0 } : { in: name }),
    ...(hook === 'FORWARD' ? { out: DEVICES[out] ?? '' } : {}),
    ...(ported
      ? { sport: by.in100(60) ? 2000 + (serial % 60000) : by.one(PORTS), dport: by.one(PORTS) }
      : {}),
    ...(protocol === 'tcp' ? { flags: by.in100(60) ? 'SYN' : by.one(FLAGS) } : {}),
    // An echo has its number where others have a source port.
    ...(protocol === pool.icmp ? { type, code, sport: serial % 65536 } : {}),
  };
  const service = hook === 'FORWARD' ? 4 * (out + 1) : 0;
  if (ported && by.in100(12)) {
    const known: Packet = {
      ...bare,
      sport: 2000 + (serial % 60000),
      ...(protocol === 'tcp' ? { flags: by.one(['ACK', 'PSH,ACK']) } : {}),
    };
    return by.in100(70)
      ? { packet: { ...known, state: 'ESTABLISHED' }, device, service, flow: known }
      : { packet: errorAbout(by, pool, known), device, service, flow: known };
  }
  const packet = { ...bare, state: stateOf(bare, family) };
  return { packet, device, service };
}

/** What a router on the way says to the one who sent it: host unreachable (RFC 792), port unreachable (RFC 4443). */
function errorAbout(by: Chance, pool: Pool, flow: Packet): Packet {
  const { sport: _, dport: __, flags: ___, ...rest } = flow;
  const [type, code] = pool.icmp === 'icmp' ? [3, 1] : [1, 4];
  return {
    ...rest,
    src: by.one(pool.hosts),
    dst: flow.src,
    protocol: pool.icmp,
    type,
    code,
    state: 'RELATED',
  };
}

const protocolName = (text: string): string => (text === '47' ? 'gre' : text);

/** Addresses that nat targets are not: what the harness's host calls its own. */
export const OWN_ADDRESSES: { readonly [family in Family]: readonly string[] } = {
  v4: ['192.0.2.1'],
  v6: ['2001:db8:f::1'],
};
export const NAT_TARGETS = { v4: POOLS.v4.targets, v6: POOLS.v6.targets } as const;
