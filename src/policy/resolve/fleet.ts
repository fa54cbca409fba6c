/** Resolves the texts of a policy to a `Fleet`, or to every problem in every file. */
import { addError, byLocation, hasErrors, note, type Problem, type Result } from '../../lib/problem.js';
import { toSet } from '../addresses.js';
import { NETWORKS, SERVICES } from '../builtin.js';
import { type Definitions, type PolicyFiles, sortFiles } from '../files/files.js';
import { fileStart } from '../files/yaml.js';
import type { AddressSet, Definition, Fleet, Host, Service } from '../fleet.js';
import type { RuleContext } from './context.js';
import { resolveGuard, resolveTest } from './guards.js';
import { type HostIndex, indexHosts } from './host-index.js';
import { bindRules, resolveRules, suppressions, type UnboundRules } from './hosts.js';
import { type AddressResolver, addressResolver } from './networks.js';
import { nameRefs } from './refs.js';
import { builtInService, isReserved, type ServiceResolver, serviceResolver } from './services.js';
import { baseline, bootSettings, checkBaseline, rolloutSettings, sshSettings } from './settings.js';

export interface ReadOptions {
  /** `YYYY-MM-DD`: the day for which expiry is decided; default: this day, UTC. */
  readonly today?: string;
}

/**
 * Reads a whole policy; pure except for the default of `today`. Its problems are errors, and notes about overridden
 * built-in names; lints are in `lintFleet`.
 * @param files path, as shown in problems → text
 * @param directory the folder, the common prefix of the paths
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

/** An error in a role is found once for each of its hosts. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Map<string, Problem>();
  for (const problem of problems) {
    const { file, line, column } = problem.location ?? { file: '', line: 0, column: 0 };
    seen.set(`${file}:${line}:${column}:${problem.id}:${problem.message}`, problem);
  }
  return [...seen.values()];
}

interface FleetContext {
  readonly directory: string;
  readonly today: string;
  readonly problems: Problem[];
}

function resolveFleet(files: PolicyFiles, context: FleetContext): Fleet | undefined {
  const { problems, directory, today } = context;
  const index = indexHosts(files, problems);
  const definedNetworks = definedNames(files.networks);
  const definedServices = definedNames(files.services);
  const addresses = addressResolver(
    {
      networks: new Map(definedNetworks.map(({ name, refs }) => [name, refs])),
      hosts: index.addresses,
      roles: index.hostsOf,
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
      services: new Map(definedServices.map(({ name, refs }) => [name, refs])),
      complete: files.services?.complete ?? true,
      broken: new Set(files.services?.names),
    },
    problems,
  );
  const resolvers = { addresses, services, problems };
  const networks = resolveNetworks(definedNetworks, addresses, problems);
  const allServices = resolveServices(definedServices, services, problems);
  const roleRules = new Map<string, UnboundRules>(
    files.roles.map(({ name, file, source }) => [
      name,
      resolveRules(file, { ...resolvers, source, origin: name }),
    ]),
  );
  const hosts = files.hosts.flatMap(
    (entry) => resolveHost(entry, { ...context, files, index, roleRules, resolvers }) ?? [],
  );
  if (files.hosts.length === 0 && files.hostsComplete && files.broken.hosts.size === 0) {
    const location = fileStart(`${directory}/hosts`);
    addError(problems, 'no-hosts', 'The policy has no hosts.', { location, hint: 'Add hosts/NAME.yml.' });
  }
  if (files.fleet === undefined) return undefined;
  const { file, source } = files.fleet;
  const ruleContext: RuleContext = { ...resolvers, source, origin: 'fleet' };
  const admin = addresses.resolve(nameRefs(source, file, 'admin', file.admin));
  const rollout = rolloutSettings(file.rollout, source, index, problems);
  const guards = (file.guards ?? []).flatMap((guard) => resolveGuard(guard, ruleContext, index) ?? []);
  const tests = (file.tests ?? []).flatMap((test) => resolveTest(test, ruleContext, index) ?? []);
  const usedRoles = new Set([...index.roles.values()].flat());
  if (admin === undefined) return undefined;
  return {
    version: 1,
    directory,
    ssh: { ...sshSettings([file.ssh]), user: file.ssh.user ?? '' },
    admin,
    adminLocation: source.keyAt(file, 'admin'),
    ownership: file.ownership ?? 'chains',
    mayRemove: file.may_remove && { programs: file.may_remove, location: source.keyAt(file, 'may_remove') },
    rollout,
    guards,
    tests,
    networks,
    services: allServices,
    roles: new Map(
      files.roles.map(({ name, file: { description }, location }) => [name, { name, description, location }]),
    ),
    hosts,
    setsFrom: file.sets_from ?? 64,
    suppressions: [
      ...suppressions(file.accept, source),
      ...[...files.roles, ...files.hosts].flatMap((entry) =>
        suppressions(entry.file.accept, entry.source, entry.name),
      ),
    ],
    skipActivity: file.plan?.activity === false,
    today,
    definitions: [
      ...definitionsOf('network', definedNetworks, addresses.used),
      ...definitionsOf('service', definedServices, services.used),
      ...definitionsOf('role', files.roles, usedRoles),
    ],
  };
}

/** The names that a file defines, with the names that they refer to. */
const definedNames = (definitions: Definitions | undefined) =>
  definitions === undefined
    ? []
    : Object.entries(definitions.values).map(([name, value]) => ({
        name,
        refs: nameRefs(definitions.source, definitions.values, name, value),
        location: definitions.source.keyAt(definitions.values, name),
      }));
