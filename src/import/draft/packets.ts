/** What statements take of each other: what the baseline says already, and where a chain ends. */
import type { StateName } from '../../policy/fleet.js';
import { isIcmp } from '../read/entry.js';
import type { Direction, Statement } from '../read/statement.js';

/** The parts of the baseline that a policy has; the others are left to its rules. */
export interface Parts {
  readonly loopback: boolean;
  readonly established: boolean;
  readonly invalid: boolean;
  readonly ssh: boolean;
}

/** The states that the baseline has taken before any rule of a direction. */
export const takenStates = (parts: Parts, direction: Direction): readonly StateName[] => [
  ...(parts.established ? (['established', 'related'] as const) : []),
  ...(parts.invalid && direction !== 'output' ? (['invalid'] as const) : []),
];

/** The statement about what is left of its packets; `undefined` when nothing is. */
export function afterStates(said: Statement, taken: readonly StateName[]): Statement | undefined {
  const { states, verb, services } = said;
  if (states === 'usual') return said;
  if (states === undefined) {
    const onlyNew = taken.length === 3 && verb === 'allow' && !services.every(isIcmp);
    return onlyNew ? { ...said, states: ['new'] } : said;
  }
  const left = states.filter((state) => !taken.includes(state));
  return left.length === 0 ? undefined : { ...said, states: left };
}

/** An allow of exactly what the policy means by one says so. */
export function inUsualStates(said: Statement): Statement {
  const { verb, services, states } = said;
  const usual = services.every(isIcmp) ? states === undefined : states?.length === 1 && states[0] === 'new';
  return verb === 'allow' && usual ? { ...said, states: 'usual' } : said;
}

/** The states as iptables asks for them. */
export const plainStates = ({
  services,
  states,
}: Pick<Statement, 'services' | 'states'>): readonly StateName[] | undefined =>
  states !== 'usual' ? states : services.every(isIcmp) ? undefined : ['new'];

const isSubset = <T>(a: readonly T[] | undefined, b: readonly T[] | undefined): boolean =>
  b === undefined || (a?.every((one) => b.includes(one)) ?? false);

/** Whether an earlier statement with the same verdict has taken every packet of another. */
export const coveredBy = (said: Statement, earlier: Statement): boolean =>
  earlier.verb === said.verb &&
  earlier.rate === undefined &&
  earlier.except === undefined &&
  said.log === undefined &&
  (said.verb === 'allow' || said.verb === 'deny') &&
  (earlier.services.includes('any') ||
    said.services.every(
      (service) =>
        earlier.services.includes(service) || (earlier.services.includes('icmp') && isIcmp(service)),
    )) &&
  isSubset(plainStates(said), plainStates(earlier)) &&
  isSubset(said.from, earlier.from) &&
  isSubset(said.to, earlier.to) &&
  (earlier.in === undefined || earlier.in === said.in) &&
  (earlier.out === undefined || earlier.out === said.out);

/** Whether it is about every packet. */
export const isEverything = (said: Statement): boolean =>
  said.services.includes('any') &&
  [said.from, said.to, said.except, said.in, said.out, said.states, said.rate].every(
    (part) => part === undefined,
  );
