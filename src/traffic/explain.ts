/**
 * One packet on its way through the tables, rule by rule, as the kernel reads them. Where a match is not modelled both
 * ways are followed. This walks the rules and shares no step with the diagrams of the traffic diff, so that each can
 * judge the other.
 */
import type { Family, Ruleset } from '../netfilter/model.js';
import type { Field } from './fields.js';
import { LOOPBACK_NETWORK, parseAddressNumber } from './fields.js';
import { setMark, testMark } from './marks.js';
import type { DecidingRule, Explanation, Packet, PathStep, TrafficOptions, Verdict } from './model.js';
import { familyOf, packetValues } from './packet.js';
import { PIPELINES, type Stage, UNTRACKED_TYPES } from './pipeline.js';
import type { Predicate } from './predicate.js';
import {
  compileProgram,
  decidedBy,
  decidedByPolicy,
  FRAGMENT,
  type Program,
  type Routine,
  routineKey,
  type Step,
} from './program.js';
import { has } from './ranges.js';
import { describeSending, elsewhereText } from './sentences.js';
import type { Action } from './targets.js';
import { occurrenceText } from './unknowns.js';

/** A packet at some point of its way. */
interface Traveller {
  readonly values: ReadonlyMap<Field, bigint>;
  /** Absent: nobody knows it. */
  readonly mark: number | undefined;
  /** Unmodelled matches that the packet alone decides, and how they are taken to turn out. */
  readonly taken: ReadonlyMap<string, boolean>;
  /** Every unmodelled match that was passed, in words. */
  readonly asked: readonly string[];
  readonly path: readonly PathStep[];
  /** What the filter table said. */
  readonly by: DecidingRule | null;
}

interface Ending {
  readonly verdict: Exclude<Verdict, 'unknown'>;
  readonly by: DecidingRule | null;
  readonly traveller: Traveller;
}

/** Ways that are followed before the answer is "unknown". */
const MOST_WAYS = 512;

interface Walk {
  readonly program: Program;
  readonly packet: Packet;
  readonly endings: Ending[];
  ways: number;
}

/** What the ruleset does with one packet, which rule decided, and what the answer takes for granted. */
export function explainPacket(ruleset: Ruleset, packet: Packet, options: TrafficOptions = {}): Explanation {
  return explainer(ruleset, options)(packet);
}

/** The same for many packets: the rules are read once. */
export function explainer(ruleset: Ruleset, options: TrafficOptions = {}): (packet: Packet) => Explanation {
  const programs = new Map<Family, Program>();
  return (packet) => {
    const family = familyOf(packet);
    if (family === undefined)
      return {
        verdict: 'unknown',
        rule: null,
        assumptions: [`${packet.src} and ${packet.dst} are no addresses of one family.`],
      };
    let program = programs.get(family);
    if (program === undefined) {
      program = compileProgram(ruleset, family, options.addresses ?? []);
      programs.set(family, program);
    }
    return explainIn(program, packet, family);
  };
}

function explainIn(program: Program, packet: Packet, family: Family): Explanation {
  const walk: Walk = { program, packet, endings: [], ways: 0 };
  let travellers: readonly Traveller[] = [
    {
      values: packetValues(packet, family),
      mark: packet.hook === 'OUTPUT' ? undefined : 0,
      taken: new Map([
        [`before\n${FRAGMENT.text}`, false],
        [`after\n${FRAGMENT.text}`, false],
      ]),
      asked: [],
      path: [],
      by: null,
    },
  ];
  for (const stage of PIPELINES[packet.hook])
    travellers = travellers.flatMap((traveller) =>
      stage.kind === 'conntrack'
        ? [enterConntrack(program, traveller)]
        : distinct(passTable(walk, stage, traveller)),
    );
  const endings = [
    ...walk.endings,
    ...travellers.map((traveller): Ending => ({ verdict: 'accept', by: traveller.by, traveller })),
  ];
  return summarise(program, packet, endings, walk.ways >= MOST_WAYS);
}

function summarise(program: Program, packet: Packet, endings: readonly Ending[], cut: boolean): Explanation {
  const [first] = endings;
  const verdicts = new Set(endings.map((ending) => ending.verdict));
  const certain = !cut && verdicts.size === 1 && first !== undefined;
  const shown = longest(endings);
  const open = certain ? [] : [...new Set(endings.flatMap((ending) => ending.traveller.asked))];
  return {
    verdict: certain ? first.verdict : 'unknown',
    rule: (certain ? first : doubtful(endings))?.by ?? null,
    assumptions: [
      ...assumptions(program, packet),
      ...open.map((text) => `It depends on ${text}, which is not modelled.`),
      ...(cut ? [`More than ${MOST_WAYS} ways lead through unmodelled matches.`] : []),
    ],
    path: shown?.traveller.path ?? [],
  };
}