type DefinedNames = ReturnType<typeof definedNames>;

const definitionsOf = (
  kind: Definition['kind'],
  defined: readonly Pick<Definition, 'name' | 'location'>[],
  used: ReadonlySet<string>,
): readonly Definition[] =>
  defined.map(({ name, location }) => ({ kind, name, location, used: used.has(name) }));

interface HostContext extends FleetContext {
  readonly files: PolicyFiles;
  readonly index: HostIndex;
  readonly roleRules: ReadonlyMap<string, UnboundRules>;
  readonly resolvers: Pick<RuleContext, 'addresses' | 'services' | 'problems'>;
}

function resolveHost(
  { name, file, source, location }: PolicyFiles['hosts'][number],
  { files, today, problems, index, roleRules, resolvers }: HostContext,
): Host | undefined {
  const own = resolveRules(file, { ...resolvers, source, origin: name });
  const roles = index.roles.get(name) ?? [];
  const interfaces = new Map(Object.entries(file.interfaces ?? {}));
  const parts = [own, ...roles.flatMap((role) => roleRules.get(role) ?? [])];
  const rules = bindRules(parts, { host: name, interfaces, today, problems });
  const common = files.fleet?.file;
  const merged = baseline([common?.baseline, file.baseline]);
  const baselineSource = file.baseline ? source : (files.fleet?.source ?? source);
  checkBaseline(merged, file.baseline ?? common?.baseline, baselineSource, problems);
  const ssh = sshSettings([common?.ssh, file.ssh]);
  if (ssh.user === undefined && common !== undefined) {
    const hint = 'Add "user" under "ssh" in fleet.yml.';
    addError(problems, 'missing-user', `Host "${name}" has no SSH user.`, { location, hint });
  }
  const identity = index.identities.get(name);
  if (identity === undefined) return undefined;
  return {
    name,
    ...identity,
    roles,
    interfaces,
    ssh: { ...ssh, user: ssh.user ?? '' },
    baseline: merged,
    ...rules,
    boot: bootSettings([common?.boot, file.boot]),
    location,
  };
}

function resolveNetworks(
  defined: DefinedNames,
  resolver: AddressResolver,
  problems: Problem[],
): ReadonlyMap<string, AddressSet> {
  const networks = new Map<string, AddressSet>(
    Object.entries(NETWORKS).map(([name, ranges]) => [name, toSet([name], ranges)]),
  );
  for (const { name, location } of defined) {
    if (name === 'any') {
      const hint = 'Choose another name: "any" means every address.';
      addError(problems, 'reserved-name', '"any" is a reserved name.', { location, hint });
    } else if (Object.hasOwn(NETWORKS, name))
      problems.push(
        note('overrides-built-in', `Network "${name}" overrides the built-in one.`, { location }),
      );
    const set = resolver.network(name);
    if (set !== undefined) networks.set(name, set);
  }
  return networks;
}

function resolveServices(
  defined: DefinedNames,
  resolver: ServiceResolver,
  problems: Problem[],
): ReadonlyMap<string, readonly Service[]> {
  const services = new Map<string, readonly Service[]>(
    Object.keys(SERVICES).map((name) => [name, builtInService(name)]),
  );
  for (const { name, location } of defined) {
    if (isReserved(name))
      addError(problems, 'reserved-name', `"${name}" is a reserved name.`, {
        location,
        hint: 'Choose another name.',
      });
    const own = resolver.service(name);
    if (own === undefined) continue;
    if (Object.hasOwn(SERVICES, name) && identityOf(own) !== identityOf(builtInService(name))) {
      const hint = `The built-in one is ${SERVICES[name]?.join(', ')}.`;
      problems.push(
        note('overrides-built-in', `Service "${name}" overrides the built-in one.`, { location, hint }),
      );
    }
    services.set(name, own);
  }
  return services;
}

const identityOf = (services: readonly Service[]): string =>
  services
    .map((service) => JSON.stringify(service))
    .toSorted()
    .join();
