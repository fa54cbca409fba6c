/** The ways in which a proof ends without an answer. */
import { OverBudget } from './bdd.js';

/** A chain leads back to itself: the kernel refuses such rules, and no verdict follows from them. */
export class ChainLoopError extends Error {
  override readonly name = 'LoopingChain';
}

/** Runs a proof; `undefined` when it gave up, which `giveUp` is told in a sentence. */
export function tryProof<T>(proof: () => T, giveUp: (why: string) => void): T | undefined {
  try {
    return proof();
  } catch (caught) {
    if (caught instanceof OverBudget || caught instanceof ChainLoopError) giveUp(caught.message);
    // A diagram is as deep as there are unmodelled matches, and so are the calls that walk it.
    else if (caught instanceof RangeError && /call stack/.test(caught.message))
      giveUp('There are too many unmodelled matches.');
    else throw caught;
    return undefined;
  }
}
