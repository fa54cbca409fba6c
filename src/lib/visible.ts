/** Untrusted text (rules of a host, comments, names), made safe to show. */

/**
 * Control characters, bidirectional overrides and zero-width characters can hide or reorder what a reviewer reads,
 * or drive a terminal (CVE-2021-42574, "Trojan Source").
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const code = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16)}}`;

/** As one line: line breaks and tabs become spaces, invisible characters become `\u{…}`. */
export const visible = (text: string): string => text.replace(/[\t\n\r]+/g, ' ').replace(INVISIBLE, code);

/** The same, but line breaks stay. */
export const visibleLines = (text: string): string =>
  text.replace(/\r\n?/g, '\n').replace(/\t/g, ' ').split('\n').map(visible).join('\n');
