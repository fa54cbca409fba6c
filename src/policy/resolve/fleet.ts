/** The texts of a policy become a `Fleet`, or every problem in every file. */
import { byLocation, error, hasErrors, note, type Problem, type Result } from '../../lib/problem.js';
import { toSet } from '../addresses.js';
import { NETWORKS, SERVICES } from '../builtin.js';
import { type Definitions, type HostEntry, type PolicyFiles, sortFiles } from '../files/files.js';
import type { AddressSet, Definition, Fleet, Host, Role, Service, Suppression } from '../fleet.js';
import { resolveGuard, resolveTest } from './guards.js';
import { acceptances, assemble, type Identity, identify, resolveWritten, type Written } from './hosts.js';
import { type AddressResolver, addressResolver, type NameRefs } from './networks.js';
import { expandRoles, roleCycles } from './roles.js';
import { type RuleContext, termsOf } from './rules.js';
import { builtInService, isReserved, type ServiceResolver, serviceResolver } from './services.js';
import {
  baseline,
  baselineProblems,
  bootSettings,
  type HostIndex,
  rolloutSettings,
  sshSettings,
} from './settings.js';

export interface ReadOptions {
  /** `YYYY-MM-DD`: the day for which expiry is decided; default: this day, UTC. */
  readonly today?: string;
}

/**
 * Reads a whole policy; pure but for the date. Its problems are errors, and notes about what stands in for something
 * built in; lints are `lintFleet`.
 * @param files path, as problems show it → text
 * @param directory the folder, as the paths begin
 */
export function readFleet(
  files: ReadonlyMap<string, string>,
  directory: string,
  options: ReadOptions = {},
): Result<Fleet> {
  const problems: Problem[] = [];
  const today = options.today ?? new Date().toISOString().slice(0, 10);
  const sorted = sortFiles(files, directory, problems);
  const fleet = resolveFleet(sorted, { directory, today, problems });
  const found = distinct(problems).toSorted(byLocation);
  return fleet === undefined || hasErrors(found)
    ? { ok: false, problems: found }
    : { ok: true, value: fleet, problems: found };
}

/** The same fault of a role shows on every host that has it. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Map<string, Problem>();
  for (const problem of problems) {
    const { file, line, column } = problem.location ?? { file: '', line: 0, column: 0 };
    seen.set(`${file}:${line}:${column}:${problem.id}:${problem.message}`, problem);
  }
  return [...seen.values()];
}

interface Setting {
  readonly directory: string;
  readonly today: string;
  readonly problems: Problem[];
}

function resolveFleet(files: PolicyFiles, setting: Setting): Fleet | undefined {
  const { problems, directory, today } = setting;
  const crew = readCrew(files, problems);
  const addresses = addressResolver(
    {
      networks: termsIn(files.networks),
      hosts: crew.addresses,
      roles: crew.hostsOf,
      complete: {
        networks: files.networks?.complete ?? true,
        hosts: files.hostsComplete,
        roles: files.broken.roles.size === 0,
      },
      broken: new Set(files.networks?.names),
    },
    problems,
  );
  const services = serviceResolver(
    {
      services: termsIn(files.services),
      complete: files.services?.complete ?? true,
      broken: new Set(files.services?.names),
    },
    problems,
  );
  const resolvers = { addresses, services, problems };
  const networks = ownNetworks(files.networks, addresses, problems);
  const ownServices = readServices(files.services, services, problems);
  const written = new Map<string, Written>(
    files.roles.map(({ name, file, source }) => [
      name,
      resolveWritten(file, { ...resolvers, source, origin: name }),
    ]),
  );
  const hosts = files.hosts.flatMap(
    (entry) => resolveHost(entry, { files, setting, crew, written, resolvers }) ?? [],
  );
  if (files.hosts.length === 0 && files.hostsComplete && files.broken.hosts.size === 0)
    problems.push(
      error(
        'no-hosts',
        'The policy has no host.',
        { file: `${directory}/hosts`, line: 1, column: 1 },
        'Add hosts/NAME.yml.',
      ),
    );
  if (files.fleet === undefined) return undefined;
  const { file, source } = files.fleet;
  const context: RuleContext = { ...resolvers, source, origin: 'fleet' };
  const admin = addresses.resolve(termsOf(source, file, 'admin', file.admin));
  const rollout = rolloutSettings(file.rollout, source, crew, problems);
  const guards = (file.guards ?? []).flatMap((guard) => resolveGuard(guard, context, crew) ?? []);
  const tests = (file.tests ?? []).flatMap((test) => resolveTest(test, context, crew) ?? []);
  const roleNames = new Set(files.hosts.flatMap(({ name }) => crew.roles.get(name) ?? []));
  if (admin === undefined) return undefined;
  return {
    version: 1,
    directory,
    ssh: { ...sshSettings([file.ssh]), user: file.ssh.user ?? '' },
    admin,
    adminPlace: source.keyAt(file, 'admin'),
    ownership: file.ownership ?? 'chains',
    ...(file.may_remove === undefined
      ? {}
      : { mayRemove: { programs: file.may_remove, location: source.keyAt(file, 'may_remove') } }),
    rollout,
    guards,
    tests,
    networks,
    services: ownServices,
    roles: new Map(files.roles.map((role): [string, Role] => [role.name, roleOf(role)])),
    hosts,
    setsFrom: file.sets_from ?? 64,
    acceptances: allAcceptances(files),
    ...(file.plan?.activity === false ? { quiet: true } : {}),
    today,
    definitions: [
      ...definitionsOf('network', files.networks, addresses.used),
      ...definitionsOf('service', files.services, services.used),
      ...files.roles.map(
        ({ name, location }) => ({ kind: 'role', name, location, used: roleNames.has(name) }) as const,
      ),
    ],
  };
}

const termsIn = (definitions: Definitions | undefined): ReadonlyMap<string, NameRefs> =>
  new Map(
    Object.entries(definitions?.terms ?? {}).map(([name, value]) => [
      name,
      termsOf((definitions as Definitions).source, (definitions as Definitions).terms, name, value),
    ]),
  );

interface FullCrew extends HostIndex {
  readonly addresses: ReadonlyMap<string, readonly string[] | undefined>;
  readonly identities: ReadonlyMap<string, Identity>;
  /** Role → hosts. */
  readonly hostsOf: ReadonlyMap<string, readonly string[]>;
}

