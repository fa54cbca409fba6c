/** Random native tables that use everything of nft that is modelled, beside rules of iptables. */
import type { Family } from '../../../../src/lib/family.js';
import { DEVICES, POOLS, PORTS, type Pool } from './generate.js';
import type { Random } from './random.js';

type Hook = 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

interface Base {
  readonly hook: Hook;
  readonly type: 'filter' | 'nat' | 'route';
  readonly priority: number;
}

const PRIORITIES: { readonly [hook in Hook]: readonly number[] } = {
  ingress: [-500, 0],
  prerouting: [-400, -300, -250, -199, -150, -100, 0, 10],
  input: [-10, 0, 0, 10, 50, 100],
  forward: [-10, 0, 0, 5],
  output: [-400, -300, -150, -100, 0, 10],
  postrouting: [-150, 0, 100, 200],
};

const FILTERS: readonly Hook[] = ['prerouting', 'input', 'input', 'forward', 'output', 'postrouting'];
const TRANSLATORS: readonly Hook[] = ['prerouting', 'output', 'postrouting', 'input'];

interface Context {
  readonly random: Random;
  readonly pool: Pool;
  readonly family: Family;
  /** `ip`, `inet` or `netdev`. */
  readonly table: string;
  readonly nat: boolean;
  /** Where the chain may be called from. */
  readonly hooks: readonly Hook[];
  readonly deeper: readonly string[];
}

const CHAINS = ['a', 'b', 'c'];

/** The text for `nft -f`: up to three tables. */
export function generateNft(random: Random, family: Family): string {
  const ip = family === 'v4' ? 'ip' : 'ip6';
  const tables = [`${ip} one`, 'inet two', ...(random.percent(40) ? ['inet three'] : [])];
  const texts = tables.filter(() => random.percent(75)).map((name) => tableOf(random, family, name));
  if (random.percent(25)) texts.push(netdevOf(random, family));
  return texts.join('');
}

function tableOf(random: Random, family: Family, name: string): string {
  const [table = ''] = name.split(' ');
  const nat = random.percent(30);
  const hooks = nat ? TRANSLATORS : FILTERS;
  const bases = Array.from(
    { length: 1 + random.below(3) },
    (): Base => baseOf(random, random.pick(hooks), nat),
  );
  return write(random, family, name, table, bases);
}

function baseOf(random: Random, hook: Hook, nat: boolean): Base {
  if (nat) return { hook, type: 'nat', priority: random.pick([-101, -100, -99, 0, 100, 101]) };
  const type = hook === 'output' && random.percent(20) ? 'route' : 'filter';
  return { hook, type, priority: random.pick(PRIORITIES[hook]) };
}

function netdevOf(random: Random, family: Family): string {
  const base: Base = { hook: 'ingress', type: 'filter', priority: random.pick(PRIORITIES.ingress) };
  return write(random, family, 'netdev early', 'netdev', [base]);
}

function write(random: Random, family: Family, name: string, table: string, bases: readonly Base[]): string {
  const pool = POOLS[family];
  const nat = bases[0]?.type === 'nat';
  const shared = { random, pool, family, table, nat, hooks: bases.map(({ hook }) => hook) };
  const lines = [
    `table ${name} {`,
    ...sets(random, family, pool),
    // Later chains first: a chain is known before it is called.
    ...CHAINS.map((chain, index) => ({ chain, deeper: CHAINS.slice(index + 1) }))
      .toReversed()
      .flatMap(({ chain, deeper }) => [` chain ${chain} {`, ...rules({ ...shared, deeper }, 3), ' }']),
    ...bases.flatMap((base, index) => [
      ` chain base${index} {`,
      `  type ${base.type} hook ${base.hook}${base.hook === 'ingress' ? ` device ${random.pick(DEVICES)}` : ''} priority ${base.priority}; policy ${!nat && random.percent(25) ? 'drop' : 'accept'};`,
      ...rules({ ...shared, hooks: [base.hook], deeper: CHAINS }, 5),
      ' }',
    ]),
    '}',
    '',
  ];
  return lines.join('\n');
}

