/** Statements that can be one: neighbours that differ in one thing, and the same in both families. */
import type { Family } from '../../lib/family.js';
import type { FamilyStatement } from '../read/entry.js';
import type { Origin } from '../read/flatten.js';
import type { NatStatement, Statement, StatementRate } from '../read/statement.js';
import { explicitStates } from './packets.js';

/** A line, and the rules it was. */
export interface DraftRule extends FamilyStatement {
  readonly origins: readonly Origin[];
}

const DIMENSIONS = ['services', 'from', 'to'] as const;
type Dimension = (typeof DIMENSIONS)[number];
type AnyStatement = Statement | NatStatement;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Everything but one dimension and the names of the rules, in a fixed order of keys. */
const otherFields = (statement: AnyStatement, dimension: Dimension): string =>
  JSON.stringify(
    Object.entries(statement)
      .filter(([key]) => key !== dimension && key !== 'answer' && key !== 'states')
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

/** In the words of the policy, or as iptables asks for them. */
const sameStates = (a: AnyStatement, b: AnyStatement): boolean =>
  a.kind === 'nat' ||
  b.kind === 'nat' ||
  same(a.states, b.states) ||
  same(explicitStates(a), explicitStates(b));

/** The dimension in which two statements may be put together; `undefined` when they may not. */
function joinDimension(a: AnyStatement, b: AnyStatement): Dimension | undefined {
  // Two limits count apart, and two logs write twice.
  if (a.kind === 'rule' && (a.rate ?? a.log) !== undefined && a.comment === undefined) return undefined;
  return DIMENSIONS.find((dimension) => {
    if (otherFields(a, dimension) !== otherFields(b, dimension)) return false;
    if (!sameStates(a, b)) return false;
    if (dimension === 'services') return true;
    return a[dimension] !== undefined && b[dimension] !== undefined;
  });
}

/** Terms without those that another one covers. */
function services(terms: readonly string[]): readonly string[] {
  if (terms.includes('any')) return ['any'];
  const kept = terms.filter((term) => {
    const [protocol] = term.split('/');
    return !terms.includes(protocol ?? '') || term === protocol;
  });
  return [...new Set(kept)];
}

function joined(a: AnyStatement, b: AnyStatement, dimension: Dimension): AnyStatement {
  if (dimension === 'services') {
    const all = services([...a.services, ...b.services]);
    if (a.kind === 'nat' || b.kind === 'nat' || same(a.states, b.states)) return { ...a, services: all };
    const { states, ...others } = a;
    const plain = explicitStates(a);
    return { ...others, services: all, ...(plain === undefined ? {} : { states: plain }) };
  }
  return { ...a, [dimension]: [...new Set([...(a[dimension] ?? []), ...(b[dimension] ?? [])])] };
}

/** A LOG right before the verdict on the same packets is that verdict's. */
function logged(a: Statement, b: Statement): Statement | undefined {
  if (a.verb !== 'log' || b.verb === 'log' || b.log !== undefined || b.rate !== undefined) return undefined;
  const bare = ({ verb, log, answer, comment, kind, direction, states, ...packets }: Statement) => [
    explicitStates({ services: packets.services, ...(states === undefined ? {} : { states }) }),
    Object.entries(packets).toSorted(),
  ];
  if (!same(bare(a), bare(b)) || (a.comment !== undefined && a.comment !== b.comment)) return undefined;
  return a.log === undefined ? undefined : { ...b, log: a.log };
}

function joinTwo(a: DraftRule, b: DraftRule, which: JoinKind): DraftRule | undefined {
  const [one, other] = [a.statement, b.statement];
  if (one.kind === 'raw' || other.kind === 'raw' || !same(a.families, b.families)) return undefined;
  const origins = [...a.origins, ...b.origins];
  const withLog = one.kind === 'rule' && other.kind === 'rule' ? logged(one, other) : undefined;
  if (withLog !== undefined) return { ...b, statement: withLog, origins };
  const dimension = joinDimension(one, other);
  if (which === 'sides' && dimension === 'services' && one.comment === undefined) return undefined;
  return dimension && { ...a, statement: joined(one, other, dimension), origins };
}

/**
 * `sides`: what is one statement for certain, by its addresses or a common comment. Services of statements that have
 * none are put together once both families are, or what they share would be said twice.
 */
type JoinKind = 'sides' | 'all';

/** Neighbours put together as long as any can be: what is not next to each other keeps its order. */
export function joinNeighbours(lines: readonly DraftRule[], which: JoinKind): readonly DraftRule[] {
  let now = lines;
  for (;;) {
    const next: DraftRule[] = [];
    for (const line of now) {
      const before = next.at(-1);
      const both = before && joinTwo(before, line, which);
      if (both === undefined) next.push(line);
      else next[next.length - 1] = both;
    }
    if (next.length === now.length) return next;
    now = next;
  }
}

/** What must be equal for two lines of the two families to be one: all but which addresses, and whose count it is. */
function pairKey({ statement }: DraftRule): string {
  if (statement.kind === 'raw') return JSON.stringify(statement);
  const { from, to, ...others } = statement;
  const shape = { ...others, from: from !== undefined, to: to !== undefined };
  return JSON.stringify(
    Object.entries(shape)
      .filter(([key]) => key !== 'except' && key !== 'answer')
      .map(([key, value]) =>
        key === 'rate' ? [key, { ...(value as StatementRate), bucket: '' }] : [key, value],
      )
      .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  );
}

function paired(a: DraftRule, b: DraftRule): DraftRule {
  const families: readonly Family[] = ['v4', 'v6'];
  return { statement: ofBoth(a.statement, b.statement), families, origins: [...a.origins, ...b.origins] };
}

function ofBoth(a: DraftRule['statement'], b: DraftRule['statement']): DraftRule['statement'] {
  if (a.kind === 'raw' || b.kind === 'raw') return a;
  const [from, to] = [listed(a.from, b.from), listed(a.to, b.to)];
  const sides = { ...(from && { from }), ...(to && { to }) };
  if (a.kind === 'nat' || b.kind === 'nat') return { ...a, ...sides };
  const except = listed(a.except, b.except);
  return { ...a, ...sides, ...(except && { except }) };
}

const listed = (a: readonly string[] = [], b: readonly string[] = []): readonly string[] | undefined =>
  a.length + b.length === 0 ? undefined : [...a, ...b];

/** Both families' lines in one list that keeps the order of each: as many as possible stand for both. */
export function joinFamilies(v4: readonly DraftRule[], v6: readonly DraftRule[]): readonly DraftRule[] {
  const [a, b] = [v4.map(pairKey), v6.map(pairKey)];
  const width = b.length + 1;
  const length = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => length[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      length[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const all: DraftRule[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [one, other] = [v4[i], v6[j]];
    if (one !== undefined && other !== undefined && a[i] === b[j]) {
      all.push(paired(one, other));
      i++;
      j++;
    } else if (one !== undefined && (other === undefined || at(i + 1, j) >= at(i, j + 1))) {
      all.push(one);
      i++;
    } else if (other !== undefined) {
      all.push(other);
      j++;
    }
  }
  return all;
}
