/** Whether two states of a host mean the same: rule for rule, or for every packet. */

import { isOwned } from '../compile/names.js';
import { FAMILIES, type Family } from '../lib/family.js';
import type { Ruleset } from '../netfilter/model.js';
import { withoutComment } from '../netfilter/text/print.js';
import type { TrafficDiff } from '../traffic/model.js';
import { compareTraffic } from '../traffic/questions/compare.js';
import { packetText } from '../traffic/trace/sentences.js';

export interface Equivalence {
  /** Why they are not the same. */
  readonly why?: string;
  /** States of packets that connection tracking has no place for, and that only the first lets in. */
  readonly untrackedStates?: readonly string[];
}

/** The same rules but for their comments, or the same fate for every packet. */
export function equivalence(one: Ruleset, other: Ruleset, addresses: readonly string[]): Equivalence {
  const differing = FAMILIES.flatMap((family) => differingChains(one, other, family));
  if (differing.length === 0 && setsText(one) === setsText(other)) return {};
  // What translates and marks is not all a matter of who is let in.
  if (differing.some((name) => !name.startsWith('filter ')))
    return { why: 'Its place among the other rules cannot be said in the policy.' };
  if (FAMILIES.some((family) => sideEffects(one, family) !== sideEffects(other, family)))
    return { why: 'What is logged or marked would not be the same.' };
  const traffic = compareTraffic(one, other, { addresses });
  if (!traffic.proved)
    return { why: `It could not be proved to mean the same: ${traffic.why ?? 'no budget left'}.` };
  if (traffic.equal && traffic.answeredDifferently.length === 0) return {};
  const untrackedStates = onlyUntracked(traffic);
  return untrackedStates === undefined ? { why: differenceReason(traffic) } : { untrackedStates };
}

/** With a packet for which the two differ, what lets in before what keeps out. */
function differenceReason({
  opened,
  possiblyOpened,
  closed,
  possiblyClosed,
  answeredDifferently,
}: TrafficDiff): string {
  const [first] = [...opened, ...possiblyOpened, ...closed, ...possiblyClosed, ...answeredDifferently];
  const such =
    first === undefined ? '' : `, such as ${packetText(first.example)} (${first.example.state ?? 'NEW'})`;
  return `In the policy's words it would not mean the same for every packet${such}.`;
}

/** The states that are closed, when nothing else is, and connection tracking has no place for any of them. */
function onlyUntracked({
  opened,
  possiblyOpened,
  closed,
  possiblyClosed,
  answeredDifferently,
  omitted,
}: TrafficDiff): readonly string[] | undefined {
  const states = new Set(
    [...closed, ...possiblyClosed].flatMap(({ state }): readonly string[] =>
      state.length === 0 ? ['NEW'] : state,
    ),
  );
  const untrackedStates = [...states].every((state) => state === 'INVALID' || state === 'UNTRACKED');
  return untrackedStates &&
    omitted === undefined &&
    opened.length + possiblyOpened.length + answeredDifferently.length === 0
    ? [...states].toSorted()
    : undefined;
}

const DECIDING: ReadonlySet<string> = new Set(['ACCEPT', 'DROP', 'REJECT', 'RETURN']);

/** The rules of the owned chains that only write a log or a mark: no packet's fate tells of them. */
const sideEffects = (ruleset: Ruleset, family: Family): string =>
  ruleset[family]
    .flatMap(({ chains }) => chains)
    .filter(({ name }) => isOwned(name))
    .flatMap(({ name, rules }) =>
      rules
        .filter(({ target }) => target === undefined || !(target.chain || DECIDING.has(target.name)))
        .map((rule) => `${name} ${withoutComment(rule)}`),
    )
    .toSorted()
    .join('\n');

function differingChains(one: Ruleset, other: Ruleset, family: Family): readonly string[] {
  const [left, right] = [chainsOf(one, family), chainsOf(other, family)];
  return [...new Set([...left.keys(), ...right.keys()])].filter((name) => left.get(name) !== right.get(name));
}

const chainsOf = (ruleset: Ruleset, family: Family): ReadonlyMap<string, string> =>
  new Map(
    ruleset[family].flatMap(({ name, chains }) =>
      chains.map((chain) => [
        `${name} ${chain.name}`,
        [chain.policy ?? '', ...chain.rules.map(withoutComment)].join('\n'),
      ]),
    ),
  );

const setsText = ({ sets }: Ruleset): string =>
  sets
    .filter(({ name }) => isOwned(name))
    .map(({ name, members }) => `${name} ${members.toSorted().join(' ')}`)
    .toSorted()
    .join('\n');