/** Who the hosts are: addresses and roles, before any rule. */
function readCrew(files: PolicyFiles, problems: Problem[]): FullCrew {
  const includes = new Map<string, NameRefs | undefined>(
    [...files.broken.roles].map((name) => [name, undefined]),
  );
  for (const { name, file, source } of files.roles)
    includes.set(name, file.roles && termsOf(source, file, 'roles', file.roles));
  problems.push(...roleCycles({ includes }));
  const report = (problem: Problem): void => {
    problems.push(problem);
  };
  for (const terms of includes.values()) expandRoles(terms, { includes }, report);
  const roles = new Map<string, readonly string[]>();
  const addresses = new Map<string, readonly string[] | undefined>();
  const identities = new Map<string, Identity>();
  for (const { name, file, source, location } of files.hosts) {
    roles.set(
      name,
      expandRoles(file.roles && termsOf(source, file, 'roles', file.roles), { includes }, report),
    );
    const identity = identify(name, file, source, location, problems);
    addresses.set(name, identity?.addresses);
    if (identity !== undefined) identities.set(name, identity);
  }
  for (const name of files.broken.hosts) addresses.set(name, undefined);
  const hostsOf = new Map<string, string[]>([...includes.keys()].map((name) => [name, []]));
  for (const [host, own] of roles) for (const role of own) hostsOf.get(role)?.push(host);
  return {
    roles,
    addresses,
    identities,
    hostsOf,
    known: { hosts: [...addresses.keys()], roles: [...includes.keys()] },
    complete: files.hostsComplete && files.broken.hosts.size === 0 && files.broken.roles.size === 0,
  };
}

interface HostSetting {
  readonly files: PolicyFiles;
  readonly setting: Setting;
  readonly crew: FullCrew;
  readonly written: ReadonlyMap<string, Written>;
  readonly resolvers: Pick<RuleContext, 'addresses' | 'services' | 'problems'>;
}

