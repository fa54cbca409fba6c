/** The traffic diff: which packets one ruleset accepts and the other does not, exactly. */

import { FAMILIES, type Family } from '../../lib/family.js';
import type { IpSet, Ruleset, TableName } from '../../netfilter/model.js';
import type { Flow, Hook, TrafficDiff, TrafficOptions } from '../model.js';
import { type CompiledRuleset, chainKey, changingSets, compileRuleset } from '../program/compiled-ruleset.js';
import { narrowedPair } from '../program/narrow.js';
import { HOOKS, PIPELINES } from '../program/pipeline.js';
import { type Budget, FALSE, LEAF } from '../space/bdd.js';
import { enumerateCubes } from '../space/cubes.js';
import { type Decision, type Decisions, verdictsOnly, withRules } from '../space/decisions.js';
import { EVALUATION_PREDICATES, evaluate, TRACKED, where } from '../space/evaluate.js';
import { tryProof } from '../space/proof-limits.js';
import { createSpace, type Space } from '../space/space.js';
import { byExposure, rowsOf } from './rows.js';

/** Measured: a firewall of 5,000 rules needs about a million nodes. */
export const DEFAULT_BUDGET: Budget = { nodes: 8_000_000, milliseconds: 8_000 };

/** The most rows of one kind in one hook of one family, before they are joined. */
const MOST_BOXES = 10_000;

const KINDS = ['opened', 'closed', 'possiblyOpened', 'possiblyClosed', 'answeredDifferently'] as const;
type Kind = (typeof KINDS)[number];
type Rows = { readonly [kind in Kind]: Flow[] };

/**
 * Compares what two rulesets do with every packet, whole and not a fragment, in every hook and both families. Sets
 * with unmodelled matches are compared for every way these may turn out.
 */
export function compareTraffic(before: Ruleset, after: Ruleset, options: TrafficOptions = {}): TrafficDiff {
  const rows: Rows = {
    opened: [],
    closed: [],
    possiblyOpened: [],
    possiblyClosed: [],
    answeredDifferently: [],
  };
  const deadline = performance.now() + (options.budget ?? DEFAULT_BUDGET).milliseconds;
  const why: string[] = [];
  let omitted = 0;
  for (const family of FAMILIES) {
    if (before[family] === after[family] && sameSets(before, after)) continue;
    omitted +=
      tryProof(
        () => compareFamily(before, after, family, options, deadline, rows),
        (reason) => why.push(`${family === 'v4' ? 'IPv4' : 'IPv6'}: ${reason}`),
      ) ?? 0;
  }
  const proved = why.length === 0;
  for (const kind of KINDS) rows[kind].sort(byExposure);
  return {
    equal: proved && KINDS.every((kind) => rows[kind].length === 0),
    proved,
    ...(proved ? {} : { why: why.join(' ') }),
    ...rows,
    ...(omitted === 0 ? {} : { omitted }),
  };
}

interface Scene {
  readonly space: Space;
  readonly before: CompiledRuleset;
  readonly after: CompiledRuleset;
  readonly hook: Hook;
  readonly rows: Rows;
}

function compareFamily(
  before: Ruleset,
  after: Ruleset,
  family: Family,
  options: TrafficOptions,
  deadline: number,
  rows: Rows,
): number {
  const { nodes } = options.budget ?? DEFAULT_BUDGET;
  const budget = { nodes, milliseconds: Math.max(0, deadline - performance.now()) };
  const scene = sceneOf(before, after, family, options.addresses ?? [], budget);
  // Rows of a family are complete or not there: a budget may end in the middle.
  const found: Rows = {
    opened: [],
    closed: [],
    possiblyOpened: [],
    possiblyClosed: [],
    answeredDifferently: [],
  };
  const omitted = scene.hooks.reduce((sum, hook) => sum + compareHook({ ...scene, hook, rows: found }), 0);
  for (const kind of KINDS) rows[kind].push(...found[kind]);
  return omitted;
}

interface Both {
  readonly space: Space;
  readonly before: CompiledRuleset;
  readonly after: CompiledRuleset;
  /** Those in which something may differ. */
  readonly hooks: readonly Hook[];
}