function sets(random: Random, family: Family, pool: Pool): readonly string[] {
  const type = family === 'v4' ? 'ipv4_addr' : 'ipv6_addr';
  const some = <T>(of: readonly T[], percent: number): readonly T[] => {
    const found = of.filter(() => random.percent(percent));
    return found.length === 0 ? of.slice(0, 1) : found;
  };
  const networks = pool.networks.filter((each) => !each.endsWith('/1'));
  return [
    ` set hosts { type ${type}; elements = { ${some(pool.hosts, 30).join(', ')} } }`,
    ` set nets { type ${type}; flags interval; auto-merge; elements = { ${some(networks, 40).join(', ')} } }`,
    ` set ports { type inet_service; flags interval; elements = { ${some(['22', '80', '443', '1000-2000', '8080'], 50).join(', ')} } }`,
    ` set pairs { type ${type} . inet_service; elements = { ${[...new Set(some(pool.hosts, 40).map((each) => `${each} . ${random.pick(PORTS)}`))].join(', ')} } }`,
    ' set empty { type inet_service; }',
  ];
}

const not = (random: Random, percent = 20): string => (random.percent(percent) ? '!= ' : '');

const address = ({ family }: Context): string => (family === 'v4' ? 'ip' : 'ip6');

type Part = (context: Context) => string;

const port = (random: Random): string => String(random.pick(PORTS));

/** Of these nft takes one in a rule. */
const TRANSPORT: readonly Part[] = [
  (context) =>
    `${address(context)} ${context.random.pick(['saddr', 'daddr'])} . tcp dport ${not(context.random)}@pairs`,
  ({ random }) =>
    `${random.pick(['tcp', 'udp'])} ${random.pick(['dport', 'sport'])} ${not(random)}${port(random)}`,
  ({ random }) => `tcp dport ${not(random)}{ ${[...new Set([port(random), port(random)])].join(', ')} }`,
  ({ random }) => `tcp dport ${not(random)}@${random.pick(['ports', 'ports', 'empty'])}`,
  ({ random }) => `tcp dport ${random.pick(['<', '>', '<=', '>='])} ${random.pick([22, 80, 1024])}`,
  ({ random }) => `udp dport ${not(random)}1000-8080`,
  ({ random }) => `meta l4proto { tcp, udp } th dport ${not(random)}${port(random)}`,
  ({ random }) => `th dport ${not(random)}${port(random)}`,
  ({ random }) => `meta l4proto ${not(random)}${random.pick(['tcp', 'udp', '47', 'icmp', 'ipv6-icmp'])}`,
  ({ random }) =>
    `tcp flags ${random.pick(['syn', 'syn,ack', '& (syn | ack) == syn', '& (fin | syn) == fin | syn', '!= syn', '== syn', '{ syn, ack }'])}`,
  (context) =>
    context.family === 'v4'
      ? `icmp type ${not(context.random)}${context.random.pick(['echo-request', 'echo-reply', 'destination-unreachable', '{ 3, 8 }'])}`
      : `icmpv6 type ${not(context.random)}${context.random.pick(['echo-request', 'nd-neighbor-solicit', 'destination-unreachable', '{ 1, 128 }'])}`,
];

const MATCHES: readonly Part[] = [
  (context) =>
    `${address(context)} ${context.random.pick(['saddr', 'daddr'])} ${not(context.random)}${context.random.pick(context.pool.networks)}`,
  (context) =>
    `${address(context)} ${context.random.pick(['saddr', 'daddr'])} ${not(context.random)}{ ${[...new Set([context.random.pick(context.pool.hosts), context.random.pick(context.pool.hosts)])].join(', ')} }`,
  (context) =>
    `${address(context)} ${context.random.pick(['saddr', 'daddr'])} ${not(context.random)}@${context.random.pick(['hosts', 'nets'])}`,
  ({ random }) => `meta mark ${not(random)}${random.pick(['0x0', '0x1', '0x2', '0x12'])}`,
  ({ random }) => `meta mark & 0xf0 ${random.pick(['==', '!='])} 0x10`,
];

const NOT_EARLY: readonly Part[] = [
  ({ random }) =>
    `ct state ${not(random)}${random.pick(['new', 'established', 'related', 'invalid', 'untracked', 'established,related'])}`,
  ({ random }) => `ct state ${not(random)}{ new, invalid }`,
];

const INTERFACES: readonly Part[] = [
  ({ random }) => `iifname ${not(random)}"${random.pick([...DEVICES, 'eth*', 'lo'])}"`,
  ({ random }) => `iifname ${not(random)}{ "eth0", "wlan0" }`,
];

const OUTGOING: readonly Part[] = [
  ({ random }) => `oifname ${not(random)}"${random.pick([...DEVICES, 'eth*'])}"`,
];

