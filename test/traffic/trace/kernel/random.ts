/** Reproducible chance: the same seed, the same rulesets and packets. */
export interface Chance {
  /** 0 to `below` - 1. */
  readonly below: (below: number) => number;
  readonly one: <T>(of: readonly T[]) => T;
  /** True in `percent` of a hundred cases. */
  readonly in100: (percent: number) => boolean;
}

/** Mulberry32. */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    one: (of) => of[below(of.length)] as (typeof of)[number],
    in100: (percent) => next() * 100 < percent,
  };
}
