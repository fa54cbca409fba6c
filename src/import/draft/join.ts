/** Merges statements: neighbours that differ in one field, and the same statement in both families. */
import { FAMILIES } from '../../lib/family.js';
import type { FamilyStatement } from '../read/entry.js';
import type { Origin } from '../read/flatten.js';
import type { NatStatement, Statement } from '../read/statement.js';
import { explicitStates } from './packets.js';

/** A rule of the policy, and the iptables rules it comes from. */
export interface DraftRule extends FamilyStatement {
  readonly origins: readonly Origin[];
}

const DIMENSIONS = ['services', 'from', 'to'] as const;
type Dimension = (typeof DIMENSIONS)[number];
type AnyStatement = Statement | NatStatement;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The defined fields of a statement as text, in a fixed order; those of `ignored` are left out. */
const fieldsText = (fields: object, ignored: readonly string[]): string =>
  JSON.stringify(
    Object.entries(fields)
      .filter(([key, value]) => value !== undefined && !ignored.includes(key))
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

/** As the policy writes states, or as iptables tests them. */
const sameStates = (a: AnyStatement, b: AnyStatement): boolean =>
  a.kind === 'nat' ||
  b.kind === 'nat' ||
  same(a.states, b.states) ||
  same(explicitStates(a), explicitStates(b));

/** The one field in which two statements differ and can be merged; `undefined` if there is none. */
function joinDimension(a: AnyStatement, b: AnyStatement): Dimension | undefined {
  // Two limits count separately, and two logs write twice.
  if (a.kind === 'rule' && (a.rate ?? a.log) !== undefined && a.comment === undefined) return undefined;
  if (!sameStates(a, b)) return undefined;
  return DIMENSIONS.find((dimension) => {
    const ignored = [dimension, 'answer', 'states'];
    if (fieldsText(a, ignored) !== fieldsText(b, ignored)) return false;
    return dimension === 'services' || (a[dimension] !== undefined && b[dimension] !== undefined);
  });
}

/** Services without those that another one includes. */
function distinctServices(terms: readonly string[]): readonly string[] {
  if (terms.includes('any')) return ['any'];
  const kept = terms.filter((term) => {
    const [protocol = ''] = term.split('/');
    return !terms.includes(protocol) || term === protocol;
  });
  return [...new Set(kept)];
}

function joined(a: AnyStatement, b: AnyStatement, dimension: Dimension): AnyStatement {
  if (dimension !== 'services')
    return { ...a, [dimension]: [...new Set([...(a[dimension] ?? []), ...(b[dimension] ?? [])])] };
  const services = distinctServices([...a.services, ...b.services]);
  return a.kind === 'nat' || b.kind === 'nat' || same(a.states, b.states)
    ? { ...a, services }
    : { ...a, services, states: explicitStates(a) };
}

/** A LOG directly before the verdict on the same packets becomes the log of that verdict. */
function withLog(a: Statement, b: Statement): Statement | undefined {
  if (a.verb !== 'log' || b.verb === 'log' || b.log !== undefined || b.rate !== undefined) return undefined;
  const packets = (statement: Statement): string =>
    fieldsText({ ...statement, states: explicitStates(statement) }, [
      'verb',
      'log',
      'answer',
      'comment',
      'kind',
      'direction',
    ]);
  if (packets(a) !== packets(b) || (a.comment !== undefined && a.comment !== b.comment)) return undefined;
  return a.log === undefined ? undefined : { ...b, log: a.log };
}

function joinTwo(a: DraftRule, b: DraftRule, kind: JoinKind): DraftRule | undefined {
  const [one, other] = [a.statement, b.statement];
  if (one.kind === 'raw' || other.kind === 'raw' || !same(a.families, b.families)) return undefined;
  const origins = [...a.origins, ...b.origins];
  const logged = one.kind === 'rule' && other.kind === 'rule' ? withLog(one, other) : undefined;
  if (logged !== undefined) return { ...b, statement: logged, origins };
  const dimension = joinDimension(one, other);
  if (kind === 'addresses' && dimension === 'services' && one.comment === undefined) return undefined;
  return dimension && { ...a, statement: joined(one, other, dimension), origins };
}

/**
 * `addresses`: only statements that certainly belong together, because they differ in their addresses or share a comment.
 * Services of statements without comments are merged after both families are (`all`): otherwise statements that the
 * families share could no longer be found.
 */
type JoinKind = 'addresses' | 'all';

/** Merges neighbours until none can be merged; statements that are not neighbours keep their order. */
export function joinNeighbours(rules: readonly DraftRule[], kind: JoinKind): readonly DraftRule[] {
  let now = rules;
  for (;;) {
    const next: DraftRule[] = [];
    for (const rule of now) {
      const before = next.at(-1);
      const both = before && joinTwo(before, rule, kind);
      if (both === undefined) next.push(rule);
      else next[next.length - 1] = both;
    }
    if (next.length === now.length) return next;
    now = next;
  }
}

/** What must be equal for rules of two families to be one: everything but the addresses and the bucket of a limit. */
function pairKey({ statement }: DraftRule): string {
  if (statement.kind === 'raw') return JSON.stringify(statement);
  const rate = statement.kind === 'rule' ? statement.rate : undefined;
  return fieldsText(
    {
      ...statement,
      from: statement.from !== undefined,
      to: statement.to !== undefined,
      rate: rate && { ...rate, bucket: '' },
    },
    ['except', 'answer'],
  );
}

const paired = (a: DraftRule, b: DraftRule): DraftRule => ({
  statement: inBothFamilies(a.statement, b.statement),
  families: FAMILIES,
  origins: [...a.origins, ...b.origins],
});

function inBothFamilies(a: DraftRule['statement'], b: DraftRule['statement']): DraftRule['statement'] {
  if (a.kind === 'raw' || b.kind === 'raw') return a;
  const both = { ...a, from: concatenated(a.from, b.from), to: concatenated(a.to, b.to) };
  if (both.kind === 'nat' || b.kind === 'nat') return both;
  return { ...both, except: concatenated(both.except, b.except) };
}

const concatenated = (a: readonly string[] = [], b: readonly string[] = []): readonly string[] | undefined =>
  a.length + b.length === 0 ? undefined : [...a, ...b];

/** The rules of both families in one list that keeps the order of each, with the most pairs (longest common subsequence). */
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
