/**
 * The ways in which a packet comes to a chain, numbered. What counts packets may answer differently on each of them; the
 * names of the chains between are no part of it, so that a rule that has moved into another chain is still the same.
 */
import type { Hook } from '../model.js';
import { type CompiledChain, type CompiledRule, type CompiledRuleset, chainKey } from './compiled-ruleset.js';
import { PIPELINES } from './pipeline.js';

/** The calls that lead from a built-in chain to where a packet is; empty in the built-in chain itself. */
export type CallPath = readonly CompiledRule[];

/** A way's number is the sum of those of its calls. There may be more ways than can be listed, or counted by a double. */
type Numbers = ReadonlyMap<CompiledRule, bigint>;

const KNOWN = new WeakMap<CompiledRuleset, Map<Hook, Numbers>>();

/** The number of a way, another one for each way to the same chain. */
export function callPathNumber(program: CompiledRuleset, hook: Hook, way: CallPath): bigint {
  const hooks = KNOWN.get(program) ?? new Map<Hook, Numbers>();
  KNOWN.set(program, hooks);
  const numbers = hooks.get(hook) ?? numberCalls(program, hook);
  hooks.set(hook, numbers);
  return way.reduce((sum, call) => sum + (numbers.get(call) ?? 0n), 0n);
}

/** For each call, how many ways there are to its chain by the calls before it, in the order of the rules. */
function numberCalls(program: CompiledRuleset, hook: Hook): Numbers {
  const callers = callersOf(program, hook);
  const numbers = new Map<CompiledRule, bigint>();
  const totals = new Map<CompiledChain, bigint>();
  const waysTo = (routine: CompiledChain): bigint => {
    const known = totals.get(routine);
    if (known !== undefined) return known;
    // A loop is refused by the kernel; here it must only come to an end.
    totals.set(routine, 0n);
    let sum = 0n;
    for (const { call, from } of callers.get(routine) ?? []) {
      numbers.set(call, sum);
      sum += waysTo(from);
    }
    const total = routine.policy === undefined ? sum : 1n;
    totals.set(routine, total);
    return total;
  };
  for (const routine of callers.keys()) waysTo(routine);
  return numbers;
}

interface Caller {
  readonly call: CompiledRule;
  readonly from: CompiledChain;
}

/** Who calls each chain in which a packet's way matters; each chain is looked through once. */
function callersOf(program: CompiledRuleset, hook: Hook): ReadonlyMap<CompiledChain, readonly Caller[]> {
  const callers = new Map<CompiledChain, Caller[]>();
  const seen = new Set<CompiledChain>();
  const visit = (from: CompiledChain): void => {
    if (seen.has(from)) return;
    seen.add(from);
    for (const call of from.rules) {
      const to =
        call.action.kind === 'call' ? program.chains.get(chainKey(call.table, call.action.chain)) : undefined;
      if (to === undefined || !(to.rewrites || to.nondeterministic)) continue;
      const known = callers.get(to) ?? [];
      callers.set(to, known);
      known.push({ call, from });
      visit(to);
    }
  };
  for (const stage of PIPELINES[hook]) {
    const start = stage.kind === 'table' ? program.chains.get(chainKey(stage.table, stage.chain)) : undefined;
    if (start !== undefined) visit(start);
  }
  return callers;
}
