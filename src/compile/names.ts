/** Names of what Sallyport owns, and how long text is cut so that it stays unique. */
import { createHash } from 'node:crypto';
import type { Rule } from '../netfilter/model.js';

const PREFIX = 'SALLYPORT-';

/** Whether a chain or a set is ours: everything else is foreign. */
export const isOwned = (name: string): boolean => name.startsWith(PREFIX);

/** The owned chain behind the hook of a built-in one. */
export const ownedChain = (builtIn: string): string => `${PREFIX}${builtIn}`;

/** The set that one which must be made anew is filled in before the two are swapped; it never outlives a deployment. */
export const TEMPORARY_SET = `${PREFIX}TMP`;

/** The first digits of the SHA-256 of a text. */
export const tag = (text: string, digits: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, digits);

/** A chain that only one rule jumps to: of its parent's name and its content, at most 28 bytes (XT_EXTENSION_MAXNAMELEN). */
export const subChain = (parent: string, content: string): string =>
  `${parent}-${tag(content, Math.min(8, 27 - parent.length))}`;

/** IPSET_MAXNAMELEN is 32 with the final zero byte. */
const SET_NAME_BYTES = 31;

/**
 * The name of the set of a network in one family: the network's own where it fits, else its beginning and a hash.
 * It does not depend on the members, so that a changed network keeps its name.
 */
export function setName(label: string, family: 'v4' | 'v6'): string {
  const end = family === 'v4' ? '-4' : '-6';
  const room = SET_NAME_BYTES - PREFIX.length - end.length;
  if (/^[A-Za-z0-9._-]+$/.test(label) && label.length <= room) return `${PREFIX}${label}${end}`;
  const hash = tag(label, 8);
  const start = label.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, room - hash.length - 1);
  return `${PREFIX}${start}-${hash}${end}`;
}

/** The text, or as much of it as fits with a hash of the whole behind it. Lengths are bytes of UTF-8. */
export function cut(text: string, bytes: number): string {
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
