/** Numbers that look random and are the same in every run (mulberry32). */
export interface Dice {
  /** 0 to `below` - 1. */
  number(below: number): number;
  pick<T>(from: readonly T[]): T;
}

export function dice(seed: number): Dice {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const number = (below: number): number => Math.floor(next() * below);
  return {
    number,
    pick: <T>(from: readonly T[]): T => from[number(from.length)] as T,
  };
}
