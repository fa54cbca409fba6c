/** Fits a report into a size by leaving out its least important whole items, and says how many were left out. */

/** GitHub counts both: characters of a comment as UTF-16 units, a job summary in bytes. */
export interface Budget {
  readonly units: number;
  readonly bytes: number;
}

/** GitHub refuses a comment over 65,536 characters; issue bodies over it are dropped silently. */
export const COMMENT_BUDGET: Budget = { units: 60_000, bytes: 65_000 };

/** GitHub drops a whole job summary over 1 MiB. */
export const SUMMARY_BUDGET: Budget = { units: 900_000, bytes: 1_000_000 };

export interface Section {
  /** Always shown; must not contain text of unlimited length. */
  readonly head: string;
  /** Whole blocks: a table row, a list item, a diff. The first are the last to be left out; one that is larger than all
   * the room does not displace the others. */
  readonly items: readonly string[];
  readonly tail: string;
  /** The smaller, the longer it stays. */
  readonly rank: number;
  /** The text in place of `left` items that did not fit. */
  readonly left: (left: number) => string;
}

/** However important, a section leaves room for the others. */
const LARGEST_SHARE = 0.4;

/**
 * The sections in the order given; items are granted room by rank, at first to no section more than its share, then
 * what is left over. The sizes of heads, tails and of every "left out" sentence are set aside before, so that the
 * result is never over the budget as long as those fit.
 */
export function assemble(sections: readonly Section[], budget: Budget): string {
  const blocks = sections.map((section) => ({ section, shown: new Set<number>(), used: 0 }));
  const fixed = sections.map(
    ({ head, tail, items, left }) => head + tail + (items.length > 0 ? left(items.length) : ''),
  );
  let room = fixed.reduce((rest, text) => rest - size(text, budget), 1);
  const byRank = blocks.toSorted((a, b) => a.section.rank - b.section.rank);
  for (const share of [LARGEST_SHARE, 1])
    for (const block of byRank)
      for (const [index, item] of block.section.items.entries()) {
        const wanted = size(item, budget);
        if (block.shown.has(index) || wanted > room || block.used + wanted > share) continue;
        block.shown.add(index);
        block.used += wanted;
        room -= wanted;
      }
  return blocks.map(({ section, shown }) => print(section, shown)).join('');
}

/** The part of the budget that a text takes, by whichever of the two measures is the tighter one. */
const size = (text: string, { units, bytes }: Budget): number =>
  Math.max(text.length / units, Buffer.byteLength(text) / bytes);

function print({ head, items, tail, left }: Section, shown: ReadonlySet<number>): string {
  const rest = items.length - shown.size;
  return [head, ...items.filter((_, index) => shown.has(index)), rest === 0 ? '' : left(rest), tail].join('');
}
