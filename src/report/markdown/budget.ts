/** Fits a report into a size by leaving out its least important whole items, and says how many were left out. */

/** GitHub counts both: characters of a comment as UTF-16 units, a job summary in bytes. */
export interface Budget {
  readonly units: number;
  readonly bytes: number;
}

/** GitHub refuses a comment over 65,536 characters; issue bodies over it are dropped without a word. */
export const COMMENT_BUDGET: Budget = { units: 60_000, bytes: 65_000 };

/** GitHub drops a whole job summary over 1 MiB. */
export const SUMMARY_BUDGET: Budget = { units: 900_000, bytes: 1_000_000 };

export interface Section {
  /** Stays in any case; never holds text whose length others decide. */
  readonly head: string;
  /** Whole blocks: a table row, a list item, a folded diff. Those that come first are the last to go. */
  readonly items: readonly string[];
  readonly tail: string;
  /** The smaller, the longer it stays. */
  readonly rank: number;
  /** What stands in the place of `left` items that did not fit. */
  readonly left: (left: number) => string;
}

/**
 * The sections in the order given; items are granted room by rank. The sizes of heads, tails and of every "left out"
 * sentence are set aside first, so that the result is never over the budget as long as those fit.
 */
export function assemble(sections: readonly Section[], budget: Budget): string {
  let units = budget.units;
  let bytes = budget.bytes;
  const take = (text: string): void => {
    units -= text.length;
    bytes -= Buffer.byteLength(text);
  };
  for (const section of sections) {
    take(section.head + section.tail);
    if (section.items.length > 0) take(section.left(section.items.length));
  }
  const shown = new Map<Section, number>();
  for (const section of sections.toSorted((a, b) => a.rank - b.rank)) {
    let fitting = 0;
    for (const item of section.items) {
      if (item.length > units || Buffer.byteLength(item) > bytes) break;
      take(item);
      fitting += 1;
    }
    shown.set(section, fitting);
  }
  return sections.map((section) => print(section, shown.get(section) ?? 0)).join('');
}

function print(section: Section, shown: number): string {
  const left = section.items.length - shown;
  return [
    section.head,
    ...section.items.slice(0, shown),
    left === 0 ? '' : section.left(left),
    section.tail,
  ].join('');
}
