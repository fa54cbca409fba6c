/**
 * IPv4 and IPv6 addresses as the words the kernel compares, written the way iptables-save writes them
 * (`inet_ntop` of glibc). An address is 4 bytes or 8 groups of 16 bits; a mask has the same shape.
 */
import type { Family } from './family.js';

/** 4 octets for v4, 8 groups for v6, most significant first. */
export type Words = readonly number[];

const WIDTH: { readonly [family in Family]: number } = { v4: 8, v6: 16 };
const COUNT: { readonly [family in Family]: number } = { v4: 4, v6: 8 };
export const ADDRESS_BITS: { readonly [family in Family]: number } = { v4: 32, v6: 128 };

/** `undefined` when the text is no address of that family. Leading zeros are refused: iptables reads them as octal. */
export function parseAddress(text: string, family: Family): Words | undefined {
  return family === 'v4' ? parseV4(text) : parseV6(text);
}

export const formatAddress = (words: Words, family: Family): string =>
  family === 'v4' ? words.join('.') : formatV6(words);

/** Every mask that a length can mean, made once: files name few of them, thousands of times. */
const MASKS: { readonly [family in Family]: readonly Words[] } = { v4: masksOf('v4'), v6: masksOf('v6') };

function masksOf(family: Family): readonly Words[] {
  const width = WIDTH[family];
  const full = 2 ** width - 1;
  return Array.from({ length: ADDRESS_BITS[family] + 1 }, (_, length) =>
    Array.from({ length: COUNT[family] }, (_, index) => {
      const bits = Math.min(Math.max(length - index * width, 0), width);
      return full - (2 ** (width - bits) - 1);
    }),
  );
}

/** @param length from 0 to the bits of the family's addresses. */
export const prefixMask = (length: number, family: Family): Words => MASKS[family][length] ?? [];

/** The prefix length, or `undefined` for a mask with holes. */
export function prefixLength(mask: Words, family: Family): number | undefined {
  const width = WIDTH[family];
  const full = 2 ** width - 1;
  let length = 0;
  let ended = false;
  for (const word of mask) {
    if (ended && word !== 0) return undefined;
    if (word === full) {
      length += width;
      continue;
    }
    ended = true;
    const zeros = full - word;
    if ((zeros & (zeros + 1)) !== 0) return undefined;
    length += width - (zeros === 0 ? 0 : 32 - Math.clz32(zeros));
  }
  return length;
}

export const applyMask = (address: Words, mask: Words): Words =>
  address.map((word, index) => word & (mask[index] ?? 0));

/** A mask is written as a prefix length or, as an address, with holes if need be. */
export function parseMask(text: string, family: Family): Words | undefined {
  if (isDecimal(text)) {
    const length = Number(text);
    return length <= ADDRESS_BITS[family] ? prefixMask(length, family) : undefined;
  }
  return parseAddress(text, family);
}

/** `/24`, or `/255.0.255.0` for a mask with holes. */
export function formatMask(mask: Words, family: Family): string {
  const length = prefixLength(mask, family);
  return length === undefined ? formatAddress(mask, family) : String(length);
}

function parseV4(text: string): Words | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const words: number[] = [];
  for (const part of parts) {
    if (!isDecimal(part) || part.length > 3) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    words.push(octet);
  }
  return words;
}

function isDecimal(text: string): boolean {
  if (text.length === 0 || (text.length > 1 && text.charCodeAt(0) === 48)) return false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

function parseV6(text: string): Words | undefined {
  const gap = text.indexOf('::');
  if (gap !== -1 && text.indexOf('::', gap + 1) !== -1) return undefined;
  const head = groups(gap === -1 ? text : text.slice(0, gap), gap === -1);
  const tail = gap === -1 ? [] : groups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (gap === -1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** Colon-separated groups; the last may be a dotted IPv4 address when it ends the text. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const words: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const v4 = last && index === parts.length - 1 ? parseV4(part) : undefined;
      if (v4 === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = v4;
      words.push(a * 256 + b, c * 256 + d);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      words.push(Number.parseInt(part, 16));
    }
  }
  return words;
}

/** RFC 5952 with glibc's two exceptions: `::a.b.c.d` and `::ffff:a.b.c.d` keep their dots. */
function formatV6(words: Words): string {
  const run = longestZeroRun(words);
  const embedded =
    run.start === 0 && (run.length === 6 || (run.length === 5 && words[5] === 0xffff)) ? words.slice(6) : [];
  const hex = (part: Words): string => part.map((word) => word.toString(16)).join(':');
  if (embedded.length === 2) {
    const dotted = embedded.map((word) => `${word >> 8}.${word & 255}`).join('.');
    return `${run.length === 6 ? '::' : '::ffff:'}${dotted}`;
  }
  if (run.length < 2) return hex(words);
  return `${hex(words.slice(0, run.start))}::${hex(words.slice(run.start + run.length))}`;
}

function longestZeroRun(words: Words): { readonly start: number; readonly length: number } {
  let best = { start: -1, length: 0 };
  let start = -1;
  for (let index = 0; index <= words.length; index++) {
    if (index < words.length && words[index] === 0) {
      if (start === -1) start = index;
    } else if (start !== -1) {
      if (index - start > best.length) best = { start, length: index - start };
      start = -1;
    }
  }
  return best;
}
