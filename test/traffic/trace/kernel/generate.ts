/** Random rulesets that use everything that is modelled, and packets at the boundaries of their matches. */
import type { Family } from '../../../../src/lib/family.js';
import type { Hook, Packet } from '../../../../src/traffic/model.js';
import { stateOf } from './packet-bytes.js';
import type { Random } from './random.js';

export const DEVICES: readonly string[] = ['eth0', 'eth1', 'eth0.10', 'wlan0', 'ppp0'];
const PATTERNS = [...DEVICES.slice(0, 4), 'eth+', 'eth0+', 'wlan+', 'tun+'];

export interface Pool {
  readonly networks: readonly string[];
  readonly holes: readonly string[];
  readonly ranges: readonly string[];
  /** Destinations of nat. */
  readonly targets: readonly string[];
  readonly hosts: readonly string[];
  readonly icmp: string;
  readonly icmpMatch: string;
  readonly types: readonly (readonly [number, number])[];
}

export const POOLS: { readonly [family in Family]: Pool } = {
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

export const PORTS = [0, 1, 21, 22, 23, 53, 80, 443, 1023, 1024, 1025, 8080, 8081, 65534, 65535];
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
  'DNAT',
  'ESTABLISHED,DNAT',
];
const MARKS = ['0x1', '0x2', '0x3', '0x10/0xf0', '0x1/0x1', '0x0'];
const CHAINS = ['A', 'B', 'C', 'D'];

const not = (random: Random, text: string, percent = 20): string =>
  random.percent(percent) ? `! ${text}` : text;
const range = (random: Random): string => {
  const [a, b] = [random.below(PORTS.length), random.below(PORTS.length)];
  return a === b ? String(PORTS[a]) : `${PORTS[Math.min(a, b)]}:${PORTS[Math.max(a, b)]}`;
};

function transportMatch(random: Random, pool: Pool): string {
  const kind = random.below(10);
  if (kind < 4) {
    const tcp = random.percent(70);
    const name = tcp ? 'tcp' : 'udp';
    const ports = `${not(random, `--${random.pick(['sport', 'dport', 'dport'])} ${range(random)}`)}`;
    const flags = tcp && random.percent(25) ? ` ${not(random, `--tcp-flags ${random.pick(MASKS)}`)}` : '';
    return `-p ${name} -m ${name} ${ports}${flags}`;
  }
  if (kind < 6) {
    const list = Array.from({ length: 1 + random.below(4) }, () => range(random)).join(',');
    return `-p ${random.pick(['tcp', 'udp'])} -m multiport ${not(random, `--${random.pick(['sports', 'dports', 'ports'])} ${list}`)}`;
  }
  if (kind < 7) {
    const [type, code] = random.pick(pool.types);
    return `-p ${pool.icmp} ${random.percent(20) ? pool.icmpMatch.replace(' --', ' ! --') : pool.icmpMatch} ${type}${random.percent(30) ? `/${code}` : ''}`;
  }
  return not(random, `-p ${random.pick(['tcp', 'udp', pool.icmp, '47', '253'])}`);
}

/** What a rule may match in a chain that packets reach from these hooks. */
interface ChainContext {
  readonly table: string;
  readonly arriving: boolean;
  readonly leaving: boolean;
}

function matches(random: Random, pool: Pool, context: ChainContext): readonly string[] {
  const parts: string[] = [];
  if (random.percent(30))
    parts.push(
      not(random, `-s ${random.percent(10) ? random.pick(pool.holes) : random.pick(pool.networks)}`),
    );
  if (random.percent(30))
    parts.push(
      not(random, `-d ${random.percent(10) ? random.pick(pool.holes) : random.pick(pool.networks)}`),
    );
  if (context.arriving && random.percent(20)) parts.push(not(random, `-i ${random.pick(PATTERNS)}`));
  if (context.leaving && random.percent(20)) parts.push(not(random, `-o ${random.pick(PATTERNS)}`));
  if (random.percent(55)) parts.push(transportMatch(random, pool));
  if (context.table !== 'raw' && random.percent(25))
    parts.push(`-m conntrack ${not(random, `--ctstate ${random.pick(STATES)}`)}`);
  if (context.table !== 'raw' && random.percent(8))
    parts.push(
      `-m conntrack ${random.pick([
        `--ctorigdstport ${range(random)}`,
        `! --ctorigdstport ${random.pick(PORTS)}`,
        `--ctorigdst ${random.pick(pool.networks)}`,
        `! --ctorigsrc ${random.pick(pool.networks)}`,
        `--ctorigsrcport ${range(random)}`,
        '--ctdir ORIGINAL',
      ])}`,
    );
  if (context.table !== 'raw' && random.percent(4)) parts.push('-m state --state NEW');
  if (random.percent(8))
    parts.push(
      `-m iprange ${not(random, `--${random.pick(['src', 'dst'])}-range ${random.pick(pool.ranges)}`)}`,
    );
  if (random.percent(12)) parts.push(`-m mark ${not(random, `--mark ${random.pick(MARKS)}`)}`);
  if (random.percent(10))
    parts.push(
      `-m set ${not(random, `--match-set ${random.pick(['nets', 'hosts', 'lists'])} ${random.pick(['src', 'dst'])}`)}`,
    );
  if (random.percent(5))
    parts.push(
      `-m set ${not(random, `--match-set pairs ${random.pick(['src,dst', 'dst,dst', 'src,src'])}`)}`,
    );
  if (random.percent(4))
    parts.push(`-m set ${not(random, `--match-set ports ${random.pick(['src', 'dst'])}`)}`);
  if (random.percent(3)) parts.push(not(random, '-m comment --comment nothing', 0));
  if (context.leaving && !context.arriving && random.percent(6))
    parts.push(`-m owner ${not(random, '--uid-owner 0')}`);
  if (random.percent(2))
    parts.push('-m ttl --ttl-eq 64'.replace('ttl --ttl', pool.icmp === 'icmp' ? 'ttl --ttl' : 'hl --hl'));
  return parts;
}

