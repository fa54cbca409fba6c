/** Whether two rulesets of a host are equivalent: rule for rule, or in their effect on every packet. */
import { isOwned } from '../compile/names.js';
import { FAMILIES, type Family } from '../lib/family.js';
import { diffSets } from '../netfilter/diff.js';
import type { IpSet, Ruleset, TableName, Tables } from '../netfilter/model.js';
import { equalTables, TABLE_NAMES } from '../netfilter/tables.js';
import { withoutComment } from '../netfilter/text/print.js';
import type { TrafficDiff } from '../traffic/model.js';
import { compareTraffic } from '../traffic/questions/compare.js';
import { packetText } from '../traffic/trace/sentences.js';

export interface Equivalence {
  /** Why they are not equivalent. */
  readonly why?: string;
  /** The exception, if there is one: packets in these states (INVALID, UNTRACKED) that only the first accepts. */
  readonly untrackedStates?: readonly string[];
}

/** Compares the rules without their comments; if they differ, the traffic of a host with these addresses. */
export function equivalence(one: Ruleset, other: Ruleset, addresses: readonly string[]): Equivalence {
  const differing = TABLE_NAMES.filter((table) =>
    FAMILIES.some((family) => !equalTables(plainTable(one, family, table), plainTable(other, family, table))),
  );
  if (differing.length === 0 && diffSets(ownedSets(one), ownedSets(other)).length === 0) return {};
  // NAT and marks change more than which packets are accepted.
  if (differing.some((table) => table !== 'filter'))
    return { why: 'The policy cannot express its position among the other rules.' };
  if (FAMILIES.some((family) => sideEffects(one, family) !== sideEffects(other, family)))
    return { why: 'Other packets would be logged or marked.' };
  const traffic = compareTraffic(one, other, { addresses });
  if (!traffic.proved)
    return { why: `Equal traffic could not be proved: ${traffic.why ?? 'no budget left'}.` };
  if (traffic.equal && traffic.answeredDifferently.length === 0) return {};
  const untrackedStates = onlyUntracked(traffic);
  return untrackedStates === undefined ? { why: differenceReason(traffic) } : { untrackedStates };
}

const plainTable = (ruleset: Ruleset, family: Family, table: TableName): Tables =>
  ruleset[family]
    .filter(({ name }) => name === table)
    .map(({ name, chains }) => ({
      name,
      chains: chains.map((chain) => ({
        ...chain,
        rules: chain.rules.map((rule) => ({ ...rule, text: withoutComment(rule) })),
      })),
    }));

const ownedSets = ({ sets }: Ruleset): readonly IpSet[] => sets.filter(({ name }) => isOwned(name));

/** With an example packet, of newly accepted traffic first. */
function differenceReason(traffic: TrafficDiff): string {
  const { opened, possiblyOpened, closed, possiblyClosed, answeredDifferently } = traffic;
  const [first] = [...opened, ...possiblyOpened, ...closed, ...possiblyClosed, ...answeredDifferently];
  const example =
    first === undefined ? '' : `, such as ${packetText(first.example)} (${first.example.state ?? 'NEW'})`;
  return `As an entry of the policy it would not have the same effect on every packet${example}.`;
}

/** The states of closed packets, if nothing else differs and connection tracking follows none of them. */
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
  return [...states].every((state) => state === 'INVALID' || state === 'UNTRACKED') &&
    omitted === undefined &&
    opened.length + possiblyOpened.length + answeredDifferently.length === 0
    ? [...states].toSorted()
    : undefined;
}

const VERDICTS: ReadonlySet<string> = new Set(['ACCEPT', 'DROP', 'REJECT', 'RETURN']);

/** The rules of owned chains that only log or mark, which a comparison of traffic does not see. */
const sideEffects = (ruleset: Ruleset, family: Family): string =>
  ruleset[family]
    .flatMap(({ chains }) => chains)
    .filter(({ name }) => isOwned(name))
    .flatMap(({ name, rules }) =>
      rules
        .filter(({ target }) => target === undefined || !(target.chain || VERDICTS.has(target.name)))
        .map((rule) => `${name} ${withoutComment(rule)}`),
    )
    .toSorted()
    .join('\n');
