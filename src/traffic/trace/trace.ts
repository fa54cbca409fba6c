/** The tables as the kernel reads them, rule by rule, for one packet. */

import { parseAddress } from '../../lib/ip.js';
import { has } from '../../lib/ranges.js';
import type { DecidingRule } from '../model.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
  decidedBy,
  decidedByPolicy,
} from '../program/compiled-ruleset.js';
import { type Field, LOOPBACK_NETWORK } from '../program/fields.js';
import { UNTRACKED_TYPES } from '../program/pipeline.js';
import type { Action } from '../program/targets.js';
import { setMark } from '../space/marks.js';
import { matches } from './match-outcome.js';
import { distinct, type PacketState, type TableStage, type Trace, withPathStep } from './packet-state.js';
import { describeSending, elsewhereText } from './sentences.js';

export function enterConntrack(program: CompiledRuleset, traveller: PacketState): PacketState {
  const { values } = traveller;
  const leftOut =
    program.family === 'v6' &&
    values.get('protocol') === 58n &&
    UNTRACKED_TYPES.includes(Number(values.get('type')));
  return leftOut ? { ...traveller, values: new Map([...values, ['state', 4n] as const]) } : traveller;
}

/** Everyone who is accepted by a table, and so goes on to the next. */
export function traceTable(walk: Trace, stage: TableStage, traveller: PacketState): readonly PacketState[] {
  const routine = walk.ruleset.chains.get(chainKey(stage.table, stage.chain));
  const byPolicy = (policy: 'ACCEPT' | 'DROP'): DecidingRule =>
    decidedByPolicy(stage.table, stage.chain, policy);
  const accepted = (one: PacketState, by: DecidingRule): PacketState =>
    stage.table === 'filter' ? { ...one, by } : one;
  if (routine === undefined || (stage.table === 'nat' && !isFirst(traveller)))
    return [accepted(traveller, byPolicy('ACCEPT'))];
  const passed: Passed = { accepted: [], fell: [] };
  passChain({ walk, stage, routine, depth: 0 }, 0, traveller, passed);
  const rest = distinct(passed.fell);
  const policy = routine.policy ?? 'ACCEPT';
  const walked = rest.map(
    (one): PacketState =>
      routine.rules.length === 0 ? one : withPathStep(one, byPolicy(policy), policy.toLowerCase()),
  );
  if (policy === 'DROP') {
    for (const one of walked) walk.endings.push({ verdict: 'drop', by: byPolicy('DROP'), state: one });
    return passed.accepted.map(({ traveller: one, by }) => accepted(one, by));
  }
  return [
    ...passed.accepted.map(({ traveller: one, by }) => accepted(one, by)),
    ...walked.map((one) => accepted(one, byPolicy('ACCEPT'))),
  ];
}

/** The nat table is asked by the first packet of a connection alone. */
function isFirst({ values }: PacketState): boolean {
  const [state, protocol] = [values.get('state'), values.get('protocol')];
  return state === 0n || (state === 2n && protocol !== 1n && protocol !== 58n);
}

interface Passed {
  readonly accepted: { readonly traveller: PacketState; readonly by: DecidingRule }[];
  readonly fell: PacketState[];
}

interface Chain {
  readonly walk: Trace;
  readonly stage: TableStage;
  readonly routine: CompiledChain;
  readonly depth: number;
}

/** The rules of one chain from the one at `from` on. */
function passChain(chain: Chain, from: number, start: PacketState, passed: Passed): void {
  const { walk, stage, routine } = chain;
  let traveller = start;
  for (let index = from; index < routine.rules.length; index++) {
    const step = routine.rules[index] as CompiledRule;
    const ways = matches(walk, stage, step, traveller);
    const [yes, no] = [ways.filter((way) => way.matched), ways.filter((way) => !way.matched)];
    for (const way of [...no.slice(1)]) passChain(chain, index + 1, way.state, passed);
    const going: PacketState[] = [...no.slice(0, 1).map((way) => way.state)];
    for (const way of yes) going.push(...act(chain, step, way.state, passed, no.length > 0));
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
  step: CompiledRule,
  traveller: PacketState,
  passed: Passed,
  perhaps: boolean,
): readonly PacketState[] {
  const { walk } = chain;
  const { action } = step;
  const by = decidedBy(step);
  const on = (effect: string): PacketState =>
    withPathStep(traveller, by, perhaps ? `perhaps ${effect}` : effect);
  switch (action.kind) {
    case 'accept':
      passed.accepted.push({ traveller: on('accept'), by });
      return [];
    case 'drop':
    case 'reject':
      walk.endings.push({ verdict: action.kind, by, state: on(action.kind) });
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
      for (const sent of sendOn(walk, step, action, on(describeSending(action, walk.ruleset.family))))
        passed.accepted.push({ traveller: sent, by });
      return [];
    case 'ask': {
      // Whoever decides may also mark the packet.
      const asked = {
        ...on('decided outside'),
        mark: undefined,
        asked: [...traveller.unmodelled, `"${targetText(step)}"`],
      };
      walk.endings.push({ verdict: 'drop', by, state: asked });
      passed.accepted.push({ traveller: asked, by });
      return action.continues === null ? [] : [asked];
    }
  }
}

const targetText = (step: CompiledRule): string => /-[jg] .*$/.exec(step.spec.text)?.[0] ?? step.spec.text;

function enter(
  chain: Chain,
  step: CompiledRule,
  name: string,
  goto: boolean,
  traveller: PacketState,
  passed: Passed,
): readonly PacketState[] {
  const routine = chain.walk.ruleset.chains.get(chainKey(step.table, name));
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
  walk: Trace,
  step: CompiledRule,
  action: Extract<Action, { kind: 'send' }>,
  traveller: PacketState,
): readonly PacketState[] {
  const { ruleset: program, packet } = walk;
  const { family } = program;
  const { addresses, ports } = action.to;
  const values = new Map(traveller.values);
  const loopback = parseAddress(family === 'v4' ? '127.0.0.1' : '::1', family);
  const single = (ranges: typeof ports): bigint | undefined =>
    ranges?.length === 1 && ranges[0]?.[0] === ranges[0]?.[1] ? ranges[0]?.[0] : undefined;
  const settle = (field: Field, value: bigint | undefined): void => {
    if (value === undefined) values.delete(field);
    else values.set(field, value);
  };
  if (addresses !== undefined)
    settle(
      'dst',
      addresses === 'own' ? (packet.hook === 'OUTPUT' ? loopback : undefined) : single(addresses),
    );
  if (ports !== undefined) settle('dport', single(ports));
  const sent = { ...traveller, values };
  if (packet.hook === 'OUTPUT' || addresses === undefined) return [sent];
  const local = isLocal(program, addresses === 'own' ? 'own' : values.get('dst'));
  const stays = local === undefined ? undefined : local === (packet.hook === 'INPUT');
  if (stays === true) return [sent];
  const asked =
    stays === undefined ? { ...sent, asked: [...sent.unmodelled, elsewhereText(packet.hook)] } : sent;
  walk.endings.push({ verdict: 'drop', by: decidedBy(step), state: asked });
  return stays === undefined ? [asked] : [];
}

function isLocal(program: CompiledRuleset, address: bigint | 'own' | undefined): boolean | undefined {
  if (address === 'own') return true;
  if (address === undefined) return undefined;
  if (has(LOOPBACK_NETWORK[program.family], address) || program.addresses.includes(address)) return true;
  return program.addresses.length > 0 ? false : undefined;
}
