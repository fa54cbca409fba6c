/**
 * What people ask after "dropped, by that rule": does another rule come too late, is it the wrong source, would a
 * running connection pass, what did nat do before. Read off the filter table, for one packet.
 */
import type { Ruleset } from '../netfilter/model.js';
import { type Walked, walkPacket } from './explain.js';
import type { Field } from './fields.js';
import type { DecidingRule, Explanation, Packet, TrafficOptions } from './model.js';
import { leaves, type Predicate } from './predicate.js';
import { decidedBy, type Program, type Routine, routineKey, type Step } from './program.js';
import { has } from './ranges.js';
import { ruleName } from './sentences.js';

/** The same as `explainPacket`, with hints. */
export function explainWithHints(
  ruleset: Ruleset,
  packet: Packet,
  options: TrafficOptions = {},
): Explanation | undefined {
  const walked = walkPacket(ruleset, packet, options);
  if (walked === undefined) return undefined;
  const hints = [...natHints(walked.explanation), ...filterHints(walked, packet)];
  return hints.length === 0 ? walked.explanation : { ...walked.explanation, hints };
}

/** The filter table never sees where the packet was sent first. */
function natHints({ path = [] }: Explanation): readonly string[] {
  return path
    .filter(({ rule, effect }) => rule.table === 'nat' && effect.includes('now to '))
    .map(
      ({ rule, effect }) =>
        `${capital(ruleName(rule))} sends it on, ${effect.replace(/^perhaps /, '')}, before the filter table is asked: rules there must name that.`,
    );
}

function filterHints({ explanation, program, values }: Walked, packet: Packet): readonly string[] {
  const { verdict, rule } = explanation;
  if (rule === null || rule.table !== 'filter' || verdict === 'unknown') return [];
  const scan: Scan = { program, values, left: MOST_STEPS };
  const start = program.routines.get(routineKey('filter', packet.hook));
  if (start === undefined) return [];
  const decides = (wanted: 'accept' | 'refuse') => (step: Step) =>
    kindOf(step) === wanted && !isRule(step, rule);
  if (verdict === 'accept') {
    const late = find(scan, start, undefined, decides('refuse')).filter(
      (step) => leaves(step.match).length > 0,
    );
    return late
      .slice(0, 1)
      .map((step) => `${capital(ruleName(decidedBy(step)))} would refuse it, but comes later.`);
  }
  const [late] = find(scan, start, undefined, decides('accept'));
  if (late !== undefined)
    return [
      `${capital(ruleName(decidedBy(late)))} would accept it, but comes later: move it up, or narrow the other.`,
    ];
  return NEARLY.flatMap(({ field, say }) =>
    find(scan, start, field, decides('accept'))
      .flatMap((step) => say(step, packet) ?? [])
      .slice(0, MOST_NEAR),
  );
}

/** Rules that are looked at for one packet. */
const MOST_STEPS = 50_000;
/** Rules of one kind that are named. */
const MOST_NEAR = 2;

interface Nearly {
  readonly field: Field;
  /** A sentence about a rule that matches but for this field; nothing where that is no news. */
  readonly say: (step: Step, packet: Packet) => string | undefined;
}

/** What is most often wrong first. */
const NEARLY: readonly Nearly[] = [
  {
    field: 'src',
    say: (step, { src }) =>
      `${capital(ruleName(decidedBy(step)))} accepts it from ${sourceOf(step)}, not from ${src}.`,
  },
  {
    field: 'dst',
    say: (step, { dst }) =>
      step.rule.destination === undefined
        ? undefined
        : `${capital(ruleName(decidedBy(step)))} accepts it to ${sideText(step.rule.destination)}, not to ${dst}.`,
  },
  {
    field: 'in',
    say: (step, packet) => onInterface(step, step.rule.inInterface, packet.in, 'in'),
  },
  {
    field: 'out',
    say: (step, packet) => onInterface(step, step.rule.outInterface, packet.out, 'out'),
  },
  {
    field: 'protocol',
    say: (step, { protocol, dport }) =>
      step.rule.protocol === undefined || step.rule.protocol.negated || dport === undefined
        ? undefined
        : `${capital(ruleName(decidedBy(step)))} accepts port ${dport} over ${step.rule.protocol.value}, not over ${protocol}.`,
  },
  {
    field: 'state',
    say: (step) => {
      const { chain, number, source } = decidedBy(step);
      const place = source === undefined ? '' : ` at ${source.file}:${source.line}`;
      return `A running connection passes all the same, by rule ${number} of ${chain}${place}: only what begins one is refused.`;
    },
  },
];

