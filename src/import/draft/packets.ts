/** Compares the packets of statements: what the baseline has already decided, and what matches every packet. */
import type { StateName } from '../../policy/fleet.js';
import { isIcmp } from '../read/entry.js';
import type { Direction, Statement } from '../read/statement.js';

/** The parts of the baseline that a policy has; rules do the others. */
export interface BaselineParts {
  readonly loopback: boolean;
  readonly established: boolean;
  readonly invalid: boolean;
  readonly ssh: boolean;
}

/** The states that the baseline decides before any rule of a direction. */
export const takenStates = (parts: BaselineParts, direction: Direction): readonly StateName[] => [
  ...(parts.established ? (['established', 'related'] as const) : []),
  ...(parts.invalid && direction !== 'output' ? (['invalid'] as const) : []),
];

/** The statement for those of its packets that are not in `taken` states; `undefined` if there are none. */
export function withoutStates(statement: Statement, taken: readonly StateName[]): Statement | undefined {
  const { states, verb, services } = statement;
  if (states === 'usual') return statement;
  if (states === undefined) {
    const onlyNew = taken.length === 3 && verb === 'allow' && !services.every(isIcmp);
    return onlyNew ? { ...statement, states: ['new'] } : statement;
  }
  const left = states.filter((state) => !taken.includes(state));
  return left.length === 0 ? undefined : { ...statement, states: left };
}

/** The statement with `usual` states, if it is an allow of exactly what the policy means by one. */
export function withUsualStates(statement: Statement): Statement {
  const { verb, services, states } = statement;
  const usual = services.every(isIcmp) ? states === undefined : states?.length === 1 && states[0] === 'new';
  return verb === 'allow' && usual ? { ...statement, states: 'usual' } : statement;
}

/** The states that iptables tests; `undefined`: all. */
export const explicitStates = ({
  services,
  states,
}: Pick<Statement, 'services' | 'states'>): readonly StateName[] | undefined =>
  states !== 'usual' ? states : services.every(isIcmp) ? undefined : ['new'];

const isSubset = <T>(a: readonly T[] | undefined, b: readonly T[] | undefined): boolean =>
  b === undefined || (a?.every((one) => b.includes(one)) ?? false);

/** Whether an earlier statement with the same verdict matches every packet of a statement. */
export const coveredBy = (statement: Statement, earlier: Statement): boolean =>
  earlier.verb === statement.verb &&
  earlier.rate === undefined &&
  earlier.except === undefined &&
  statement.log === undefined &&
  (statement.verb === 'allow' || statement.verb === 'deny') &&
  (earlier.services.includes('any') ||
    statement.services.every(
      (service) =>
        earlier.services.includes(service) || (earlier.services.includes('icmp') && isIcmp(service)),
    )) &&
  isSubset(explicitStates(statement), explicitStates(earlier)) &&
  isSubset(statement.from, earlier.from) &&
  isSubset(statement.to, earlier.to) &&
  (earlier.in === undefined || earlier.in === statement.in) &&
  (earlier.out === undefined || earlier.out === statement.out);

/** Whether a statement matches every packet. */
export const matchesEverything = (statement: Statement): boolean =>
  statement.services.includes('any') &&
  (['from', 'to', 'except', 'in', 'out', 'states', 'rate'] as const).every(
    (field) => statement[field] === undefined,
  );
