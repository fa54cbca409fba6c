/** The tables as the kernel evaluates them, rule by rule, for one packet. */

import { has } from '../../lib/ranges.js';
import type { DecidingRule } from '../model.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  calledChain,
  chainOf,
  decidedBy,
  decidedByPolicy,
} from '../program/compiled-ruleset.js';
import {
  type Field,
  LOOPBACK,
  LOOPBACK_ADDRESS,
  LOOPBACK_NETWORK,
  PROTOCOL,
  STATE,
} from '../program/fields.js';
import { nativeName } from '../program/native/compile.js';
import { type TableStage, UNTRACKED_TYPES } from '../program/pipeline.js';
import type { Action } from '../program/targets.js';
import { isWhole, setMark } from '../space/marks.js';
import { matches } from './match-outcome.js';
import { distinct, type PacketState, type Trace, withPathStep } from './packet-state.js';
import { describeDestination, elsewhereText } from './sentences.js';

/** Connection tracking: some ICMPv6 packets become UNTRACKED. */
export function enterConntrack({ family }: CompiledRuleset, state: PacketState): PacketState {
  const { values } = state;
  const untracked =
    family === 'v6' &&
    values.get('protocol') === PROTOCOL.ICMPV6 &&
    UNTRACKED_TYPES.includes(Number(values.get('type')));
  return untracked ? withValue(state, 'state', STATE.UNTRACKED) : state;
}

const withValue = (state: PacketState, field: Field, value: bigint): PacketState => ({
  ...state,
  values: new Map([...state.values, [field, value]]),
});

/** The states that a table accepts, which go on to the next; adds the others to the endings. */
export function traceTable(trace: Trace, stage: TableStage, start: PacketState): readonly PacketState[] {
  const state = stage.nat ? start : { ...start, translated: undefined };
  const chain = chainOf(trace.ruleset, stage.table, stage.chain);
  const byPolicy = (verdict: 'ACCEPT' | 'DROP'): DecidingRule =>
    decidedByPolicy(stage.table, stage.chain, verdict);
  const accepted = (each: PacketState, by: DecidingRule): PacketState =>
    stage.table === 'filter' ? { ...each, by } : each;
  if (chain === undefined || (stage.nat && (state.translated || !isFirstOfConnection(state))))
    return [accepted(state, byPolicy('ACCEPT'))];
  const result: Result = { accepted: [], returned: [] };
  traceChain({ trace, stage, chain, depth: 0 }, 0, state, result);
  const policy = chain.policy ?? 'ACCEPT';
  const returned = distinct(result.returned).map((each) =>
    chain.rules.length === 0 ? each : withPathStep(each, byPolicy(policy), policy.toLowerCase()),
  );
  const passed = result.accepted.map((each) => accepted(each.state, each.by));
  if (policy === 'ACCEPT') return [...passed, ...returned.map((each) => accepted(each, byPolicy('ACCEPT')))];
  for (const each of returned) trace.endings.push({ verdict: 'drop', by: byPolicy('DROP'), state: each });
  return passed;
}

/** Only the first packet of a connection passes the nat table, and what comes over `lo` did so when it was sent. */
function isFirstOfConnection({ values }: PacketState): boolean {
  if (values.get('in') === LOOPBACK) return false;
  const [state, protocol] = [values.get('state'), values.get('protocol')];
  return (
    state === STATE.NEW ||
    (state === STATE.RELATED && protocol !== PROTOCOL.ICMP && protocol !== PROTOCOL.ICMPV6)
  );
}

interface Result {
  readonly accepted: { readonly state: PacketState; readonly by: DecidingRule }[];
  /** States that reach the end of the chain, or return from it. */
  readonly returned: PacketState[];
}

interface Context {
  readonly trace: Trace;
  readonly stage: TableStage;
  readonly chain: CompiledChain;
  readonly depth: number;
}

/** The rules of one chain from the one at `from` on. */
function traceChain(context: Context, from: number, start: PacketState, result: Result): void {
  const { trace, stage, chain } = context;
  let state = start;
  for (let index = from; index < chain.rules.length; index++) {
    const rule = chain.rules[index] as CompiledRule;
    const outcomes = matches(trace, stage, rule, state);
    const [unmatched, ...others] = outcomes.filter((each) => !each.matched);
    for (const other of others) traceChain(context, index + 1, other.state, result);
    const going: PacketState[] = unmatched === undefined ? [] : [unmatched.state];
    for (const each of outcomes)
      if (each.matched) going.push(...apply(context, rule, each.state, result, unmatched !== undefined));
    const [next, ...further] = distinct(going);
    for (const other of further) traceChain(context, index + 1, other, result);
    if (next === undefined) return;
    state = next;
  }
  result.returned.push(state);
}