function resolveHost(
  entry: HostEntry,
  { files, setting, crew, written, resolvers }: HostSetting,
): Host | undefined {
  const { name, file, source, location } = entry;
  const { problems, today } = setting;
  const own = resolveWritten(file, { ...resolvers, source, origin: name });
  const roles = crew.roles.get(name) ?? [];
  const interfaces = new Map(Object.entries(file.interfaces ?? {}));
  const parts = [own, ...roles.flatMap((role) => written.get(role) ?? [])];
  const sets = assemble(parts, { host: name, interfaces, today, problems });
  const common = files.fleet?.file;
  const merged = baseline([common?.baseline, file.baseline]);
  problems.push(
    ...baselineProblems(
      merged,
      file.baseline ?? common?.baseline,
      file.baseline ? source : (files.fleet?.source ?? source),
    ),
  );
  const ssh = sshSettings([common?.ssh, file.ssh]);
  if (ssh.user === undefined && common !== undefined)
    problems.push(
      error(
        'missing-user',
        `Nothing says which user connects to ${name}.`,
        location,
        'Add "user:" under "ssh:" in fleet.yml.',
      ),
    );
  const identity = crew.identities.get(name);
  if (identity === undefined) return undefined;
  return {
    name,
    ...identity,
    roles,
    interfaces,
    ssh: { ...ssh, user: ssh.user ?? '' },
    baseline: merged,
    ...sets,
    boot: bootSettings([common?.boot, file.boot]),
    location,
  };
}

function ownNetworks(
  definitions: Definitions | undefined,
  resolver: AddressResolver,
  problems: Problem[],
): ReadonlyMap<string, AddressSet> {
  const networks = new Map<string, AddressSet>(
    Object.entries(NETWORKS).map(([name, ranges]) => [name, toSet([name], ranges)]),
  );
  for (const name of Object.keys(definitions?.terms ?? {})) {
    const { source, terms } = definitions as Definitions;
    if (name === 'any')
      problems.push(
        error(
          'reserved-name',
          'any is every address and cannot be another network.',
          source.keyAt(terms, name),
          'Choose another name.',
        ),
      );
    else if (Object.hasOwn(NETWORKS, name))
      problems.push(
        note(
          'overrides-built-in',
          `The network ${name} takes the place of the built-in one.`,
          source.keyAt(terms, name),
        ),
      );
    const set = resolver.network(name);
    if (set !== undefined) networks.set(name, set);
  }
  return networks;
}

function readServices(
  definitions: Definitions | undefined,
  resolver: ServiceResolver,
  problems: Problem[],
): ReadonlyMap<string, readonly Service[]> {
  const services = new Map<string, readonly Service[]>(
    Object.keys(SERVICES).map((name) => [name, builtInService(name)]),
  );
  for (const name of Object.keys(definitions?.terms ?? {})) {
    const { source, terms } = definitions as Definitions;
    const location = source.keyAt(terms, name);
    if (isReserved(name))
      problems.push(
        error(
          'reserved-name',
          `${name} has a meaning of its own and cannot be a service.`,
          location,
          'Choose another name.',
        ),
      );
    const own = resolver.service(name);
    if (own === undefined) continue;
    if (Object.hasOwn(SERVICES, name) && meaning(own) !== meaning(builtInService(name)))
      problems.push(
        note(
          'overrides-built-in',
          `The service ${name} takes the place of the built-in one.`,
          location,
          `Built in it is ${SERVICES[name]?.join(', ')}.`,
        ),
      );
    services.set(name, own);
  }
  return services;
}

const meaning = (services: readonly Service[]): string =>
  services
    .map((service) => JSON.stringify(service))
    .toSorted()
    .join();

const roleOf = ({ name, file, location }: PolicyFiles['roles'][number]): Role => ({
  name,
  ...(file.description === undefined ? {} : { description: file.description }),
  location,
});

function allAcceptances({ fleet, roles, hosts }: PolicyFiles): readonly Suppression[] {
  return [
    ...(fleet === undefined ? [] : acceptances(fleet.file.accept, fleet.source)),
    ...[...roles, ...hosts].flatMap(({ name, file, source }) => acceptances(file.accept, source, name)),
  ];
}

const definitionsOf = (
  kind: Definition['kind'],
  definitions: Definitions | undefined,
  used: ReadonlySet<string>,
): readonly Definition[] =>
  Object.keys(definitions?.terms ?? {}).map((name) => ({
    kind,
    name,
    used: used.has(name),
    location: (definitions as Definitions).source.keyAt((definitions as Definitions).terms, name),
  }));
