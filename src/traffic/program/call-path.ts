/**
 * The call paths on which a packet comes to a chain, numbered. A stateful match such as `limit` may differ on each of
 * them. The names of the chains between do not count, so that a rule that moves into another chain stays the same rule.
 */
import type { Hook } from '../model.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  calledChain,
  chainOf,
} from './compiled-ruleset.js';
import { tableStages } from './pipeline.js';

/** The calls that lead from a built-in chain to where a packet is; empty in the built-in chain itself. */
export type CallPath = readonly CompiledRule[];

/** The number of a path is the sum of those of its calls: there may be more paths than can be listed, or than 2^53. */
type CallNumbers = ReadonlyMap<CompiledRule, bigint>;

const CACHE = new WeakMap<CompiledRuleset, Map<Hook, CallNumbers>>();

/** The number of a call path, different for each path to the same chain. */
export function callPathNumber(ruleset: CompiledRuleset, hook: Hook, path: CallPath): bigint {
  const hooks = CACHE.get(ruleset) ?? new Map<Hook, CallNumbers>();
  CACHE.set(ruleset, hooks);
  const numbers = hooks.get(hook) ?? numberCalls(ruleset, hook);
  hooks.set(hook, numbers);
  return path.reduce((sum, call) => sum + (numbers.get(call) ?? 0n), 0n);
}

/** For each call, how many paths lead to its chain by the calls before it, in the order of the rules. */
function numberCalls(ruleset: CompiledRuleset, hook: Hook): CallNumbers {
  const callers = callersOf(ruleset, hook);
  const numbers = new Map<CompiledRule, bigint>();
  const totals = new Map<CompiledChain, bigint>();
  const pathsTo = (chain: CompiledChain): bigint => {
    const known = totals.get(chain);
    if (known !== undefined) return known;
    // The kernel refuses loops; here they must only terminate.
    totals.set(chain, 0n);
    let sum = 0n;
    for (const { call, from } of callers.get(chain) ?? []) {
      numbers.set(call, sum);
      sum += pathsTo(from);
    }
    const total = chain.policy === undefined ? sum : 1n;
    totals.set(chain, total);
    return total;
  };
  for (const chain of callers.keys()) pathsTo(chain);
  return numbers;
}

interface Caller {
  readonly call: CompiledRule;
  readonly from: CompiledChain;
}

/** The callers of each chain in which the call path matters; each chain is visited once. */
function callersOf(ruleset: CompiledRuleset, hook: Hook): ReadonlyMap<CompiledChain, readonly Caller[]> {
  const callers = new Map<CompiledChain, Caller[]>();
  const seen = new Set<CompiledChain>();
  const visit = (from: CompiledChain): void => {
    if (seen.has(from)) return;
    seen.add(from);
    for (const call of from.rules) {
      const to = calledChain(ruleset, call);
      if (to === undefined || !(to.rewrites || to.nondeterministic)) continue;
      const known = callers.get(to) ?? [];
      callers.set(to, known);
      known.push({ call, from });
      visit(to);
    }
  };
  for (const { table, chain } of tableStages(ruleset, hook)) {
    const start = chainOf(ruleset, table, chain);
    if (start !== undefined) visit(start);
  }
  return callers;
}
