/** Names of the chains and sets that Sallyport owns, and text that is truncated but stays unique. */
import { createHash } from 'node:crypto';
import type { Family } from '../lib/family.js';
import { FAMILY } from '../lib/text.js';
import type { Chain, Rule, Table } from '../netfilter/model.js';

const PREFIX = 'SALLYPORT-';

/** Whether a chain or a set is managed by the policy: everything else is foreign. */
export const isOwned = (name: string): boolean => name.startsWith(PREFIX);

/** The owned chain that a built-in one jumps to. */
export const ownedChain = (builtIn: string): string => `${PREFIX}${builtIn}`;

/** A set that has to be created again is filled under this name, then swapped; it never outlives a deployment. */
export const TEMPORARY_SET = `${PREFIX}TMP`;

/** The first digits of the SHA-256 of a text. */
export const tag = (text: string, digits: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, digits);

/** A chain that one rule jumps to, named by its parent and a hash of its content: at most 28 bytes (XT_EXTENSION_MAXNAMELEN). */
export const subChain = (parent: string, content: string): string =>
  `${parent}-${tag(content, Math.min(8, 27 - parent.length))}`;

/** IPSET_MAXNAMELEN is 32 with the final zero byte. */
const SET_NAME_BYTES = 31;

/**
 * The name of the set of a network in one family: the network's own where it fits, else its beginning and a hash.
 * It does not depend on the members, so that a changed network keeps its name.
 */
export function setName(label: string, family: Family): string {
  const end = family === 'v4' ? '-4' : '-6';
  const most = SET_NAME_BYTES - PREFIX.length - end.length;
  if (/^[A-Za-z0-9._-]+$/.test(label) && label.length <= most) return `${PREFIX}${label}${end}`;
  const hash = tag(label, 8);
  const start = label.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, most - hash.length - 1);
  return `${PREFIX}${start}-${hash}${end}`;
}

/** The text, or as much of it as fits with a hash of the whole after it. Lengths are bytes of UTF-8. */
export function truncate(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const end = `~${tag(text, 8)}`;
  let kept = '';
  let length = end.length;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    kept += character;
  }
  return kept + end;
}

/** A jump from a built-in chain into an owned one. */
export const isEntryJump = (rule: Rule): boolean => rule.target?.chain === true && isOwned(rule.target.name);

/** `INPUT (IPv4)`, `nat PREROUTING (IPv6)`: a chain as messages name it. */
export const chainText = (family: Family, { name: table }: Table, { name }: Chain): string =>
  `${table === 'filter' ? '' : `${table} `}${name} (${FAMILY[family]})`;
