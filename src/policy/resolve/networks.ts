/** Resolves the names in `from`, `to`, `except`, `admin` and networks to addresses. */
import { addError, type Problem, type SourceLocation } from '../../lib/problem.js';
import { type FamilyRanges, rangesOf, readNetwork, toSet, uniteRanges } from '../addresses.js';
import { NETWORKS } from '../builtin.js';
import type { AddressSet } from '../fleet.js';
import { undefinedName } from '../names.js';
import type { NameRefs } from './refs.js';

export interface AddressNames {
  readonly networks: ReadonlyMap<string, NameRefs>;
  /** Addresses without prefix length; `undefined` for an invalid host. */
  readonly hosts: ReadonlyMap<string, readonly string[] | undefined>;
  /** The hosts that have the role. */
  readonly roles: ReadonlyMap<string, readonly string[]>;
  /** Whether all names could be read; otherwise undefined names are not reported. */
  readonly complete: { readonly networks: boolean; readonly hosts: boolean; readonly roles: boolean };
  /** Networks that are defined but invalid. */
  readonly broken: ReadonlySet<string>;
}

export interface AddressResolver {
  /** `undefined` when a name is invalid, which is then reported. */
  readonly resolve: (refs: NameRefs) => AddressSet | undefined;
  readonly network: (name: string) => AddressSet | undefined;
  /** Names of networks that are referred to. */
  readonly used: ReadonlySet<string>;
}

/** Resolves each network once; problems go to `problems`. */
export function addressResolver(names: AddressNames, problems: Problem[]): AddressResolver {
  const used = new Set<string>();
  const done = new Map<string, FamilyRanges | undefined>();
  const sets = new Map<string, AddressSet>();
  const open: string[] = [];

  const network = (name: string, location: SourceLocation): FamilyRanges | undefined => {
    if (done.has(name)) return done.get(name);
    const refs = names.networks.get(name);
    if (refs === undefined) return names.broken.has(name) ? undefined : builtIn(name, location);
    if (open.includes(name)) {
      const cycle = [...open.slice(open.indexOf(name)), name].join(' → ');
      const message = `Circular network reference: ${cycle}.`;
      return addError(problems, 'network-cycle', message, { location, hint: 'Remove one of them.' });
    }
    open.push(name);
    const ranges = unionOf(refs);
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
        addError(problems, 'empty-role', `Role "${name}" has no hosts, so it has no address.`, { location });
      return undefined;
    }
    const all = hosts.map((each) => names.hosts.get(each));
    return all.includes(undefined) ? undefined : rangesOf(all.flatMap((addresses) => addresses ?? []));
  };

  const resolveName = (text: string, location: SourceLocation): FamilyRanges | undefined => {
    if (text.startsWith('role:')) return role(text.slice(5), location);
    if (text.startsWith('host:')) return host(text.slice(5), location);
    if (/^\d|[:/%]/.test(text)) return literal(text, location, problems);
    if (text.includes('.')) {
      const message = `"${text}" is a DNS name, whose addresses can change at any time.`;
      const hint = 'Write its addresses, or host:NAME for a host of this policy.';
      return addError(problems, 'host-name', message, { location, hint });
    }
    used.add(text);
    return network(text, location);
  };

  const unionOf = ({ texts, at }: NameRefs): FamilyRanges | undefined => {
    const parts = texts.map((text, index) => resolveName(text, at(index)));
    const valid = parts.filter((part) => part !== undefined);
    return valid.length === parts.length ? uniteRanges(valid) : undefined;
  };

  const resolve = (refs: NameRefs): AddressSet | undefined => {
    const key = refs.texts.join('\n');
    const known = sets.get(key);
    if (known !== undefined) return known;
    const ranges = unionOf(refs);
    if (ranges === undefined) return undefined;
    const set = toSet(refs.texts, ranges);
    sets.set(key, set);
    return set;
  };

  return {
    resolve,
    network: (name) => {
      const refs = names.networks.get(name);
      const ranges = refs && network(name, refs.at(0));
      return ranges && refs && toSet(refs.texts, ranges);
    },
    used,
  };
}

function literal(text: string, location: SourceLocation, problems: Problem[]): FamilyRanges | undefined {
  const network = readNetwork(text);
  if (!('id' in network)) return { v4: [], v6: [], [network.family]: [network.range] };
  const isRange = /^([0-9.]+)-([0-9.]+)$/.test(text);
  const hint = isRange ? 'Write the range as one or more CIDR networks.' : network.hint;
  return addError(problems, network.id, network.message, { location, hint });
}
