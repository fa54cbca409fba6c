/** The hosts of a policy with their addresses and roles, before any rule is read; and selections of hosts. */
import { addError, error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { readAddress } from '../addresses.js';
import type { PolicyFiles } from '../files/files.js';
import type { HostFile } from '../files/schema.js';
import type { Source } from '../files/yaml.js';
import { undefinedName } from '../names.js';
import { type NameRefs, nameRefs } from './refs.js';
import { expandRoles, roleCycles } from './roles.js';

export interface HostIndex {
  /** Host → its roles, ordered by host name. */
  readonly roles: ReadonlyMap<string, readonly string[]>;
  /** Role → hosts. */
  readonly hostsOf: ReadonlyMap<string, readonly string[]>;
  /** Host → its addresses, `undefined` for an invalid host. */
  readonly addresses: ReadonlyMap<string, readonly string[] | undefined>;
  readonly identities: ReadonlyMap<string, Identity>;
  /** False when a host or role may be missing because its file is invalid. */
  readonly complete: boolean;
}

/** Reads addresses and roles of all hosts. */
export function indexHosts(files: PolicyFiles, problems: Problem[]): HostIndex {
  const includes = new Map<string, NameRefs | undefined>(
    [...files.broken.roles].map((name) => [name, undefined]),
  );
  for (const { name, file, source } of files.roles)
    includes.set(name, file.roles && nameRefs(source, file, 'roles', file.roles));
  problems.push(...roleCycles(includes));
  for (const refs of includes.values()) expandRoles(refs, includes, problems);
  const roles = new Map<string, readonly string[]>();
  const addresses = new Map<string, readonly string[] | undefined>();
  const identities = new Map<string, Identity>();
  for (const { name, file, source, location } of files.hosts) {
    const refs = file.roles && nameRefs(source, file, 'roles', file.roles);
    roles.set(name, expandRoles(refs, includes, problems));
    const identity = identify(name, file, source, location, problems);
    addresses.set(name, identity?.addresses);
    if (identity !== undefined) identities.set(name, identity);
  }
  for (const name of files.broken.hosts) addresses.set(name, undefined);
  const hostsOf = new Map<string, string[]>([...includes.keys()].map((name) => [name, []]));
  for (const [host, own] of roles) for (const role of own) hostsOf.get(role)?.push(host);
  const complete = files.hostsComplete && files.broken.hosts.size === 0 && files.broken.roles.size === 0;
  return { roles, hostsOf, addresses, identities, complete };
}

interface Identity {
  readonly address: string;
  readonly addresses: readonly string[];
}

/** The unspecified address, multicast, and what RFC 1112 reserves, including broadcast. */
const NO_HOST = /^(?:0\.|(?:22[4-9]|2[345]\d)\.|::$|ff[\da-f]{2}:)/;

/** The SSH destination and all addresses of a host; `undefined` when it has no valid address. */
function identify(
  name: string,
  file: HostFile,
  source: Source,
  location: SourceLocation,
  problems: Problem[],
): Identity | undefined {
  const before = problems.length;
  const found: string[] = [];
  const add = (text: string, at: SourceLocation): string => {
    const address = readAddress(text);
    if ('id' in address) {
      const hint = address.hint ?? 'Write an address without a prefix length.';
      addError(problems, address.id, address.message, { location: at, hint });
      return text;
    }
    if (NO_HOST.test(address.text)) {
      const hint = 'Write an address of one of its interfaces.';
      addError(problems, 'bad-address', `${address.text} is not a valid host address.`, {
        location: at,
        hint,
      });
    } else if (!found.includes(address.text)) found.push(address.text);
    return address.text;
  };
  const isLiteral = /^[\d.]+$|:/.test(file.address ?? '');
  const address =
    file.address !== undefined && isLiteral ? add(file.address, source.at(file, 'address')) : file.address;
  for (const [index, text] of (file.addresses ?? []).entries())
    add(text, source.at(file.addresses ?? [], index));
  const destination = address ?? found[0];
  if (problems.length > before) return undefined;
  if (destination !== undefined && found.length > 0) return { address: destination, addresses: found };
  problems.push(
    destination === undefined
      ? error('host-without-address', `Host "${name}" has no address.`, { location, hint: 'Add "address".' })
      : error('host-without-address', `Host "${name}" has a DNS name but no address.`, {
          location: source.at(file, 'address'),
          hint: 'Add "addresses" with all of them: rules and proofs need them.',
        }),
  );
  return undefined;
}

/** The hosts that a key names by host name, `role:NAME` or `all`, ordered by name. */
export function selectedHosts(
  source: Source,
  container: object,
  key: string,
  value: string | readonly string[],
  { roles, hostsOf, addresses, complete }: HostIndex,
  problems: Problem[],
): readonly string[] {
  const names = [...roles.keys()];
  const chosen = new Set<string>();
  const refs = nameRefs(source, container, key, value);
  for (const [index, text] of refs.texts.entries()) {
    const role = text.startsWith('role:') ? text.slice(5) : undefined;
    const hosts =
      text === 'all' ? names : role === undefined ? names.filter((name) => name === text) : hostsOf.get(role);
    for (const host of hosts ?? []) chosen.add(host);
    if ((hosts !== undefined && hosts.length > 0) || !complete) continue;
    const location = refs.at(index);
    if (role !== undefined && hosts !== undefined)
      addError(problems, 'empty-role', `Role "${role}" has no hosts.`, { location });
    else {
      const [kind, known] = role === undefined ? ['host', addresses] : ['role', hostsOf];
      const hint = 'Write host names, role:NAME or all.';
      problems.push(undefinedName(kind, role ?? text, known.keys(), location, hint));
    }
  }
  return names.filter((name) => chosen.has(name));
}
