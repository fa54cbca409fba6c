/** The forms of names, which reach shells, paths and iptables; and the problem of an undefined name. */
import { nearest } from '../lib/nearest.js';
import { error, type Problem, type SourceLocation } from '../lib/problem.js';

/** Names of roles, networks, services and interfaces in the policy. */
export const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
/** A host name as in RFC 1123, with `_` as well; it becomes a folder name. */
export const HOST_NAME = /^(?!.*\.\.)[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
/** Form of a name, as a hint. */
export const NAME_HINT =
  'Use letters, digits, "-" and "_", starting with a letter; host names may contain ".".';
/** A kernel interface: at most 15 bytes; `+` at the end matches any suffix. */
export const INTERFACE = /^(?=.{1,15}$)[A-Za-z0-9_][A-Za-z0-9_.@-]*\+?$/;
export const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;
/** An address or a DNS name, as ssh takes it. */
export const TARGET = /^[A-Za-z0-9_:](?:[A-Za-z0-9_.:-]{0,253}[A-Za-z0-9])?$/;

/** `Unknown network "monitring". Did you mean monitoring?`, or the other hint when no name is similar. */
export function undefinedName(
  kind: string,
  name: string,
  known: Iterable<string>,
  location: SourceLocation,
  otherwise: string,
): Problem {
  const near = nearest(name, [...known]) ?? nearest(name.toLowerCase(), [...known]);
  const hint = near === undefined ? otherwise : `Did you mean ${near}?`;
  return error(`undefined-${kind}`, `Unknown ${kind} "${name}".`, { location, hint });
}
