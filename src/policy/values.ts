/** The small values of a policy: durations, rates, sizes, dates, text of one line. */
import type { Rate } from './fleet.js';

export const DURATION = /^(0|[1-9]\d{0,5})(s|m|h)$/;
export const RATE = /^([1-9]\d{0,4})\/(second|minute|hour|day)$/;
export const PERCENT = /^([1-9]\d?|100)%$/;
export const DATE = /^\d{4}-\d{2}-\d{2}$/;

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** `30s`, `5m`, `1h` in seconds. The text has the form of `DURATION`. */
export function seconds(text: string): number {
  const [, count = '', unit = ''] = DURATION.exec(text) ?? [];
  return Number(count) * (SECONDS[unit] ?? 1);
}

/** `10/minute`. The text has the form of `RATE`. */
export function rate(text: string): Rate {
  const [, count = '', per = ''] = RATE.exec(text) ?? [];
  return { count: Number(count), per: per as Rate['per'] };
}

const PERIOD: { readonly [unit in Rate['per']]: number } = { second: 1, minute: 60, hour: 3600, day: 86400 };

/**
 * Whether xt_limit can count it: its credit for a full burst must fit 32 bits, which holds for a burst that refills
 * within a day at every HZ (net/netfilter/xt_limit.c, `user2credits`).
 */
export const countable = ({ count, per }: Rate, burst: number): boolean =>
  (burst * PERIOD[per]) / count <= 86400 && count / PERIOD[per] <= 10000;

/** A day that the calendar has. */
export function isDate(text: string): boolean {
  if (!DATE.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** Days from one date to another, both `YYYY-MM-DD`. */
export const daysBetween = (from: string, to: string): number =>
  Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);

/** Text of several lines is one line in a comment. */
export const oneLine = (text: string): string => text.trim().replace(/\s+/g, ' ');

/** `a`, `a and b`, `a, b and c`. */
export const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;

/** As a part of a regular expression: what turns the direction of text. A review would show another order than a file has. */
export const TURNING = String.raw`\u202a-\u202e\u2066-\u2069`;

/** What no line may hold that reaches a host, a file or a comment. */
export const CONTROL = new RegExp(`[\\p{Cc}${TURNING}]+`, 'gu');
