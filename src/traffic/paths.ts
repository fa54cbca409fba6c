/**
 * The ways in which a packet comes to a chain, numbered. What counts packets may answer differently on each of them; the
 * names of the chains between are no part of it, so that a rule that has moved into another chain is still the same.
 */
import type { TableName } from '../netfilter/model.js';
import type { Hook } from './model.js';
import { PIPELINES } from './pipeline.js';
import { type Program, routineKey, type Step } from './program.js';

type Numbers = ReadonlyMap<string, number>;

const KNOWN = new WeakMap<Program, Map<Hook, Numbers>>();

/** One call on the way: which of the calls of the same chain it is. */
export const callOf = ({ chain: from }: Step, chain: string, ordinal: number): string =>
  `${from}:${chain}#${ordinal}`;

export const wayKey = (table: TableName, path: readonly string[]): string => `${table} ${path.join(' ')}`;

/** Way → its number among those to the same chain, in the order of the rules. */
export function numberedWays(program: Program, hook: Hook): Numbers {
  const hooks = KNOWN.get(program) ?? new Map<Hook, Numbers>();
  KNOWN.set(program, hooks);
  const known = hooks.get(hook) ?? numberWays(program, hook);
  hooks.set(hook, known);
  return known;
}

function numberWays(program: Program, hook: Hook): Numbers {
  const numbers = new Map<string, number>();
  const counts = new Map<string, number>();
  const visit = (table: TableName, chain: string, path: readonly string[], open: readonly string[]): void => {
    const key = routineKey(table, chain);
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    numbers.set(wayKey(table, path), count);
    const calls = new Map<string, number>();
    for (const step of program.routines.get(key)?.steps ?? []) {
      if (step.action.kind !== 'call') continue;
      const { chain: to } = step.action;
      const ordinal = calls.get(to) ?? 0;
      calls.set(to, ordinal + 1);
      const routine = program.routines.get(routineKey(table, to));
      if (open.includes(to) || !(routine?.rewrites || routine?.fickle)) continue;
      visit(table, to, [...path, callOf(step, to, ordinal)], [...open, to]);
    }
  };
  for (const stage of PIPELINES[hook])
    if (stage.kind === 'table') visit(stage.table, stage.chain, [], [stage.chain]);
  return numbers;
}
