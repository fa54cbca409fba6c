/** Rules that decide nothing: every packet that they match was decided before. */
import { FAMILIES, type Family, type Ruleset } from '../netfilter/model.js';
import { type Problem, warning } from '../problem.js';
import { LEAF, OverBudget } from './bdd.js';
import { DEFAULT_BUDGET } from './compare.js';
import { withRules } from './decisions.js';
import { evaluate, LoopingChain, OWN_QUESTIONS, TRACKED } from './evaluate.js';
import type { TrafficOptions } from './model.js';
import { HOOKS } from './pipeline.js';
import { compileProgram, type Step } from './program.js';
import { createSpace } from './space.js';

/** Rules of the filter table that can never decide, by the union of all that come before them; with their places. */
export function findAnomalies(ruleset: Ruleset, options: TrafficOptions = {}): readonly Problem[] {
  const problems = FAMILIES.flatMap((family) => {
    try {
      return deadRules(ruleset, family, options).map((step) => dead(step, family));
    } catch (thrown) {
      // What is too large to prove is not claimed; a loop is reported where the rules are checked.
      if (thrown instanceof OverBudget || thrown instanceof LoopingChain) return [];
      throw thrown;
    }
  });
  return problems;
}

const dead = ({ chain, number, rule }: Step, family: Family): Problem =>
  warning(
    'dead-rule',
    `Rule ${number} of ${chain} (${family === 'v4' ? 'IPv4' : 'IPv6'}) never decides: rules before it decide all of its packets. It is ${rule.text}`,
    rule.place,
    'Move it up, or take it out.',
  );

function deadRules(ruleset: Ruleset, family: Family, options: TrafficOptions): readonly Step[] {
  const program = compileProgram(ruleset, family, options.addresses ?? []);
  const space = createSpace(family, [program], OWN_QUESTIONS, options.budget ?? DEFAULT_BUDGET);
  const { store } = space;
  const decisions = withRules(store);
  const arriving = space.encode(TRACKED, space.nameOf);
  const deciding = new Set<string>();
  const seen = new Set<number>();
  const visit = (at: number): void => {
    if (seen.has(at)) return;
    seen.add(at);
    if (store.level(at) === LEAF) {
      const { by } = decisions.decisionOf(at);
      if (by !== null) deciding.add(`${by.chain} ${by.number}`);
      return;
    }
    visit(store.low(at));
    visit(store.high(at));
  };
  for (const hook of HOOKS)
    visit(store.choose(arriving, evaluate({ space, program, hook, decisions }), store.leaf(2)));
  const used = usedChains(program.routines);
  return [...program.routines.values()]
    .filter(({ table, name }) => table === 'filter' && used.has(name))
    .flatMap(({ steps }) => steps)
    .filter(({ action }) => action.kind === 'accept' || action.kind === 'drop' || action.kind === 'reject')
    .filter(({ chain, number }) => !deciding.has(`${chain} ${number}`));
}

/** Built-in chains, and those that they lead to. */
function usedChains(routines: ReturnType<typeof compileProgram>['routines']): ReadonlySet<string> {
  const used = new Set<string>();
  const visit = (name: string): void => {
    if (used.has(name)) return;
    used.add(name);
    for (const { action } of routines.get(`filter ${name}`)?.steps ?? [])
      if (action.kind === 'call') visit(action.chain);
  };
  for (const { table, name, policy } of routines.values())
    if (table === 'filter' && policy !== undefined) visit(name);
  return used;
}
