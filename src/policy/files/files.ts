/** The files of a policy folder, classified by what they define, read and checked against their schemas. */
import type * as z from 'zod';
import { nearest } from '../../lib/nearest.js';
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { HOST_NAME, NAME, NAME_HINT } from '../names.js';
import {
  type FleetFile,
  fleetFile,
  type HostFile,
  host,
  hostsFile,
  networksFile,
  type RoleFile,
  roleFile,
  servicesFile,
} from './schema.js';
import { validate } from './validate.js';
import { fileStart, readYaml, type Source } from './yaml.js';

/** A role or a host with the file that defines it. */
export interface Entry<File> {
  readonly name: string;
  readonly file: File;
  readonly source: Source;
  readonly location: SourceLocation;
}

/** The names that networks.yml or services.yml defines. */
export interface Definitions {
  readonly values: Readonly<Record<string, string | string[]>>;
  readonly source: Source;
  /** Every name, including those with an invalid value. */
  readonly names: readonly string[];
  readonly complete: boolean;
}

export interface PolicyFiles {
  readonly fleet?: { readonly file: FleetFile; readonly source: Source };
  readonly networks?: Definitions;
  readonly services?: Definitions;
  readonly roles: readonly Entry<RoleFile>[];
  readonly hosts: readonly Entry<HostFile>[];
  /** Names of roles and hosts whose file is invalid. */
  readonly broken: { readonly roles: ReadonlySet<string>; readonly hosts: ReadonlySet<string> };
  /** False when hosts may be missing because a file with several is invalid. */
  readonly hostsComplete: boolean;
}

const TOP = ['fleet.yml', 'networks.yml', 'services.yml'];

/**
 * Reads and checks each file of a policy folder by its name.
 * @param files path as shown in problems → text
 * @param directory the folder, the common prefix of the paths
 */
export function sortFiles(
  files: ReadonlyMap<string, string>,
  directory: string,
  problems: Problem[],
): PolicyFiles {
  const prefix = directory === '' || directory === '.' ? '' : `${directory.replace(/\/+$/, '')}/`;
  const roles: Entry<RoleFile>[] = [];
  const hosts: Entry<HostFile>[] = [];
  const broken = { roles: new Set<string>(), hosts: new Set<string>() };
  let fleet: PolicyFiles['fleet'];
  let networks: Definitions | undefined;
  let services: Definitions | undefined;
  let hostsComplete = true;
  const read = (path: string, text: string): Source => {
    const { source, problems: found } = readYaml(text, path);
    problems.push(...found);
    return source;
  };
  for (const [path, text] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const local = path.startsWith(prefix) ? path.slice(prefix.length) : path;
    const [, folder, name] = /^(roles|hosts)\/([^/]*)\.yml$/.exec(local) ?? [];
    const location = fileStart(path);
    if (folder === undefined || name === undefined) {
      if (local === 'fleet.yml') {
        const source = read(path, text);
        const file = check(fleetFile, source, problems);
        if (file !== undefined) fleet = { file, source };
      } else if (local === 'networks.yml') networks = definitions(read(path, text), 'networks', problems);
      else if (local === 'services.yml') services = definitions(read(path, text), 'services', problems);
      else problems.push(strayFile(local, location));
      continue;
    }
    const source = read(path, text);
    if (folder === 'roles') {
      checkName(name, NAME, 'role', location, problems);
      const file = check(roleFile, source, problems);
      if (file === undefined) broken.roles.add(name);
      else roles.push({ name, file, source, location });
    } else if (isMapping(source.value) && Object.hasOwn(source.value, 'hosts')) {
      const file = check(hostsFile, source, problems);
      if (file === undefined) hostsComplete = false;
      for (const [each, entry] of Object.entries(file?.hosts ?? {}))
        hosts.push({ name: each, file: entry, source, location: source.keyAt(file?.hosts ?? {}, each) });
    } else {
      checkName(name, HOST_NAME, 'host', location, problems);
      const file = check(host, source, problems);
      if (file === undefined) {
        broken.hosts.add(name);
        // A file that cannot be read may have been one of many hosts.
        if (!source.complete) hostsComplete = false;
      } else hosts.push({ name, file, source, location });
    }
  }
  if (fleet === undefined && !files.has(`${prefix}fleet.yml`)) {
    const hint = 'Create it, or pass the policy folder; "sallyport init" writes an example.';
    problems.push(
      error('missing-file', 'fleet.yml not found.', { location: fileStart(`${prefix}fleet.yml`), hint }),
    );
  }
  return { fleet, networks, services, roles, hosts: unique(hosts, problems), broken, hostsComplete };
}

function check<T>(schema: z.ZodType<T>, source: Source, problems: Problem[]): T | undefined {
  if (source.value === undefined) return undefined;
  const { value, problems: found } = validate(schema, source);
  problems.push(...found);
  return value;
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function definitions(source: Source, key: 'networks' | 'services', problems: Problem[]): Definitions {
  const inner = isMapping(source.value) ? source.value[key] : undefined;
  const names = isMapping(inner) ? Object.keys(inner) : [];
  const schema: z.ZodType<{ readonly [name in typeof key]?: Definitions['values'] }> =
    key === 'networks' ? networksFile : servicesFile;
  const values = check(schema, source, problems)?.[key];
  return { values: values ?? {}, source, names, complete: source.complete && values !== undefined };
}

function strayFile(local: string, location: SourceLocation): Problem {
  const near = nearest(local, TOP);
  const hint = local.endsWith('.yaml')
    ? 'Rename it: policy files end in .yml.'
    : near === undefined
      ? `Use one of: ${TOP.join(', ')}, roles/*.yml, hosts/*.yml.`
      : `Did you mean ${near}?`;
  return error('stray-file', 'Not a policy file: it would be ignored.', { location, hint });
}

function checkName(
  name: string,
  form: RegExp,
  kind: string,
  location: SourceLocation,
  problems: Problem[],
): void {
  if (!form.test(name))
    problems.push(
      error('bad-name', `"${name}" is not a valid ${kind} name.`, {
        location,
        hint: `Rename the file. ${NAME_HINT}`,
      }),
    );
}

/** Names become folders, and some file systems do not distinguish `Web-1` from `web-1`. */
function unique(hosts: PolicyFiles['hosts'], problems: Problem[]): PolicyFiles['hosts'] {
  const seen = new Map<string, Entry<HostFile>>();
  for (const entry of hosts.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    const first = seen.get(entry.name.toLowerCase());
    if (first === undefined) seen.set(entry.name.toLowerCase(), entry);
    else {
      const hint = `Keep one of them: the first is in ${first.location.file}:${first.location.line}.`;
      problems.push(
        error('duplicate-host', `Duplicate host "${entry.name}".`, { location: entry.location, hint }),
      );
    }
  }
  return [...seen.values()];
}
