/** Names and dates: what is defined and not used, what runs out. */
import type { Fleet } from '../fleet.js';
import { daysBetween } from '../values.js';
import { eachHost, eachRule, type Found, type Lint } from './row.js';

const WARN_DAYS = 14;
const todayOf = (fleet: Fleet): string => fleet.today ?? new Date().toISOString().slice(0, 10);

const expired = (fleet: Fleet): readonly Found[] =>
  fleet.hosts.flatMap(({ expired: rules }) =>
    rules.map(({ expires, location, origin }) => ({
      message: `The rule expired on ${expires} and is left out.`,
      hint: 'Remove it, or give it a new day.',
      location,
      origin,
    })),
  );

function soon(fleet: Fleet): readonly Found[] {
  const today = todayOf(fleet);
  return eachRule(({ expires }) => {
    const days = expires === undefined ? undefined : daysBetween(today, expires);
    if (days === undefined || days < 0 || days > WARN_DAYS) return undefined;
    const when = days === 0 ? 'today' : days === 1 ? 'tomorrow' : `in ${days} days`;
    return {
      message: `The rule expires ${when}, at the end of ${expires}, UTC.`,
      hint: 'Give it a new day if it is still needed.',
    };
  })(fleet);
}

const unused = ({ definitions = [] }: Fleet): readonly Found[] =>
  definitions
    .filter(({ used }) => !used)
    .map(({ kind, name, location }) => ({
      message: kind === 'role' ? `No host has the role ${name}.` : `Nothing uses the ${kind} ${name}.`,
      hint: kind === 'role' ? 'Give it to a host, or delete the file.' : 'Remove it, or use it.',
      location,
    }));

const idleMayRemove = ({ ownership, mayRemove }: Fleet): readonly Found[] =>
  mayRemove === undefined || ownership === 'tables'
    ? []
    : [
        {
          message: '"may_remove" says nothing while "ownership" is chains: rules of others stay.',
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
            message: `SSH finds ${name} by the name ${address}, so a deploy depends on name resolution.`,
            hint: 'Write one of its addresses as "address:".',
          },
    ),
  },
];
