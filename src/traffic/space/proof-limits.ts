/** The limits at which a proof ends without a result. */
import { OverBudget } from './bdd.js';

/** A chain calls itself: the kernel refuses such rules, and they have no verdict. */
export class ChainLoopError extends Error {
  override readonly name = 'ChainLoopError';
}

/** Runs a proof. Where a limit ends it, calls `onLimit` with the reason as a sentence and returns `undefined`. */
export function tryProof<T>(proof: () => T, onLimit: (reason: string) => void): T | undefined {
  try {
    return proof();
  } catch (caught) {
    if (caught instanceof OverBudget || caught instanceof ChainLoopError) onLimit(caught.message);
    // A diagram is as deep as there are unmodelled matches, and so is the recursion over it.
    else if (caught instanceof RangeError && /call stack/.test(caught.message))
      onLimit('Too many unmodelled matches.');
    else throw caught;
    return undefined;
  }
}