/** Both programs, as much of them as can matter, in one space. */
function sceneOf(
  before: Ruleset,
  after: Ruleset,
  family: Family,
  addresses: readonly string[],
  budget: Budget,
): Both {
  const whole = [before, after].map((ruleset) => compileRuleset(ruleset, family, addresses));
  const [old, next] = whole as [CompiledRuleset, CompiledRuleset];
  const sets = sameSets(before, after);
  const hooks = HOOKS.filter((hook) => !sets || !sameHook(old, next, hook));
  const programs = sets && hooks.length > 0 ? narrowedPair(old, next) : ([old, next] as const);
  const space = createSpace(family, hooks.length > 0 ? programs : [], EVALUATION_PREDICATES, budget);
  return { space, before: programs[0], after: programs[1], hooks };
}

/** Rules with one text ask something else where the sets behind them differ, or where rules begin to change a set. */
const sameSets = (before: Ruleset, after: Ruleset): boolean =>
  (before.sets === after.sets || sameTexts(before.sets.map(setText), after.sets.map(setText))) &&
  sameTexts([...changingSets(before)].sort(), [...changingSets(after)].sort());

const sameTexts = (left: readonly unknown[], right: readonly unknown[]): boolean =>
  JSON.stringify(left) === JSON.stringify(right);

const setText = ({ name, type, options, members }: IpSet): readonly unknown[] => [
  name,
  type,
  options,
  members,
];

/** Rules that are the same, one by one, need no diagram to be found equal. */
function sameHook(before: CompiledRuleset, after: CompiledRuleset, hook: Hook): boolean {
  const seen = new Set<string>();
  const same = (table: TableName, chain: string): boolean => {
    const key = chainKey(table, chain);
    if (seen.has(key)) return true;
    seen.add(key);
    const [old, next] = [before.chains.get(key), after.chains.get(key)];
    return (
      old?.policy === next?.policy &&
      old?.rules.length === next?.rules.length &&
      (old?.rules ?? []).every(
        ({ spec: rule, action }, index) =>
          rule.text === next?.rules[index]?.spec.text &&
          // What was a target that is not known may now be a chain.
          action.kind === next?.rules[index]?.action.kind &&
          (action.kind !== 'call' || same(table, action.chain)),
      )
    );
  };
  return PIPELINES[hook].every((stage) => stage.kind !== 'table' || same(stage.table, stage.chain));
}

/** In which hooks some packet may be treated differently: as {@link compareTraffic}, without saying which. */
export function differingHooks(
  before: Ruleset,
  after: Ruleset,
  options: TrafficOptions = {},
): { readonly proved: boolean; readonly hooks: readonly Hook[] } {
  const { nodes, milliseconds } = options.budget ?? DEFAULT_BUDGET;
  const deadline = performance.now() + milliseconds;
  const hooks = new Set<Hook>();
  let proved = true;
  for (const family of FAMILIES)
    tryProof(
      () => {
        const left = { nodes, milliseconds: Math.max(0, deadline - performance.now()) };
        const scene = sceneOf(before, after, family, options.addresses ?? [], left);
        for (const hook of scene.hooks) if (differences({ ...scene, hook })) hooks.add(hook);
      },
      () => {
        proved = false;
      },
    );
  return { proved, hooks: [...hooks] };
}

interface Differences {
  readonly sets: { readonly [kind in Kind]: number };
  /** All of them together. */
  readonly care: number;
}