/** The one that hangs on a match of the very rule that ends it. */
const doubtful = (endings: readonly Ending[]): Ending | undefined =>
  endings.find((ending) => ending.traveller.path.at(-1)?.effect.startsWith('perhaps')) ??
  endings.find((ending) => ending.traveller.asked.length > 0);

const longest = (endings: readonly Ending[]): Ending | undefined =>
  endings.reduce<Ending | undefined>(
    (best, ending) =>
      best === undefined || ending.traveller.path.length > best.traveller.path.length ? ending : best,
    undefined,
  );

function assumptions(program: Program, packet: Packet): readonly string[] {
  const asks = (field: Field): boolean => program.asks.has(field);
  const nat = [...program.routines.values()].some((routine) =>
    routine.steps.some((step) => step.action.kind === 'send'),
  );
  const later = packet.state !== undefined && packet.state !== 'NEW';
  return [
    ...(packet.in === undefined && packet.hook !== 'OUTPUT' && asks('in')
      ? ['It comes in on an interface that no rule names.']
      : []),
    ...(packet.out === undefined && packet.hook !== 'INPUT' && asks('out')
      ? ['It goes out on an interface that no rule names.']
      : []),
    ...(nat && later ? ['Its connection is not translated by nat.'] : []),
  ];
}

function enterConntrack(program: Program, traveller: Traveller): Traveller {
  const { values } = traveller;
  const leftOut =
    program.family === 'v6' &&
    values.get('protocol') === 58n &&
    UNTRACKED_TYPES.includes(Number(values.get('type')));
  return leftOut ? { ...traveller, values: new Map([...values, ['state', 4n] as const]) } : traveller;
}

type TableStage = Extract<Stage, { kind: 'table' }>;

/** Everyone who is accepted by a table, and so goes on to the next. */
function passTable(walk: Walk, stage: TableStage, traveller: Traveller): readonly Traveller[] {
  const routine = walk.program.routines.get(routineKey(stage.table, stage.chain));
  const byPolicy = (policy: 'ACCEPT' | 'DROP'): DecidingRule =>
    decidedByPolicy(stage.table, stage.chain, policy);
  const accepted = (one: Traveller, by: DecidingRule): Traveller =>
    stage.table === 'filter' ? { ...one, by } : one;
  if (routine === undefined || (stage.table === 'nat' && !isFirst(traveller)))
    return [accepted(traveller, byPolicy('ACCEPT'))];
  const passed: Passed = { accepted: [], fell: [] };
  passChain({ walk, stage, routine, depth: 0 }, 0, traveller, passed);
  const rest = distinct(passed.fell);
  const policy = routine.policy ?? 'ACCEPT';
  const walked = rest.map(
    (one): Traveller =>
      routine.steps.length === 0 ? one : along(one, byPolicy(policy), policy.toLowerCase()),
  );
  if (policy === 'DROP') {
    for (const one of walked) walk.endings.push({ verdict: 'drop', by: byPolicy('DROP'), traveller: one });
    return passed.accepted.map(({ traveller: one, by }) => accepted(one, by));
  }
  return [
    ...passed.accepted.map(({ traveller: one, by }) => accepted(one, by)),
    ...walked.map((one) => accepted(one, byPolicy('ACCEPT'))),
  ];
}

/** The nat table is asked by the first packet of a connection alone. */
function isFirst({ values }: Traveller): boolean {
  const [state, protocol] = [values.get('state'), values.get('protocol')];
  return state === 0n || (state === 2n && protocol !== 1n && protocol !== 58n);
}

interface Passed {
  readonly accepted: { readonly traveller: Traveller; readonly by: DecidingRule }[];
  readonly fell: Traveller[];
}

interface Chain {
  readonly walk: Walk;
  readonly stage: TableStage;
  readonly routine: Routine;
  readonly depth: number;
}

/** The rules of one chain from the one at `from` on. */
function passChain(chain: Chain, from: number, start: Traveller, passed: Passed): void {
  const { walk, stage, routine } = chain;
  let traveller = start;
  for (let index = from; index < routine.steps.length; index++) {
    const step = routine.steps[index] as Step;
    const ways = matches(walk, stage, step, traveller);
    const [yes, no] = [ways.filter((way) => way.matched), ways.filter((way) => !way.matched)];
    for (const way of [...no.slice(1)]) passChain(chain, index + 1, way.traveller, passed);
    const going: Traveller[] = [...no.slice(0, 1).map((way) => way.traveller)];
    for (const way of yes) going.push(...act(chain, step, way.traveller, passed, no.length > 0));
    const [next, ...others] = distinct(going);
    for (const other of others) passChain(chain, index + 1, other, passed);
    if (next === undefined) return;
    traveller = next;
  }
  passed.fell.push(traveller);
}

