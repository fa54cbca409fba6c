/** Numbers, lists and names as people read them. */

/** `1,000`. */
export const grouped = (number: number | bigint): string => number.toLocaleString('en-US');

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

export const FAMILY = { v4: 'IPv4', v6: 'IPv6' } as const;

/** `sha256:` and the first 12 digits. */
export const shortDigest = (digest: string): string =>
  digest.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1');

/** As `git log --abbrev=12`. */
export const shortCommit = (commit: string): string => commit.slice(0, 12);

/** Quotes any text as one word for a POSIX shell. */
export const shellQuote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
