/** Texts that all reports share: protocols, conditions, endpoints, examples, rules. */

import type { SourceLocation } from '../../lib/problem.js';
import { FAMILY, grouped } from '../../lib/text.js';
import type { Naming, Piece } from '../../naming/address-phrases.js';
import type { RowService } from '../../naming/service-sets.js';
import { withoutComment } from '../../netfilter/text/print.js';
import type { FamilyRanges } from '../../policy/addresses.js';
import type { DecidingRule } from '../../traffic/model.js';
import type { TrafficKind, TrafficRow } from './traffic-rows.js';

/** `policies/roles/web.yml:12`. */
export const locationText = (location: SourceLocation): string => `${location.file}:${location.line}`;

/** `tcp/443`, `udp/53, tcp/53`, `icmp type 8`, `any protocol`, `any but icmp, tcp/22`. */
export function protocolText({ services }: TrafficRow): string {
  const all = mergeExceptions(services);
  const texts = all.map(oneProtocol);
  return texts.join(texts.some((text) => text.includes(' ')) ? '; ' : ', ');
}

/** `any but icmp, tcp` and `tcp` on all ports but 22 are together `any but icmp, tcp/22`. */
function mergeExceptions(services: readonly RowService[]): readonly RowService[] {
  const but = services.find(({ protocol }) => protocol.startsWith(ANY_BUT));
  if (but === undefined) return services;
  const excepted = but.protocol.slice(ANY_BUT.length).split(', ');
  const rest = new Map(
    services.flatMap((service) => {
      const others = complement(service.dport, LAST_PORT);
      return excepted.includes(service.protocol) && others !== undefined && others.length <= MOST_NUMBERS
        ? [[service, `${service.protocol}/${others.join(', ')}`] as const]
        : [];
    }),
  );
  const named = excepted.map((name) => [...rest].find(([{ protocol }]) => protocol === name)?.[1] ?? name);
  return services.flatMap((service) =>
    service === but ? [{ ...but, protocol: ANY_BUT + named.join(', ') }] : rest.has(service) ? [] : [service],
  );
}

const ANY_BUT = 'any but ';
const LAST_PORT = 65535;

function oneProtocol({ protocol, dport, type }: RowService): string {
  const name = protocol === 'any' ? 'any protocol' : protocol;
  const ports = dport.length === 0 ? '' : `/${numberList(dport, LAST_PORT)}`;
  const types = type.length === 0 ? '' : ` type ${numberList(type, 255)}`;
  return `${name}${ports}${types}`;
}

/** Of longer lists of numbers the first are shown. */
const MOST_NUMBERS = 8;

/** The numbers, or `all but` the others where those are fewer. */
function numberList(texts: readonly string[], last: number): string {
  const others = complement(texts, last);
  const [prefix, numbers] =
    others !== undefined && others.length < texts.length ? ['all but ', others] : ['', texts];
  return numbers.length > MOST_NUMBERS
    ? `${prefix}${numbers.slice(0, MOST_NUMBERS - 1).join(', ')} and ${numbers.length - MOST_NUMBERS + 1} more`
    : prefix + numbers.join(', ');
}