/** Does what the step's target says; whoever comes back goes on with the next rule. */
function act(
  chain: Chain,
  step: Step,
  traveller: Traveller,
  passed: Passed,
  perhaps: boolean,
): readonly Traveller[] {
  const { walk, stage } = chain;
  const { action } = step;
  const by = decidedBy(step);
  const on = (effect: string): Traveller => along(traveller, by, perhaps ? `perhaps ${effect}` : effect);
  switch (action.kind) {
    case 'accept':
      passed.accepted.push({ traveller: on('accept'), by });
      return [];
    case 'drop':
    case 'reject':
      walk.endings.push({ verdict: action.kind, by, traveller: on(action.kind) });
      return [];
    case 'return':
      passed.fell.push(on('return'));
      return [];
    case 'continue':
      return [on('goes on')];
    case 'call':
      return enter(chain, step, action.chain, action.goto, on(`jump ${action.chain}`), passed);
    case 'mark': {
      const mark =
        traveller.mark === undefined && action.mask >>> 0 !== 0xffffffff
          ? undefined
          : setMark(traveller.mark ?? 0, action.value, action.mask);
      return [{ ...on(`mark ${mark === undefined ? 'changed' : `0x${mark.toString(16)}`}`), mark }];
    }
    case 'loseMark':
      return [{ ...on('mark changed'), mark: undefined }];
    case 'untrack':
      return [{ ...on('not tracked'), values: new Map([...traveller.values, ['state', 4n] as const]) }];
    case 'send':
      for (const sent of sendOn(walk, step, action, on(describeSending(action, walk.program.family))))
        passed.accepted.push({ traveller: sent, by });
      return [];
    case 'ask': {
      const asked = { ...on('decided outside'), asked: [...traveller.asked, `"${targetText(step)}"`] };
      walk.endings.push({ verdict: 'drop', by, traveller: asked });
      passed.accepted.push({ traveller: asked, by });
      return stage.table !== 'nat' && action.continues === null ? [] : [asked];
    }
  }
}

const targetText = (step: Step): string => /-[jg] .*$/.exec(step.rule.text)?.[0] ?? step.rule.text;

function enter(
  chain: Chain,
  step: Step,
  name: string,
  goto: boolean,
  traveller: Traveller,
  passed: Passed,
): readonly Traveller[] {
  const routine = chain.walk.program.routines.get(routineKey(step.table, name));
  // A loop is refused by the kernel; here it must only come to an end.
  if (routine === undefined || chain.depth > 512) return [];
  const within: Passed = { accepted: passed.accepted, fell: [] };
  passChain({ ...chain, routine, depth: chain.depth + 1 }, 0, traveller, within);
  const back = distinct(within.fell);
  if (!goto) return back;
  passed.fell.push(...back);
  return [];
}

function sendOn(
  walk: Walk,
  step: Step,
  action: Extract<Action, { kind: 'send' }>,
  traveller: Traveller,
): readonly Traveller[] {
  const { program, packet } = walk;
  const { family } = program;
  const { addresses, ports } = action.to;
  const values = new Map(traveller.values);
  const loopback = parseAddressNumber(family === 'v4' ? '127.0.0.1' : '::1', family);
  const single = (ranges: typeof ports): bigint | undefined =>
    ranges?.length === 1 && ranges[0]?.[0] === ranges[0]?.[1] ? ranges[0]?.[0] : undefined;
  const place = (field: Field, value: bigint | undefined): void => {
    if (value === undefined) values.delete(field);
    else values.set(field, value);
  };
  if (addresses !== undefined)
    place('dst', addresses === 'own' ? (packet.hook === 'OUTPUT' ? loopback : undefined) : single(addresses));
  if (ports !== undefined) place('dport', single(ports));
  const sent = { ...traveller, values };
  if (packet.hook === 'OUTPUT' || addresses === undefined) return [sent];
  const local = isLocal(program, addresses === 'own' ? 'own' : values.get('dst'));
  const stays = local === undefined ? undefined : local === (packet.hook === 'INPUT');
  if (stays === true) return [sent];
  const asked = stays === undefined ? { ...sent, asked: [...sent.asked, elsewhereText(packet.hook)] } : sent;
  walk.endings.push({ verdict: 'drop', by: decidedBy(step), traveller: asked });
  return stays === undefined ? [asked] : [];
}

