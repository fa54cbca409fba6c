/** The type of a lint, one row in a table; and lints that check each rule or each host. */
import type { Level, SourceLocation } from '../../lib/problem.js';
import type { Fleet, Host, PolicyRule } from '../fleet.js';

export interface Lint {
  /** Stable: `accept` refers to it. */
  readonly id: string;
  readonly level: Level;
  readonly check: (fleet: Fleet) => readonly Finding[];
}

export interface Message {
  readonly message: string;
  readonly hint: string;
}

export interface Finding extends Message {
  readonly location: SourceLocation;
  /** Role or host whose file it is in; absent for the fleet. */
  readonly origin?: string;
}

/** Runs a check on every rule of every host, in the order in which they apply. */
export const eachRule =
  (check: (rule: PolicyRule, host: Host) => Message | undefined) =>
  (fleet: Fleet): readonly Finding[] =>
    fleet.hosts.flatMap((host) =>
      rulesOf(host).flatMap((rule) => {
        const found = check(rule, host);
        return found === undefined ? [] : [{ ...found, location: rule.location, origin: rule.origin }];
      }),
    );

const rulesOf = (host: Host): readonly PolicyRule[] => [...host.input, ...host.output, ...host.forward];

/** Runs a check on every host. */
export const eachHost =
  (check: (host: Host) => Message | undefined) =>
  (fleet: Fleet): readonly Finding[] =>
    fleet.hosts.flatMap((host) => {
      const found = check(host);
      return found === undefined ? [] : [{ ...found, location: host.location, origin: host.name }];
    });
