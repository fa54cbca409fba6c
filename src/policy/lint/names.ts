/** Lints for unused definitions and expiring rules. */
import type { Fleet } from '../fleet.js';
import { daysBetween } from '../values.js';
import { eachHost, eachRule, type Finding, type Lint } from './row.js';

const WARN_DAYS = 14;
const todayOf = (fleet: Fleet): string => fleet.today ?? new Date().toISOString().slice(0, 10);

const expired = (fleet: Fleet): readonly Finding[] =>
  fleet.hosts.flatMap(({ expired: rules }) =>
    rules.map(({ expires, location, origin }) => ({
      message: `The rule expired on ${expires} and is not deployed.`,
      hint: 'Remove it, or set a new date.',
      location,
      origin,
    })),
  );

function soon(fleet: Fleet): readonly Finding[] {
  const today = todayOf(fleet);
  return eachRule(({ expires }) => {
    const days = expires === undefined ? undefined : daysBetween(today, expires);
    if (days === undefined || days < 0 || days > WARN_DAYS) return undefined;
    const when = days === 0 ? 'today' : days === 1 ? 'tomorrow' : `in ${days} days`;
    return {
      message: `The rule expires ${when}, at the end of ${expires} (UTC).`,
      hint: 'Set a new date if it is still needed.',
    };
  })(fleet);
}

const unused = ({ definitions = [] }: Fleet): readonly Finding[] =>
  definitions
    .filter(({ used }) => !used)
    .map(({ kind, name, location }) => ({
      message: `Unused ${kind} "${name}".`,
      hint: kind === 'role' ? 'Assign it to a host, or delete the file.' : 'Use it, or remove it.',
      location,
    }));

const idleMayRemove = ({ ownership, mayRemove }: Fleet): readonly Finding[] =>
  mayRemove === undefined || ownership === 'tables'
    ? []
    : [
        {
          message:
            '"may_remove" has no effect with "ownership: chains", which keeps the rules of other programs.',
          hint: 'Remove it, or write "ownership: tables".',
          location: mayRemove.location,
        },
      ];

export const NAMES: readonly Lint[] = [
  { id: 'expired', level: 'warning', check: expired },
  { id: 'expires-soon', level: 'warning', check: soon },
  { id: 'never-used', level: 'note', check: unused },
  { id: 'idle-may-remove', level: 'note', check: idleMayRemove },
  {
    id: 'host-name-address',
    level: 'warning',
    check: eachHost(({ address, addresses, name }) =>
      addresses.includes(address)
        ? undefined
        : {
            message: `SSH connects to host "${name}" by the DNS name ${address}, so a deploy depends on name resolution.`,
            hint: 'Write one of its addresses as "address".',
          },
    ),
  },
];