function isLocal(program: Program, address: bigint | 'own' | undefined): boolean | undefined {
  if (address === 'own') return true;
  if (address === undefined) return undefined;
  if (has(LOOPBACK_NETWORK[program.family], address) || program.addresses.includes(address)) return true;
  return program.addresses.length > 0 ? false : undefined;
}

const along = (traveller: Traveller, rule: DecidingRule, effect: string): Traveller => ({
  ...traveller,
  path: [...traveller.path, { rule, effect }],
});

interface Way {
  readonly matched: boolean;
  readonly traveller: Traveller;
}

/** Whether a step matches; both ways where that hangs on something unmodelled. */
function matches(walk: Walk, stage: TableStage, step: Step, traveller: Traveller): readonly Way[] {
  const context: Context = { stage, taken: new Map(), traveller };
  const answer = ask(step.match, context);
  if (typeof answer === 'boolean') return [{ matched: answer, traveller }];
  // A rule that decides nothing needs no second way.
  if (step.action.kind === 'continue') return [{ matched: false, traveller }];
  return fork(walk, step, context, answer);
}

interface Context {
  readonly stage: TableStage;
  /** Answers of unknowns that hold for this rule alone. */
  readonly taken: ReadonlyMap<Predicate, boolean>;
  readonly traveller: Traveller;
}

function fork(walk: Walk, step: Step, context: Context, open: Predicate): readonly Way[] {
  if (++walk.ways >= MOST_WAYS) return [{ matched: false, traveller: context.traveller }];
  return [true, false].flatMap((value) => {
    const { traveller } = context;
    const isPure = open.kind === 'unknown' && open.pure;
    const taken = isPure ? traveller.taken : new Map([...context.taken, [open, value] as const]);
    const next: Traveller = {
      ...traveller,
      asked: [...traveller.asked, openText(open)],
      ...(isPure
        ? { taken: new Map([...traveller.taken, [takenKey(context.stage, open.text), value]]) }
        : {}),
    };
    const inner: Context = {
      ...context,
      taken: isPure ? context.taken : (taken as Context['taken']),
      traveller: next,
    };
    const answer = ask(step.match, inner);
    return typeof answer === 'boolean'
      ? [{ matched: answer, traveller: next }]
      : fork(walk, step, inner, answer);
  });
}

const openText = (open: Predicate): string =>
  open.kind === 'unknown' || open.kind === 'mark' ? `"-m ${occurrenceText(open)}"` : 'where nat sent it';

const takenKey = ({ table, chain }: TableStage, text: string): string =>
  `${['PREROUTING', 'OUTPUT'].includes(chain) && table !== 'filter' && table !== 'security' ? 'before' : 'after'}\n${text}`;

/** True, false, or the part on which it hangs. */
function ask(predicate: Predicate, context: Context): boolean | Predicate {
  const { traveller, taken, stage } = context;
  switch (predicate.kind) {
    case 'field': {
      const value = traveller.values.get(predicate.field);
      return value === undefined ? (taken.get(predicate) ?? predicate) : has(predicate.ranges, value);
    }
    case 'not': {
      const answer = ask(predicate.of, context);
      return typeof answer === 'boolean' ? !answer : answer;
    }
    case 'all':
    case 'any': {
      const decisive = predicate.kind === 'any';
      let open: Predicate | undefined;
      for (const each of predicate.of) {
        const answer = ask(each, context);
        if (answer === decisive) return decisive;
        if (typeof answer !== 'boolean') open ??= answer;
      }
      return open ?? !decisive;
    }
    case 'mark':
      return traveller.mark === undefined
        ? (taken.get(predicate) ?? predicate)
        : testMark(traveller.mark, predicate.value, predicate.mask);
    case 'unknown':
      return predicate.pure
        ? (traveller.taken.get(takenKey(stage, predicate.text)) ?? predicate)
        : (taken.get(predicate) ?? predicate);
  }
}

/** Travellers who differ in their path alone are one. */
function distinct(travellers: readonly Traveller[]): readonly Traveller[] {
  if (travellers.length < 2) return travellers;
  const seen = new Map<string, Traveller>();
  for (const traveller of travellers) {
    const { values, mark, taken, by } = traveller;
    const key = JSON.stringify([
      [...values].map(([field, value]) => `${field}${value}`),
      mark,
      [...taken],
      by?.table,
      by?.chain,
      by?.number,
    ]);
    const known = seen.get(key);
    if (known === undefined) seen.set(key, traveller);
    else if (known.asked.length > traveller.asked.length) seen.set(key, traveller);
  }
  return [...seen.values()];
}
