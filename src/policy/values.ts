/** Scalar values of a policy: durations, rates, percentages, dates, one-line text. */
import type { Rate } from './fleet.js';

export const DURATION = /^(0|[1-9]\d{0,5})(s|m|h)$/;
export const RATE = /^([1-9]\d{0,4})\/(second|minute|hour|day)$/;
export const PERCENT = /^([1-9]\d?|100)%$/;
export const DATE = /^\d{4}-\d{2}-\d{2}$/;

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** `30s`, `5m`, `1h` in seconds. The text must match `DURATION`. */
export function seconds(text: string): number {
  const [, count = '', unit = ''] = DURATION.exec(text) ?? [];
  return Number(count) * (SECONDS[unit] ?? 1);
}

/** Parses `10/minute`. The text must match `RATE`. */
export function rate(text: string): Rate {
  const [, count = '', per = ''] = RATE.exec(text) ?? [];
  return { count: Number(count), per: per as Rate['per'] };
}

const PERIOD: { readonly [unit in Rate['per']]: number } = { second: 1, minute: 60, hour: 3600, day: 86400 };

/**
 * Whether xt_limit supports the rate: the credit for a full burst must fit 32 bits, which holds for a burst that
 * refills within a day at every HZ (net/netfilter/xt_limit.c, `user2credits`).
 */
export const countable = ({ count, per }: Rate, burst: number): boolean =>
  (burst * PERIOD[per]) / count <= 86400 && count / PERIOD[per] <= 10000;

/** Whether a `YYYY-MM-DD` text is a day of the calendar. */
export function isDate(text: string): boolean {
  if (!DATE.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** Days from one date to another, both `YYYY-MM-DD`. */
export const daysBetween = (from: string, to: string): number =>
  Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);

/** Joins lines by spaces, for comments. */
export const oneLine = (text: string): string => text.trim().replace(/\s+/g, ' ');

/** Part of a regular expression: characters that change the direction of text, so that a review shows another order. */
export const BIDI_CONTROLS = String.raw`\u202a-\u202e\u2066-\u2069`;

/** Characters that are not allowed in text for hosts, files and comments. */
export const CONTROL = new RegExp(`[\\p{Cc}${BIDI_CONTROLS}]+`, 'gu');