function target(random: Random, pool: Pool, table: string, deeper: readonly string[]): string {
  const kind = random.below(100);
  if (deeper.length > 0 && kind < 22) return `${random.pick(['-j', '-j', '-g'])} ${random.pick(deeper)}`;
  if (kind < 32) return '-j RETURN';
  if (table === 'nat') {
    const port = random.pick(PORTS.slice(1));
    return random.pick([
      '-j ACCEPT',
      `-j DNAT --to-destination ${random.pick(pool.targets)}`,
      `-p tcp -j DNAT --to-destination ${bracketed(random.pick(pool.targets))}:${port}`,
      `-p udp -j DNAT --to-destination :${port}`,
      `-p tcp -j REDIRECT --to-ports ${port}`,
    ]);
  }
  if (table === 'mangle' && kind < 70)
    return `-j MARK ${random.pick(['--set-xmark 0x1/0xffffffff', '--set-xmark 0x2/0x2', '--or-mark 0x10', '--and-mark 0xfe', '--xor-mark 0x3'])}`;
  if (table === 'raw' && kind < 70) return random.pick(['-j NOTRACK', '-j CT --notrack']);
  if (kind < 40) return '';
  if (table !== 'filter') return random.pick(['-j ACCEPT', '-j ACCEPT', '-j DROP']);
  return random.pick(['-j ACCEPT', '-j ACCEPT', '-j ACCEPT', '-j DROP', '-j DROP', '-j REJECT']);
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

/** The text has every table, so that loading it replaces all that were loaded before. */
export function generateRules(random: Random, family: Family): string {
  const pool = POOLS[family];
  const used = (table: string): boolean =>
    table === 'filter' || random.percent({ raw: 20, mangle: 30, nat: 25, security: 8 }[table] ?? 0);
  return Object.entries(BUILT_IN)
    .map(([table, builtIn]) =>
      used(table) ? generateTable(random, pool, table, builtIn) : emptyTable(table, builtIn),
    )
    .join('');
}

const emptyTable = (table: string, builtIn: readonly string[]): string =>
  [`*${table}`, ...builtIn.map((chain) => `:${chain} ACCEPT [0:0]`), 'COMMIT', ''].join('\n');

function generateTable(random: Random, pool: Pool, table: string, builtIn: readonly string[]): string {
  const policy = (): string =>
    table !== 'nat' && random.percent(table === 'filter' ? 50 : 3) ? 'DROP' : 'ACCEPT';
  const lines = [
    `*${table}`,
    ...builtIn.map((chain) => `:${chain} ${policy()} [0:0]`),
    ...CHAINS.map((chain) => `:${chain} - [0:0]`),
  ];
  const busy = table === 'filter' ? 5 : 2;
  const add = (chain: string, context: ChainContext, deeper: readonly string[], most: number): void => {
    for (let count = random.below(most + 1); count > 0; count--) {
      const action = target(random, pool, table, deeper);
      const conditions = matches(random, pool, context);
      // nat's ports need a protocol of their own.
      const [own, ...rest] = action.split(' -j ');
      const parts = action.startsWith('-p ')
        ? [own, ...conditions.filter((part) => !/-p /.test(part)), `-j ${rest.join(' -j ')}`]
        : [...conditions, action];
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
export function generateSets(random: Random, family: Family): string {
  const pool = POOLS[family];
  const name = family === 'v4' ? 'inet' : 'inet6';
  const some = (of: readonly string[], percent: number): readonly string[] =>
    of.filter(() => random.percent(percent));
  return [
    `create nets hash:net family ${name} hashsize 1024 maxelem 65536`,
    ...some(
      pool.networks.filter((each) => !each.endsWith('/1')),
      50,
    ).map((each) => `add nets ${each}${random.percent(25) ? ' nomatch' : ''}`),
    `create hosts hash:ip family ${name} hashsize 1024 maxelem 65536`,
    ...some(pool.hosts, 30).map((each) => `add hosts ${each}`),
    `create pairs hash:ip,port family ${name} hashsize 1024 maxelem 65536`,
    ...some(pool.hosts, 40).map(
      (each) => `add pairs ${each},${random.pick(['tcp', 'udp'])}:${random.pick(PORTS)}`,
    ),
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
  /** The device it comes in on or goes out on first, by its index in `DEVICES`. */
  readonly device: number;
  /** 0 is local, 4 * n leaves through the n-th device. */
  readonly service: number;
  /** A connection that is tracked already: the packet belongs to it (ESTABLISHED) or is an error about it (RELATED). */
  readonly flow?: Packet;
}

/**
 * Packets none of which replies to or continues an earlier one, so that each opens a connection: whatever nat did to
 * the earlier one, its reply goes to where it came from.
 */
export function generatePackets(random: Random, family: Family, count: number): readonly Sample[] {
  const origins = new Set<string>();
  const destinations = new Set<string>();
  const connections = new Set<string>();
  const samples: Sample[] = [];
  while (samples.length < count) {
    const sample = generatePacket(random, family, samples.length);
    const { protocol, src, dst, sport = '', dport = '' } = sample.packet;
    const [from, to] = [`${protocol} ${src} ${sport}`, `${protocol} ${dst} ${dport}`];
    const { flow } = sample;
    if (flow !== undefined && flow.src === flow.dst) continue;
    if (from === to || origins.has(to) || connections.has(from + to)) continue;
    // Without ports nat cannot tell a connection from another one between its source and its new destination.
    if (sport === '' && flow === undefined && (origins.has(from) || destinations.has(from))) continue;
    if (flow === undefined || sport !== '') origins.add(from);
    destinations.add(to);
    connections.add(from + to);
    samples.push(sample);
  }
  return samples;
}

/** @param serial makes source ports, and so connections, differ where rules do not match on them */
function generatePacket(random: Random, family: Family, serial: number): Sample {
  const pool = POOLS[family];
  const hook = random.pick<Hook>(['INPUT', 'INPUT', 'FORWARD', 'OUTPUT']);
  const protocol = random.pick(['tcp', 'tcp', 'tcp', 'udp', 'udp', pool.icmp, '47', '253']);
  const device = random.below(DEVICES.length);
  const out = random.below(DEVICES.length);
  const name = DEVICES[device] ?? '';
  const ported = protocol === 'tcp' || protocol === 'udp';
  const [type, code] = random.pick(pool.types);
  const bare: Packet = {
    hook,
    src: random.pick(pool.hosts),
    dst: random.pick(pool.hosts),
    protocol: protocolName(protocol),
    ...(hook === 'OUTPUT' ? { out: name, uid: 0, gid: 0 } : { in: name }),
    ...(hook === 'FORWARD' ? { out: DEVICES[out] ?? '' } : {}),
    ...(ported
      ? {
          sport: random.percent(60) ? 2000 + (serial % 60000) : random.pick(PORTS),
          dport: random.pick(PORTS),
        }
      : {}),
    ...(protocol === 'tcp' ? { flags: random.percent(60) ? 'SYN' : random.pick(FLAGS) } : {}),
    // An echo has its identifier where others have a source port.
    ...(protocol === pool.icmp ? { type, code, sport: serial % 65536 } : {}),
  };
  const service = hook === 'FORWARD' ? 4 * (out + 1) : 0;
  if (ported && random.percent(12)) {
    const known: Packet = {
      ...bare,
      sport: 2000 + (serial % 60000),
      ...(protocol === 'tcp' ? { flags: random.pick(['ACK', 'PSH,ACK']) } : {}),
    };
    return random.percent(70)
      ? { packet: { ...known, state: 'ESTABLISHED' }, device, service, flow: known }
      : { packet: errorAbout(random, pool, known), device, service, flow: known };
  }
  const packet = { ...bare, state: stateOf(bare, family) };
  return { packet, device, service };
}

/** The error of a router to the sender: host unreachable (RFC 792), port unreachable (RFC 4443). */
function errorAbout(random: Random, pool: Pool, flow: Packet): Packet {
  const { sport: _, dport: __, flags: ___, ...rest } = flow;
  const [type, code] = pool.icmp === 'icmp' ? [3, 1] : [1, 4];
  return {
    ...rest,
    src: random.pick(pool.hosts),
    dst: flow.src,
    protocol: pool.icmp,
    type,
    code,
    state: 'RELATED',
  };
}

const protocolName = (text: string): string => (text === '47' ? 'gre' : text);

/** The addresses of the harness's host; none of them is a destination of nat. */
export const OWN_ADDRESSES: { readonly [family in Family]: readonly string[] } = {
  v4: ['192.0.2.1'],
  v6: ['2001:db8:f::1'],
};
export const NAT_TARGETS = { v4: POOLS.v4.targets, v6: POOLS.v6.targets } as const;
