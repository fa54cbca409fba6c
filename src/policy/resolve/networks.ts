/** What `from`, `to`, `except`, `admin` and the networks themselves name, as addresses. */
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { type FamilyRanges, rangesOf, readNetwork, toSet, uniteRanges } from '../addresses.js';
import { NETWORKS } from '../builtin.js';
import type { AddressSet } from '../fleet.js';
import { undefinedName } from '../names.js';

/** Terms with the place of each. */
export interface NameRefs {
  readonly texts: readonly string[];
  readonly at: (index: number) => SourceLocation;
}

export interface AddressNames {
  readonly networks: ReadonlyMap<string, NameRefs>;
  /** Addresses without prefix length; `undefined` for a host that is itself at fault. */
  readonly hosts: ReadonlyMap<string, readonly string[] | undefined>;
  /** The hosts that have the role. */
  readonly roles: ReadonlyMap<string, readonly string[]>;
  /** Names that stand in a part of the policy that could not be read are not reported as missing. */
  readonly complete: { readonly networks: boolean; readonly hosts: boolean; readonly roles: boolean };
  /** Defined, but at fault elsewhere. */
  readonly broken: ReadonlySet<string>;
}

export interface AddressResolver {
  /** `undefined` when a term is at fault; the problem is then reported, once a place. */
  readonly resolve: (terms: NameRefs) => AddressSet | undefined;
  readonly network: (name: string) => AddressSet | undefined;
  /** Names of networks that something refers to. */
  readonly used: ReadonlySet<string>;
}

export function addressResolver(names: AddressNames, problems: Problem[]): AddressResolver {
  const used = new Set<string>();
  const done = new Map<string, FamilyRanges | undefined>();
  const sets = new Map<string, AddressSet>();
  const open: string[] = [];

  const network = (name: string, location: SourceLocation): FamilyRanges | undefined => {
    if (done.has(name)) return done.get(name);
    const terms = names.networks.get(name);
    if (terms === undefined) return names.broken.has(name) ? undefined : builtIn(name, location);
    if (open.includes(name)) {
      const cycle = [...open.slice(open.indexOf(name)), name].join(' → ');
      problems.push(
        error(
          'network-cycle',
          `The networks name each other in a circle: ${cycle}.`,
          location,
          'Take one out.',
        ),
      );
      return undefined;
    }
    open.push(name);
    const ranges = together(terms);
    open.pop();
    done.set(name, ranges);
    return ranges;
  };

  const builtIn = (name: string, location: SourceLocation): FamilyRanges | undefined => {
    if (Object.hasOwn(NETWORKS, name)) return NETWORKS[name];
    if (!names.complete.networks) return undefined;
    const known = [...names.networks.keys(), ...Object.keys(NETWORKS)];
    problems.push(undefinedName('network', name, known, location, 'Define it in networks.yml.'));
    return undefined;
  };

  const host = (name: string, location: SourceLocation): FamilyRanges | undefined => {
    const addresses = names.hosts.get(name);
    if (addresses !== undefined) return rangesOf(addresses);
    if (!names.hosts.has(name) && names.complete.hosts)
      problems.push(undefinedName('host', name, names.hosts.keys(), location, 'Add it under hosts/.'));
    return undefined;
  };

  const role = (name: string, location: SourceLocation): FamilyRanges | undefined => {
    const hosts = names.roles.get(name);
    if (hosts === undefined) {
      if (names.complete.roles)
        problems.push(undefinedName('role', name, names.roles.keys(), location, 'Add it under roles/.'));
      return undefined;
    }
    if (hosts.length === 0) {
      if (names.complete.hosts)
        problems.push(
          error('empty-role', `No host has the role ${name}, so it stands for no address.`, location),
        );
      return undefined;
    }
    const all = hosts.map((each) => names.hosts.get(each));
    return all.includes(undefined) ? undefined : rangesOf(all.flatMap((addresses) => addresses ?? []));
  };

  const term = (text: string, location: SourceLocation): FamilyRanges | undefined => {
    if (text.startsWith('role:')) return role(text.slice(5), location);
    if (text.startsWith('host:')) return host(text.slice(5), location);
    if (/^\d|[:/%]/.test(text)) return literal(text, location, problems);
    if (text.includes('.')) {
      problems.push(
        error(
          'host-name',
          `"${text}" is a host name, which can change its address at any time.`,
          location,
          'Write its addresses, or host:NAME for a host of this policy.',
        ),
      );
      return undefined;
    }
    used.add(text);
    return network(text, location);
  };

  const together = (terms: NameRefs): FamilyRanges | undefined => {
    const parts = terms.texts.map((text, index) => term(text, terms.at(index)));
    const sound = parts.filter((part) => part !== undefined);
    return sound.length === parts.length ? uniteRanges(sound) : undefined;
  };

  const resolve = (terms: NameRefs): AddressSet | undefined => {
    const key = terms.texts.join('\n');
    const known = sets.get(key);
    if (known !== undefined) return known;
    const ranges = together(terms);
    if (ranges === undefined) return undefined;
    const set = toSet(terms.texts, ranges);
    sets.set(key, set);
    return set;
  };

  return {
    resolve,
    network: (name) => {
      const terms = names.networks.get(name);
      const ranges = terms && network(name, terms.at(0));
      return ranges && terms && toSet(terms.texts, ranges);
    },
    used,
  };
}

function literal(text: string, location: SourceLocation, problems: Problem[]): FamilyRanges | undefined {
  const network = readNetwork(text);
  if (!('id' in network)) return { v4: [], v6: [], [network.family]: [network.range] };
  const range = /^([0-9.]+)-([0-9.]+)$/.test(text);
  problems.push(
    error(
      network.id,
      network.message,
      location,
      range ? 'Write a range as one or more networks in CIDR form.' : network.hint,
    ),
  );
  return undefined;
}