/** Of `0-21`, `23-65535`: `22`. `undefined` for texts that are not numbers, such as an ICMP type with a code. */
function complement(texts: readonly string[], last: number): readonly string[] | undefined {
  if (texts.length === 0) return undefined;
  const rest: string[] = [];
  let next = 0;
  for (const text of [...texts, String(last + 1)]) {
    const [, first, end = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
    if (first === undefined || Number(first) < next) return undefined;
    if (Number(first) > next)
      rest.push(Number(first) - 1 === next ? String(next) : `${next}-${Number(first) - 1}`);
    next = Number(end) + 1;
  }
  return rest;
}

/**
 * Conditions of the row besides protocol and addresses: `in on eth0`, `source port 53`, `state ESTABLISHED`.
 * @param rows the rows that are joined in it
 */
export function conditions(
  row: TrafficRow,
  naming: Naming,
  kind: TrafficKind,
  rows: readonly TrafficRow[] = [row],
): readonly string[] {
  const [family] = row.families;
  return [
    ...(row.in.length === 0 ? [] : [`in on ${row.in.join(', ')}`]),
    ...(row.out.length === 0 ? [] : [`out on ${row.out.join(', ')}`]),
    ...(row.sport.length === 0 ? [] : [`source port ${row.sport.join(', ')}`]),
    ...row.also,
    ...stateText(row, closes(kind) ? rows : []),
    ...(family === undefined || row.families.length > 1 || showsFamily(row, naming)
      ? []
      : [`${FAMILY[family]} only`]),
  ];
}

/** Whether the kind is one of those that refuse now what was accepted. */
export const closes = (kind: TrafficKind): boolean => kind === 'closed' || kind === 'possiblyClosed';

/**
 * Traffic begins with a NEW packet, so that state is not shown; that running connections break is.
 * @param closed the rows that close
 */
function stateText({ state }: TrafficRow, closed: readonly TrafficRow[]): readonly string[] {
  if (state.length > 0 && !state.includes('NEW')) return [`state ${state.join(', ')}`];
  const breaking = closed.filter(breaksConnections);
  if (breaking.length === 0) return [];
  return [`running connections as well${breaking.length < closed.length ? ', in part' : ''}`];
}

/** ICMP has no connections that matter, and neighbour discovery is not tracked. */
const breaksConnections = ({ state, services }: TrafficRow): boolean =>
  (state.length === 0 || state.includes('ESTABLISHED')) && !services.every(isIcmp);

const isIcmp = ({ protocol }: RowService): boolean => protocol === 'icmp' || protocol === 'ipv6-icmp';

/** Whether the row shows its family by an address, a name or a protocol. */
const showsFamily = (row: TrafficRow, naming: Naming): boolean =>
  row.services.every(isIcmp) ||
  [row.src, row.dst].some((ranges) => {
    const { of, but } = naming.addresses(ranges, row.families);
    return [...of, ...but].some(({ families }) => families.length === 1);
  });

/** Text with names and addresses as parts that a printer can emphasise. */
export type Phrase = readonly (string | Piece)[];

/** The most pieces of one side that are named one by one. */
const MOST_PIECES = 6;

/** `from app and 192.0.2.7`, `from anywhere but admin to db-1`, `out to mirrors`. */
export function endpoints(row: TrafficRow, naming: Naming): Phrase {
  const side = (ranges: FamilyRanges | undefined): Phrase => {
    const { of, but } = naming.addresses(ranges, row.families);
    const some = of.length === 0 ? [ANYWHERE] : phraseList(of);
    return but.length === 0 ? some : [...some, ' but ', ...phraseList(but)];
  };
  const from: Phrase = ['from ', ...side(row.src)];
  const to: Phrase = ['to ', ...side(row.dst)];
  if (row.hook === 'INPUT') return row.dst === undefined ? from : [...from, ' ', ...to];
  if (row.hook === 'OUTPUT') return row.src === undefined ? ['out ', ...to] : ['out ', ...from, ' ', ...to];
  return ['forwarded ', ...from, ' ', ...to];
}

/** `a, b and c`, of at most {@link MOST_PIECES}. */
function phraseList(pieces: readonly Piece[]): Phrase {
  const shown = pieces.length > MOST_PIECES ? pieces.slice(0, MOST_PIECES - 1) : pieces;
  const rest = pieces.length - shown.length;
  const all = rest === 0 ? shown : [...shown, `${grouped(rest)} more`];
  return all.flatMap((part, index) => [
    ...(index === 0 ? [] : [index < all.length - 1 ? ', ' : ' and ']),
    part,
  ]);
}

const ANYWHERE: Piece = { text: 'anywhere', named: true, families: ['v4', 'v6'] };

/** `198.51.100.7 → 203.0.113.10:443`; the source port where the row is about one. */
export function exampleText({ example, sport }: TrafficRow): string {
  const from = endpoint(example.src, sport.length === 0 ? undefined : example.sport);
  return `${from} → ${endpoint(example.dst, example.dport)}`;
}

const endpoint = (address: string, port: number | undefined): string =>
  port === undefined ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** The rule as iptables-save prints it, without its comment, which is shown as its reason. */
export function ruleText(rule: DecidingRule): string {
  // A table that nft made has the name of its family before its own.
  if (rule.table.includes(' ')) return `nft ${rule.table} ${rule.chain}: ${rule.text}`;
  if (rule.table === 'nft') return rule.text;
  if (rule.number === 0) return `${rule.chain} policy ${rule.text.split(' ').at(-1) ?? ''}`.trim();
  const bare = withoutComment({ text: rule.text, comment: rule.reason });
  return bare.startsWith('-A ') ? bare : `-A ${rule.chain} ${bare}`;
}
