/** `fmt` and the kernel held side by side. */

import { agree, format, inWords, type Judge, judgeAll, type Verdict } from '../kernel.js';
import { exceptionFor } from './exceptions.js';

export interface Comparison {
  readonly same: number;
  /** Both refuse. */
  readonly refused: number;
  /** Listed differences that occurred: name → how often. */
  readonly excepted: ReadonlyMap<string, number>;
  /** What nobody listed, in words. */
  readonly differences: readonly string[];
}

/** Judges each text alone. */
export function compare(judge: Judge, texts: readonly string[]): Comparison {
  const verdicts = judgeAll(judge, texts);
  let same = 0;
  let refused = 0;
  const excepted = new Map<string, number>();
  const differences: string[] = [];
  for (const [index, text] of texts.entries()) {
    const theirs = verdicts[index] as Verdict;
    const ours = format(judge.family, text);
    if (agree(ours, theirs)) {
      if ('saved' in ours) same++;
      else refused++;
      continue;
    }
    const exception = exceptionFor(judge, text);
    if (exception === undefined)
      differences.push(
        `${text.trim().replaceAll('\n', ' | ')}\n  kernel: ${inWords(theirs)}\n  fmt:    ${inWords(ours)}`,
      );
    else excepted.set(exception.name, (excepted.get(exception.name) ?? 0) + 1);
  }
  return { same, refused, excepted, differences };
}

/** Says which listed differences occurred. */
export function report(title: string, judge: Judge, comparison: Comparison): void {
  const { same, refused, excepted } = comparison;
  const named = [...excepted].map(([name, times]) => `${name} (${times})`).join(', ');
  console.info(
    `${title}, ${judge.backend} ${judge.family}: ${same} the same, ${refused} refused by both${named === '' ? '' : `; listed differences: ${named}`}`,
  );
}