/** The packets of a hook that are treated differently, by kind; `undefined` when there are none. */
function differences(scene: Omit<Scene, 'rows'>): Differences | undefined {
  const { space, hook } = scene;
  const { manager: store, unknownsFrom } = space;
  const plain = verdictsOnly(store);
  const results = [scene.before, scene.after].map((program) =>
    evaluate({ space, ruleset: program, hook, decisions: plain }),
  );
  const [old, next] = results as [number, number];
  if (old === next) return undefined;
  const tracked = space.encode(TRACKED, space.nameOf);
  const [[oldIn, oldBack], [nextIn, nextBack]] = results.map((result) => [
    store.and(
      tracked,
      where(space, result, (leaf) => plain.verdictOf(leaf) === 'accept'),
    ),
    store.and(
      tracked,
      where(space, result, (leaf) => plain.verdictOf(leaf) === 'reject'),
    ),
  ]) as [[number, number], [number, number]];
  const ever = (node: number): number => store.exists(node, unknownsFrom, LEAF);
  const always = (node: number): number => store.forAll(node, unknownsFrom, LEAF);
  const opening = store.diff(nextIn, oldIn);
  const closing = store.diff(oldIn, nextIn);
  const answering = store.diff(
    store.or(store.diff(nextBack, oldBack), store.diff(oldBack, nextBack)),
    store.or(oldIn, nextIn),
  );
  const [opened, closed] = [always(opening), always(closing)];
  const sets: { readonly [kind in Kind]: number } = {
    opened,
    closed,
    possiblyOpened: store.diff(ever(opening), opened),
    possiblyClosed: store.diff(ever(closing), closed),
    answeredDifferently: store.diff(ever(answering), store.or(ever(opening), ever(closing))),
  };
  const care = KINDS.reduce((sum, kind) => store.or(sum, sets[kind]), FALSE);
  return care === FALSE ? undefined : { sets, care };
}

function compareHook(scene: Scene): number {
  const found = differences(scene);
  if (found === undefined) return 0;
  const { sets, care } = found;
  const { space, hook, rows } = scene;
  const { manager: store } = space;
  const labels = withRules(store);
  const [oldBy, nextBy] = [scene.before, scene.after].map((program) =>
    evaluate({ space, ruleset: program, hook, decisions: labels, relevant: care }),
  ) as [number, number];
  let omitted = 0;
  for (const kind of KINDS) omitted += addRows(scene, rows[kind], sets[kind], kind, labels, oldBy, nextBy);
  return omitted;
}

/** Which verdicts a row of a kind is about. */
const FITS: { readonly [kind in Kind]: (old: Decision, next: Decision) => boolean } = {
  opened: (old, next) => old.verdict !== 'accept' && next.verdict === 'accept',
  closed: (old, next) => old.verdict === 'accept' && next.verdict !== 'accept',
  possiblyOpened: (old, next) => FITS.opened(old, next),
  possiblyClosed: (old, next) => FITS.closed(old, next),
  answeredDifferently: (old, next) =>
    old.verdict !== 'accept' && next.verdict !== 'accept' && old.verdict !== next.verdict,
};

function addRows(
  scene: Scene,
  rows: Flow[],
  set: number,
  kind: Kind,
  labels: Decisions,
  oldBy: number,
  nextBy: number,
): number {
  if (set === FALSE) return 0;
  const { space, hook, after } = scene;
  const { manager: store, unknownsFrom } = space;
  const nobody = store.leaf(PAIRS);
  const pairs = new Map<number, { readonly old: Decision; readonly next: Decision }>();
  const paired = store.pairs(store.ite(set, oldBy, FALSE), store.ite(set, nextBy, FALSE), (left, right) => {
    if (left === FALSE || right === FALSE) return FALSE;
    const [old, next] = [labels.decisionOf(left), labels.decisionOf(right)];
    if (!FITS[kind](old, next)) return nobody;
    const leaf = store.leaf(PAIRS + store.value(left) * PAIRS_EACH + store.value(right));
    pairs.set(leaf, { old, next });
    return leaf;
  });
  // Where unknowns choose between several pairs, any that fits is as good.
  const settled = store.settle(paired, unknownsFrom, (one, other) =>
    one === FALSE || one === nobody || other === FALSE || other === nobody
      ? Math.max(one, other)
      : Math.min(one, other),
  );
  const { cubes: boxes, omitted } = enumerateCubes(space, settled, MOST_BOXES);
  for (const [leaf, some] of boxes)
    for (const box of some)
      rows.push(
        ...rowsOf(box, {
          family: space.family,
          hook,
          before: pairs.get(leaf)?.old.by ?? null,
          after: pairs.get(leaf)?.next.by ?? null,
          addresses: after.addresses,
        }),
      );
  return omitted;
}

/** Leaves for pairs of decisions lie beyond those for decisions. */
const PAIRS = 2 ** 40;
/** More than there are decisions of one ruleset. */
const PAIRS_EACH = 2 ** 20;
