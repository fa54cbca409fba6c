/** Packets, rules and nat as text. */
import type { Family } from '../../lib/family.js';
import { formatAddress } from '../../lib/ip.js';
import type { DecidingRule, Hook, Packet } from '../model.js';
import { isNative } from '../program/compiled-ruleset.js';
import { numbersText } from '../program/fields.js';
import type { Action } from '../program/targets.js';

/** `now to 10.0.0.5 port 80`. */
export function describeDestination(
  { to: { addresses, ports } }: Extract<Action, { kind: 'dnat' }>,
  family: Family,
): string {
  const where =
    addresses === undefined
      ? []
      : addresses === 'own'
        ? ['this host']
        : addresses.map(([from, to]) =>
            from === to
              ? formatAddress(from, family)
              : `${formatAddress(from, family)}-${formatAddress(to, family)}`,
          );
  const port = ports === undefined ? [] : [`port ${numbersText(ports).join(', ')}`];
  return `now to ${[...where, ...port].join(' ')}`;
}

/** What it depends on whether a redirected packet still passes the hook. */
export const elsewhereText = (hook: Hook): string =>
  `whether its new destination ${hook === 'INPUT' ? 'belongs' : 'does not belong'} to this host`;

/** `tcp 198.51.100.7:40000 to 203.0.113.10:443 on eth0`. */
export function packetText({ src, dst, sport, dport, protocol, type, in: arriving, out }: Packet): string {
  const bracketed = (address: string, port: number | undefined): string =>
    port === undefined ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const kind = type === undefined ? protocol : `${protocol} type ${type}`;
  const device = [arriving ?? [], out ?? []].flat().map((name) => ` on ${name}`);
  return `${kind} ${bracketed(src, sport)} to ${bracketed(dst, dport)}${device.join('')}`;
}

/**
 * `, by "database: Migration" at policies/roles/database.yml:7`, `, by "-A INPUT -j DROP" (filter)`; nothing where no
 * rule decided. The comment says what the rule is for, its location where it is written.
 */
export function byRule(rule: DecidingRule | null): string {
  if (rule === null) return '';
  const location = rule.source === undefined ? '' : ` at ${rule.source.file}:${rule.source.line}`;
  if (rule.reason !== undefined && rule.source !== undefined) return `, by "${rule.reason}"${location}`;
  if (isNative(rule.table)) return `, by ${nativeRuleText(rule)}`;
  return rule.number === 0
    ? `, by the policy of ${rule.chain} (${rule.table})`
    : `, by "-A ${rule.chain} ${rule.text}" (${rule.table})${location}`;
}

/** `rule 3 of chain input in the nft table "inet filter" ("tcp dport 22 drop")`. */
export const nativeRuleText = ({ table, chain, number, text }: DecidingRule): string => {
  if (table === 'nft') return text;
  const where = `chain ${chain} in the nft table "${table}"`;
  return number === 0 ? `the ${text} of ${where}` : `rule ${number} of ${where} ("${text}")`;
};

/**
 * `the rule "web: The public site" at policies/roles/web.yml:7`, `rule 4 of INPUT (-p tcp -j ACCEPT)`, `the policy of
 * INPUT`.
 */
export function ruleName(rule: DecidingRule): string {
  const { table, chain, number, text, reason, source } = rule;
  if (isNative(table)) return nativeRuleText(rule);
  if (number === 0) return `the policy of ${chain}`;
  const location = source === undefined ? '' : ` at ${source.file}:${source.line}`;
  return reason !== undefined && source !== undefined
    ? `the rule "${reason}"${location}`
    : `rule ${number} of ${chain}${location} (${text})`;
}