const sideText = ({ value, negated }: { readonly value: string; readonly negated: boolean }): string =>
  negated ? `anything but ${value}` : value;

function sourceOf({ rule }: Step): string {
  if (rule.source !== undefined) return sideText(rule.source);
  const set = rule.matches.find(({ name }) => name === 'set')?.options[0]?.values[0];
  return set === undefined ? 'other addresses' : `the set ${set}`;
}

function onInterface(
  step: Step,
  side: Step['rule']['inInterface'],
  own: string | undefined,
  way: 'in' | 'out',
): string | undefined {
  if (side === undefined || side.value === 'lo') return undefined;
  const name = own ?? 'an interface that no rule names';
  return `${capital(ruleName(decidedBy(step)))} accepts it ${way} on ${sideText(side)}, not on ${name}.`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const isRule = (step: Step, { table, chain, number }: DecidingRule): boolean =>
  step.table === table && step.chain === chain && step.number === number;

function kindOf({ action }: Step): 'accept' | 'refuse' | undefined {
  if (action.kind === 'accept') return 'accept';
  return action.kind === 'drop' || action.kind === 'reject' ? 'refuse' : undefined;
}

interface Scan {
  readonly program: Program;
  readonly values: ReadonlyMap<Field, bigint>;
  left: number;
}

/**
 * Rules that match the packet, in the order in which they are read, whether or not an earlier one decided.
 * @param but a field that may have any value; then only rules that its own value keeps from matching are found
 */
function find(
  scan: Scan,
  routine: Routine,
  but: Field | undefined,
  wanted: (step: Step) => boolean,
): readonly Step[] {
  const found: Step[] = [];
  const visit = (chain: Routine, near: boolean, depth: number): void => {
    for (const step of chain.steps) {
      if (--scan.left < 0 || depth > 64) return;
      const fits = ask(step.match, scan.values, but);
      if (fits === false) continue;
      const nearly = near || (but !== undefined && ask(step.match, scan.values, undefined) === false);
      if (step.action.kind === 'return' && fits === true && !nearly) return;
      if (wanted(step) && (but === undefined ? fits === true : nearly)) found.push(step);
      const inner =
        step.action.kind === 'call'
          ? scan.program.routines.get(routineKey(step.table, step.action.chain))
          : undefined;
      if (inner !== undefined) visit(inner, nearly, depth + 1);
    }
  };
  visit(routine, false, 0);
  return found;
}

/** True, false, or `undefined` where it hangs on the field that is left open or on what is not modelled. */
function ask(
  predicate: Predicate,
  values: ReadonlyMap<Field, bigint>,
  but: Field | undefined,
): boolean | undefined {
  switch (predicate.kind) {
    case 'field': {
      const value = values.get(predicate.field);
      return value === undefined || predicate.field === but ? undefined : has(predicate.ranges, value);
    }
    case 'not': {
      const answer = ask(predicate.of, values, but);
      return answer === undefined ? undefined : !answer;
    }
    case 'all':
    case 'any': {
      const decisive = predicate.kind === 'any';
      const answers = predicate.of.map((each) => ask(each, values, but));
      if (answers.includes(decisive)) return decisive;
      return answers.includes(undefined) ? undefined : !decisive;
    }
    default:
      return undefined;
  }
}
