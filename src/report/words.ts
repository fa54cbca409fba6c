/** The words that every report uses, so that the comment, the terminal and the page say the same thing. */
import type { Place } from '../problem.js';
import type { DecidingRule } from '../traffic/model.js';
import type { TrafficRow } from './fold.js';

/** `1,000`. */
export const grouped = (number: number): string => number.toLocaleString('en-US');

/** `1 host`, `2 hosts`, `1,000 hosts`. */
export const count = (number: number, noun: string): string =>
  `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;

/** `a, b and c`, or `a, b and 7 more` past `max`. */
export function list(items: readonly string[], max = Number.POSITIVE_INFINITY): string {
  const shown = items.length > max ? items.slice(0, Math.max(1, max - 1)) : items;
  const rest = items.length - shown.length;
  const parts = rest === 0 ? shown : [...shown, `${grouped(rest)} more`];
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

export const placeText = (place: Place): string => `${place.file}:${place.line}`;

/** `tcp/443`, `udp/1000-2000, 53`, `icmp type 8`, `any protocol`. */
export function protocolText(row: TrafficRow): string {
  const name = row.protocol === 'any' ? 'any protocol' : row.protocol;
  const ports = row.dport.length === 0 ? '' : `/${row.dport.join(', ')}`;
  const type = row.type.length === 0 ? '' : ` type ${row.type.join(', ')}`;
  return `${name}${ports}${type}`;
}

/** What the row says beyond protocol and addresses: `in on eth0`, `source port 53`, `state ESTABLISHED`. */
export function conditions(row: TrafficRow): readonly string[] {
  const newOnly = row.state.length === 1 && row.state[0] === 'NEW';
  const [family] = row.families;
  const addressed = row.src.length + row.dst.length > 0;
  return [
    ...(row.in.length === 0 ? [] : [`in on ${row.in.join(', ')}`]),
    ...(row.out.length === 0 ? [] : [`out on ${row.out.join(', ')}`]),
    ...(row.sport.length === 0 ? [] : [`source port ${row.sport.join(', ')}`]),
    ...row.also,
    ...(row.state.length === 0 || newOnly ? [] : [`state ${row.state.join(', ')}`]),
    ...(family === undefined || row.families.length > 1 || addressed ? [] : [`${FAMILY[family]} only`]),
  ];
}

export const FAMILY = { v4: 'IPv4', v6: 'IPv6' } as const;

/** Addresses on one side; an empty list is everyone. */
export const addresses = (list: readonly string[]): readonly string[] =>
  list.length === 0 ? ['anywhere'] : list;

/** `198.51.100.7 → 203.0.113.10:443`; the source port where the row is about one. */
export function exampleText({ example, sport }: TrafficRow): string {
  const from = endpoint(example.src, sport.length === 0 ? undefined : example.sport);
  return `${from} → ${endpoint(example.dst, example.dport)}`;
}

const endpoint = (address: string, port: number | undefined): string =>
  port === undefined ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** The reason that a rule carries as its comment, if it carries one. */
export function ruleReason(rule: DecidingRule): string | undefined {
  const found = /--comment (?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(rule.text);
  return found?.[1]?.replace(/\\(.)/g, '$1') ?? found?.[2];
}

/** The rule as iptables-save prints it, without the comment that stands beside it anyway. */
export function ruleText(rule: DecidingRule): string {
  if (rule.number === 0) return `${rule.chain} policy ${rule.text.split(' ').at(-1) ?? ''}`.trim();
  const bare = rule.text.replace(/ ?-m comment --comment (?:"(?:[^"\\]|\\.)*"|\S+)/, '').trim();
  return bare.startsWith('-A ') ? bare : `-A ${rule.chain} ${bare}`;
}

export const shortDigest = (digest: string): string =>
  digest.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1');

/** As `git log --abbrev=12`. */
export const shortCommit = (commit: string): string => commit.slice(0, 12);
