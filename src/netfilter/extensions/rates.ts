/** Rates as xt_limit and xt_hashlimit write them: so many packets a unit of time. */

const UNITS: readonly { readonly long: string; readonly short: string; readonly seconds: bigint }[] = [
  { long: 'day', short: 'day', seconds: 86_400n },
  { long: 'hour', short: 'hour', seconds: 3_600n },
  { long: 'minute', short: 'min', seconds: 60n },
  { long: 'second', short: 'sec', seconds: 1n },
];

/** `5/minute`, `5/m`, `5`: a count and the unit's seconds; `undefined` when it is none. */
export function parseRate(text: string): { readonly count: bigint; readonly seconds: bigint } | undefined {
  const found = /^([1-9]\d{0,17})(?:\/([a-z]+))?$/i.exec(text);
  if (found === null) return undefined;
  const name = found[2]?.toLowerCase() ?? 'second';
  const unit = UNITS.find((candidate) => candidate.long.startsWith(name));
  return unit && { count: BigInt(found[1] ?? 0), seconds: unit.seconds };
}

/**
 * The kernel keeps the ticks between two packets, not the rate; save prints the longest unit in which the quotient
 * is a fair one. `seconds` is the printed unit's.
 */
export function printRate(
  period: bigint,
  scale: bigint,
): { readonly text: string; readonly seconds: bigint } {
  let chosen = UNITS[0];
  for (const unit of UNITS.slice(1)) {
    const ticks = unit.seconds * scale;
    if (period > ticks || ticks / period < ticks % period) break;
    chosen = unit;
  }
  const { short, seconds } = chosen ?? { short: 'day', seconds: 86_400n };
  return { text: `${(seconds * scale) / period}/${short}`, seconds };
}
