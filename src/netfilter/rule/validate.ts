/** What `iptables-restore --test` lets through and the kernel refuses. */

import type { Family } from '../../lib/family.js';
import { nearest } from '../../lib/nearest.js';
import { byLocation, error, type Problem, type SourceLocation, startOf } from '../../lib/problem.js';
import { findExtension } from '../extensions/index.js';
import type { ExtensionRow } from '../extensions/row.js';
import {
  BUILT_IN_CHAINS,
  type Chain,
  type Extension,
  type IpSet,
  type Negatable,
  type Option,
  type Rule,
  type Table,
  type Tables,
} from '../model.js';
import { setsNamedBy } from '../tables.js';

/**
 * Checks what needs the whole ruleset: jumps to chains that are missing or lead back, targets and matches where the
 * kernel does not take them, sets that do not exist.
 * A target that the table of extensions does not know and that has no options cannot be told from a chain: where it is
 * no chain of its table, it is reported as a missing one.
 * @param sets the sets that will exist when the rules are loaded; `undefined` when that is not known.
 */
export function validate(
  tables: Tables,
  family: Family,
  sets: readonly IpSet[] | undefined,
  file: string,
): readonly Problem[] {
  const names = sets && new Set(sets.map((set) => set.name));
  const problems = tables.flatMap((table) => [
    ...missingChains(table, file),
    ...loops(table, file),
    ...misplaced(table, family, file),
    ...(names === undefined ? [] : missingSets(table, names, file)),
  ]);
  return problems.toSorted(byLocation);
}

const locationOf = (rule: Rule, file: string): SourceLocation => rule.location ?? startOf('host', file);

function* rulesOf(table: Table): Generator<readonly [Chain, Rule]> {
  for (const chain of table.chains) for (const rule of chain.rules) yield [chain, rule];
}

function missingChains(table: Table, file: string): readonly Problem[] {
  const names = new Set(table.chains.map((chain) => chain.name));
  const problems: Problem[] = [];
  for (const [, rule] of rulesOf(table)) {
    const { target } = rule;
    if (target === undefined) continue;
    if (!target.chain && !target.known && names.has(target.name))
      problems.push(
        error(
          'chain-with-options',
          `${target.name} is a chain, and a jump to it takes no ${target.options[0]?.flag ?? 'options'}.`,
          {
            location: locationOf(rule, file),
            hint: 'Put the condition before the jump, after the -p or -m that knows it.',
          },
        ),
      );
    if (!target.chain) continue;
    if (BUILT_IN_CHAINS[table.name].includes(target.name))
      problems.push(
        error('jump-to-built-in', `The rule jumps to the built-in chain ${target.name}.`, {
          location: locationOf(rule, file),
          hint: 'Jump to a chain of your own.',
        }),
      );
    else if (!names.has(target.name)) {
      const near = nearest(target.name, [...names]);
      problems.push(
        error('missing-chain', `The table ${table.name} has no chain ${target.name} to jump to.`, {
          location: locationOf(rule, file),
          hint:
            near === undefined
              ? `Add the chain with a line :${target.name} - [0:0].`
              : `Did you mean ${near}?`,
        }),
      );
    }
  }
  return problems;
}

/** Chains that a chain jumps to. */
function jumpsOf(table: Table): ReadonlyMap<string, readonly Rule[]> {
  return new Map(table.chains.map((chain) => [chain.name, chain.rules.filter((rule) => rule.target?.chain)]));
}

/** Depth first, without recursion: a ruleset may be thousands of chains deep. */
function loops(table: Table, file: string): readonly Problem[] {
  const jumps = jumpsOf(table);
  const state = new Map<string, 'open' | 'done'>();
  const problems: Problem[] = [];
  // The kernel looks for loops from the hooks on; what no hook reaches is not checked.
  for (const start of BUILT_IN_CHAINS[table.name]) {
    if (!jumps.has(start) || state.has(start)) continue;
    const path: { name: string; next: number }[] = [{ name: start, next: 0 }];
    state.set(start, 'open');
    while (path.length > 0) {
      const top = path[path.length - 1] as { name: string; next: number };
      const rule = jumps.get(top.name)?.[top.next];
      if (rule === undefined) {
        state.set(top.name, 'done');
        path.pop();
        continue;
      }
      top.next++;
      const name = rule.target?.name ?? '';
      if (state.get(name) === 'open') {
        const cycle = [
          ...path.slice(path.findIndex((each) => each.name === name)).map((each) => each.name),
          name,
        ];
        problems.push(
          error('jump-loop', `The chains jump in a loop: ${cycle.join(' → ')}.`, {
            location: locationOf(rule, file),
            hint: 'Remove one of these jumps.',
          }),
        );
      } else if (!state.has(name) && jumps.has(name)) {
        state.set(name, 'open');
        path.push({ name, next: 0 });
      }
    }
  }
  return problems;
}