/** @param transport the rule may match on what a transport protocol has */
const conditions = (context: Context, transport = true): readonly string[] => {
  const { random, hooks, table } = context;
  const usable = [
    ...MATCHES,
    ...(table === 'netdev' ? [] : [...NOT_EARLY, ...NOT_EARLY]),
    ...(hooks.every((hook) => hook !== 'output' && hook !== 'postrouting') ? INTERFACES : []),
    ...(hooks.every((hook) => hook === 'forward' || hook === 'output' || hook === 'postrouting')
      ? OUTGOING
      : []),
  ];
  const others = Array.from({ length: random.below(3) }, () => random.pick(usable)(context));
  return transport && random.percent(50) ? [...others, random.pick(TRANSPORT)(context)] : others;
};

const calls = ({ random, deeper }: Context): string =>
  deeper.length === 0 ? 'return' : `${random.pick(['jump', 'jump', 'goto'])} ${random.pick(deeper)}`;

/** A verdict map, whose keys are disjoint. */
function verdictMap(context: Context): string {
  const { random } = context;
  const verdict = (): string => random.pick(['accept', 'drop', 'return', calls(context)]);
  return random.pick([
    `tcp dport vmap { 22 : ${verdict()}, 80 : ${verdict()}, 1024-8080 : ${verdict()} }`,
    ...(context.table === 'netdev'
      ? []
      : [`ct state vmap { established : ${verdict()}, related : ${verdict()}, invalid : drop }`]),
    `meta l4proto . th dport vmap { tcp . 443 : ${verdict()}, udp . 53 : ${verdict()} }`,
  ]);
}

const marking = ({ random }: Context): string =>
  random.pick([
    'meta mark set 0x1',
    'meta mark set meta mark | 0x10',
    'meta mark set meta mark & 0xfe',
    'meta mark set meta mark ^ 0x3',
  ]);

function rules(context: Context, most: number): readonly string[] {
  return Array.from({ length: context.random.below(most + 1) }, () => `  ${rule(context)}`);
}

function rule(context: Context): string {
  const { random } = context;
  const kind = random.below(100);
  if (context.nat && kind < 45) return [...conditions(context, false), translation(context)].join(' ');
  if (kind >= 15 && kind < 27) return [...conditions(context, false), verdictMap(context)].join(' ');
  const parts = conditions(context);
  if (kind < 15) return [...parts, calls(context)].join(' ');
  if (kind < 40)
    return [
      ...parts,
      marking(context),
      ...(random.percent(40) ? conditions(context, false) : []),
      ...(random.percent(50) ? [verdict(context)] : []),
    ].join(' ');
  if (kind < 45) return [...parts, 'counter'].join(' ');
  if (kind < 50 && !context.nat && context.hooks.length === 1 && early(context))
    return [...parts, 'notrack'].join(' ');
  return [...parts, 'counter', verdict(context)].join(' ');
}

const early = ({ hooks: [hook], table }: Context): boolean =>
  table !== 'netdev' && (hook === 'prerouting' || hook === 'output');

const verdict = ({ random, nat, hooks, table }: Context): string =>
  nat
    ? random.pick(['accept', 'return', 'drop'])
    : random.pick([
        'accept',
        'accept',
        'drop',
        'return',
        hooks.every((hook) => hook === 'input' || hook === 'forward' || hook === 'output') &&
        table !== 'netdev'
          ? 'reject'
          : 'drop',
      ]);

/** Nat at the hooks where nft allows it; a chain that several hooks call only accepts. */
function translation({ random, pool, hooks, family, table }: Context): string {
  const [hook, second] = hooks;
  const target = random.pick(pool.targets);
  const to = target.includes(':') ? `[${target}]` : target;
  const of = table === 'inet' ? (family === 'v4' ? 'ip ' : 'ip6 ') : '';
  if (second !== undefined) return 'accept';
  if (hook === 'prerouting' || hook === 'output')
    return random.pick([
      `meta l4proto tcp dnat ${of}to ${to}:${random.pick(PORTS.slice(1))}`,
      `dnat ${of}to ${target}`,
      `meta l4proto tcp redirect to :${random.pick(PORTS.slice(1))}`,
      `dnat ${of}to tcp dport map { 22 : ${target}, 80 : ${random.pick(pool.targets)} }`,
    ]);
  return 'accept';
}
