/** What names look like, and what is said of a name that nothing has. Names reach shells, paths and iptables. */
import { nearest } from '../lib/nearest.js';
import { error, type Problem, type SourceLocation } from '../lib/problem.js';

/** Of roles, networks, services and interfaces as the policy names them. */
export const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
/** A host name as in RFC 1123, with `_` for those who have it; it becomes a folder name. */
export const HOST_NAME = /^(?!.*\.\.)[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
/** The kernel takes 15 bytes; `+` at the end stands for every continuation. */
export const INTERFACE = /^(?=.{1,15}$)[A-Za-z0-9_][A-Za-z0-9_.@-]*\+?$/;
export const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;
/** An address or a DNS name, as ssh takes it. */
export const TARGET = /^[A-Za-z0-9_:](?:[A-Za-z0-9_.:-]{0,253}[A-Za-z0-9])?$/;

/** `There is no network "monitring". Did you mean monitoring?` */
export function undefinedName(
  kind: string,
  name: string,
  known: Iterable<string>,
  location: SourceLocation,
  otherwise: string,
): Problem {
  const near = nearest(name, [...known]) ?? nearest(name.toLowerCase(), [...known]);
  return error(
    `undefined-${kind}`,
    `There is no ${kind} "${name}".`,
    location,
    near === undefined ? otherwise : `Did you mean ${near}?`,
  );
}