/** The built-in chains from which each chain can be reached. */
function hooksOf(table: Table): ReadonlyMap<string, ReadonlySet<string>> {
  const reached = new Map<string, Set<string>>(table.chains.map((chain) => [chain.name, new Set()]));
  const jumps = jumpsOf(table);
  for (const hook of BUILT_IN_CHAINS[table.name]) {
    const queue = [hook];
    while (queue.length > 0) {
      const name = queue.pop() as string;
      const hooks = reached.get(name);
      if (hooks === undefined || hooks.has(hook)) continue;
      hooks.add(hook);
      for (const rule of jumps.get(name) ?? []) queue.push(rule.target?.name ?? '');
    }
  }
  return reached;
}

/** Chains that packets pass without an interface on that side. */
const NO_IN = ['OUTPUT', 'POSTROUTING'];
const NO_OUT = ['PREROUTING', 'INPUT'];

function misplaced(table: Table, family: Family, file: string): readonly Problem[] {
  const hooks = hooksOf(table);
  const problems: Problem[] = [];
  const check = (row: ExtensionRow | undefined, { options }: Extension, chain: Chain, rule: Rule): void => {
    if (row === undefined || !isRestricted(row)) return;
    const use = { row, options };
    const flaw = misuse(use, table, hooks.get(chain.name) ?? new Set(), chain.name) ?? unsuited(use, rule);
    if (flaw !== undefined)
      problems.push(error(flaw.id, flaw.message, { location: locationOf(rule, file), hint: flaw.hint }));
  };
  for (const [chain, rule] of rulesOf(table)) {
    const location = locationOf(rule, file);
    if (rule.inInterface && NO_IN.includes(chain.name))
      problems.push(
        error('interface-in-hook', `-i is not valid in ${chain.name}.`, {
          location,
          hint: 'Packets leave here: match them with -o.',
        }),
      );
    if (rule.outInterface && NO_OUT.includes(chain.name))
      problems.push(
        error('interface-in-hook', `-o is not valid in ${chain.name}.`, {
          location,
          hint: 'Packets arrive here: match them with -i.',
        }),
      );
    if (neverMatches(rule))
      problems.push(
        error('never-matches', 'No packet can match this rule.', {
          location,
          hint: 'Remove it, or the "!" in it.',
        }),
      );
    const { target } = rule;
    for (const match of rule.matches) check(findExtension('match', family, match.name), match, chain, rule);
    if (target && !target.chain) check(findExtension('target', family, target.name), target, chain, rule);
  }
  return problems;
}

/** Not from anywhere, not to anywhere, not by any interface: iptables-nft refuses these, iptables-legacy does not. */
const neverMatches = ({ source, destination, inInterface, outInterface }: Rule): boolean =>
  isNot(source, '/0') ||
  isNot(destination, '/0') ||
  isNot(inInterface, '+', true) ||
  isNot(outInterface, '+', true);

const isNot = (part: Negatable | undefined, end: string, whole = false): boolean =>
  part?.negated === true && (whole ? part.value === end : part.value.endsWith(end));

interface Use {
  readonly row: ExtensionRow;
  readonly options: readonly Option[];
}

/** Whether the kernel accepts it in some tables, hooks or rules only. */
const isRestricted = ({ tables, hooks, suits }: ExtensionRow): boolean =>
  tables !== undefined || hooks !== undefined || suits !== undefined;

interface Flaw {
  readonly id: string;
  readonly message: string;
  readonly hint?: string;
}

function misuse(use: Use, table: Table, hooks: ReadonlySet<string>, chain: string): Flaw | undefined {
  const { row, options } = use;
  const tables = typeof row.tables === 'function' ? row.tables(options) : row.tables;
  if (tables !== undefined && !tables.includes(table.name))
    return {
      id: 'wrong-table',
      message: `${row.name} is not valid in the table ${table.name}.`,
      hint: `It is valid in ${tables.join(' and ')}.`,
    };
  const allowed = typeof row.hooks === 'function' ? row.hooks(options) : row.hooks;
  const bad = allowed === undefined ? undefined : [...hooks].find((hook) => !allowed.includes(hook));
  if (allowed === undefined || bad === undefined) return undefined;
  const from = bad === chain ? bad : `${chain}, which ${bad} reaches`;
  return {
    id: 'wrong-hook',
    message: `${row.name} is not valid in ${from}.`,
    hint: `It is valid in ${allowed.join(', ')}.`,
  };
}

function unsuited({ row }: Use, rule: Rule): Flaw | undefined {
  const refusal = row.suits?.(rule);
  if (refusal === undefined) return undefined;
  const { refused, hint } = refusal;
  return { id: 'bad-combination', message: `${row.name} ${refused}.`, hint };
}

const missingSets = (table: Table, names: ReadonlySet<string>, file: string): readonly Problem[] =>
  [...rulesOf(table)].flatMap(([, rule]) =>
    setsNamedBy(rule)
      .filter((name) => !names.has(name))
      .map((name) =>
        error('missing-set', `There is no set ${name}.`, {
          location: locationOf(rule, file),
          hint: 'Create it, or remove the rule: the whole table fails to load without it.',
        }),
      ),
  );