/** Applies the rule's target; returns the states that go on to the next rule. */
function apply(
  context: Context,
  rule: CompiledRule,
  state: PacketState,
  result: Result,
  perhaps: boolean,
): readonly PacketState[] {
  const { trace } = context;
  const { action } = rule;
  const by = decidedBy(rule);
  const step = (effect: string): PacketState =>
    withPathStep(state, by, perhaps ? `perhaps ${effect}` : effect);
  switch (action.kind) {
    case 'accept':
      result.accepted.push({ state: step('accept'), by });
      return [];
    case 'snat':
      result.accepted.push({ state: { ...step('accept'), translated: true }, by });
      return [];
    case 'drop':
    case 'reject':
      trace.endings.push({ verdict: action.kind, by, state: step(action.kind) });
      return [];
    case 'return':
      result.returned.push(step('return'));
      return [];
    case 'continue':
      return [step('continue')];
    case 'call':
      return enter(context, rule, action.goto, step(`jump ${nativeName(action.chain)}`), result);
    case 'mark': {
      const mark =
        state.mark === undefined && !isWhole(action.mask)
          ? undefined
          : setMark(state.mark ?? 0, action.value, action.mask);
      return [{ ...step(`mark ${mark === undefined ? 'changed' : `0x${mark.toString(16)}`}`), mark }];
    }
    case 'unknownMark':
      return [{ ...step('mark changed'), mark: undefined }];
    case 'untrack':
      return [withValue(step('not tracked'), 'state', STATE.UNTRACKED)];
    case 'dnat':
      // NETMAP behind routing translates the source (netmap_tg4 of xt_NETMAP.c).
      if (!context.stage.beforeNat) {
        result.accepted.push({ state: { ...step('accept'), translated: true }, by });
        return [];
      }
      for (const each of redirected(
        trace,
        rule,
        action,
        step(describeDestination(action, trace.ruleset.family)),
      ))
        result.accepted.push({ state: { ...each, translated: true }, by });
      return [];
    case 'external': {
      // The program that decides may also mark the packet.
      const decided = {
        ...step('decided outside'),
        mark: undefined,
        unmodelled: [...state.unmodelled, `"${targetText(rule)}"`],
      };
      trace.endings.push({ verdict: 'drop', by, state: decided });
      result.accepted.push({ state: decided, by });
      if (action.continues === null) return [];
      // A target that is not known may change addresses and ports too: then later rules may accept what they drop.
      trace.endings.push({ verdict: 'accept', by, state: decided });
      return [decided];
    }
  }
}

const targetText = ({ spec }: CompiledRule): string => /-[jg] .*$/.exec(spec.text)?.[0] ?? spec.text;

function enter(
  context: Context,
  rule: CompiledRule,
  goto: boolean,
  state: PacketState,
  result: Result,
): readonly PacketState[] {
  const chain = calledChain(context.trace.ruleset, rule);
  // The kernel refuses loops; here they must only terminate.
  if (chain === undefined || context.depth > 512) return [];
  const inner: Result = { accepted: result.accepted, returned: [] };
  traceChain({ ...context, chain, depth: context.depth + 1 }, 0, state, inner);
  const returned = distinct(inner.returned);
  if (!goto) return returned;
  result.returned.push(...returned);
  return [];
}

/** The state with its new destination, where that still passes the hook. */
function redirected(
  trace: Trace,
  rule: CompiledRule,
  { to: { addresses, ports } }: Extract<Action, { kind: 'dnat' }>,
  state: PacketState,
): readonly PacketState[] {
  const { ruleset, packet } = trace;
  const values = new Map(state.values);
  const single = (ranges: typeof ports): bigint | undefined =>
    ranges?.length === 1 && ranges[0]?.[0] === ranges[0]?.[1] ? ranges[0]?.[0] : undefined;
  const set = (field: Field, value: bigint | undefined): void => {
    if (value === undefined) values.delete(field);
    else values.set(field, value);
  };
  const own = packet.hook === 'OUTPUT' ? LOOPBACK_ADDRESS[ruleset.family] : undefined;
  if (addresses !== undefined) set('dst', addresses === 'own' ? own : single(addresses));
  if (ports !== undefined) set('dport', single(ports));
  const changed = (['dst', 'dport'] as const).map((name) => {
    const now = values.get(name);
    return now === undefined ? undefined : now !== state.values.get(name);
  });
  values.set('translated', changed.includes(true) ? 1n : 0n);
  if (!changed.includes(true) && changed.includes(undefined)) values.delete('translated');
  const sent = { ...state, values };
  if (packet.hook === 'OUTPUT' || addresses === undefined) return [sent];
  const local = addresses === 'own' ? true : isLocal(ruleset, values.get('dst'));
  if (local === (packet.hook === 'INPUT')) return [sent];
  const open = local === undefined;
  const ended = open ? { ...sent, unmodelled: [...sent.unmodelled, elsewhereText(packet.hook)] } : sent;
  trace.endings.push({ verdict: 'drop', by: decidedBy(rule), state: ended });
  return open ? [ended] : [];
}

function isLocal({ family, addresses }: CompiledRuleset, address: bigint | undefined): boolean | undefined {
  if (address === undefined) return undefined;
  if (has(LOOPBACK_NETWORK[family], address) || addresses.includes(address)) return true;
  return addresses.length > 0 ? false : undefined;
}
