/** Reproducible random numbers: the same seed, the same rulesets and packets. */
export interface Random {
  /** 0 to `below` - 1. */
  readonly below: (below: number) => number;
  readonly pick: <T>(of: readonly T[]) => T;
  /** True with this probability in percent. */
  readonly percent: (percent: number) => boolean;
}

/** Mulberry32. */
export function seededRandom(seed: number): Random {
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
    pick: (of) => of[below(of.length)] as (typeof of)[number],
    percent: (percent) => next() * 100 < percent,
  };
}
