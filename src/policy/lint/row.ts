/** The shape of a lint: one row in a table. */
import type { Level, SourceLocation } from '../../lib/problem.js';
import type { Fleet, Host, PolicyRule } from '../fleet.js';

export interface Lint {
  /** Stable: what `accept:` names. */
  readonly id: string;
  readonly level: Exclude<Level, 'error'>;
  readonly check: (fleet: Fleet) => readonly Found[];
}

export interface Found {
  readonly message: string;
  readonly hint: string;
  readonly location: SourceLocation;
  /** The role or host that says it; absent: the fleet. */
  readonly origin?: string;
}

/** A check of every rule of every host, in the order in which they apply. */
export const eachRule =
  (check: (rule: PolicyRule, host: Host) => Omit<Found, 'location' | 'origin'> | undefined) =>
  (fleet: Fleet): readonly Found[] =>
    fleet.hosts.flatMap((host) =>
      rulesOf(host).flatMap((rule) => {
        const found = check(rule, host);
        return found === undefined ? [] : [{ ...found, location: rule.location, origin: rule.origin }];
      }),
    );

export const rulesOf = (host: Host): readonly PolicyRule[] => [
  ...host.input,
  ...host.output,
  ...host.forward,
];

/** A check of every host as such. */
export const eachHost =
  (check: (host: Host) => Omit<Found, 'location' | 'origin'> | undefined) =>
  (fleet: Fleet): readonly Found[] =>
    fleet.hosts.flatMap((host) => {
      const found = check(host);
      return found === undefined ? [] : [{ ...found, location: host.location, origin: host.name }];
    });
