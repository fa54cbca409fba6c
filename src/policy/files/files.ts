/** The files of a policy folder, sorted by what they define, read and checked against their shapes. */
import { nearest } from '../../lib/nearest.js';
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { HOST_NAME, NAME } from '../names.js';
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
import { readYaml, type Source } from './yaml.js';

export interface RoleEntry {
  readonly name: string;
  readonly file: RoleFile;
  readonly source: Source;
  readonly location: SourceLocation;
}

export interface HostEntry {
  readonly name: string;
  readonly file: HostFile;
  readonly source: Source;
  readonly location: SourceLocation;
}

/** Names with what they stand for, in one file. */
export interface Definitions {
  readonly terms: Readonly<Record<string, string | string[]>>;
  readonly source: Source;
  /** Every name that stands there, those that are at fault as well. */
  readonly names: readonly string[];
  readonly complete: boolean;
}

export interface PolicyFiles {
  readonly fleet?: { readonly file: FleetFile; readonly source: Source };
  readonly networks?: Definitions;
  readonly services?: Definitions;
  readonly roles: readonly RoleEntry[];
  readonly hosts: readonly HostEntry[];
  /** Names of roles and hosts whose file is at fault. */
  readonly broken: { readonly roles: ReadonlySet<string>; readonly hosts: ReadonlySet<string> };
  /** False when hosts may be missing because a file with several is at fault. */
  readonly hostsComplete: boolean;
}

const TOP = ['fleet.yml', 'networks.yml', 'services.yml'];

/**
 * @param files path as problems show it → text
 * @param directory the folder, as the paths begin
 */
export function sortFiles(
  files: ReadonlyMap<string, string>,
  directory: string,
  problems: Problem[],
): PolicyFiles {
  const prefix = directory === '' || directory === '.' ? '' : `${directory.replace(/\/+$/, '')}/`;
  const roles: RoleEntry[] = [];
  const hosts: HostEntry[] = [];
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
    const location = { file: path, line: 1, column: 1 };
    if (folder === undefined || name === undefined) {
      if (local === 'fleet.yml') {
        const source = read(path, text);
        const file = shaped(fleetFile, source, problems);
        if (file !== undefined) fleet = { file, source };
      } else if (local === 'networks.yml') networks = definitions(read(path, text), 'networks', problems);
      else if (local === 'services.yml') services = definitions(read(path, text), 'services', problems);
      else problems.push(strayFile(local, location));
      continue;
    }
    const source = read(path, text);
    if (folder === 'roles') {
      checkName(name, NAME, 'role', location, problems);
      const file = shaped(roleFile, source, problems);
      if (file === undefined) broken.roles.add(name);
      else roles.push({ name, file, source, location });
    } else if (holdsMany(source.value)) {
      const file = shaped(hostsFile, source, problems);
      if (file === undefined) hostsComplete = false;
      for (const [each, entry] of Object.entries(file?.hosts ?? {}))
        hosts.push({ name: each, file: entry, source, location: source.keyAt(file?.hosts ?? {}, each) });
    } else {
      checkName(name, HOST_NAME, 'host', location, problems);
      const file = shaped(host, source, problems);
      if (file === undefined) {
        broken.hosts.add(name);
        // A file that cannot be read may have been one of many hosts.
        if (!source.complete) hostsComplete = false;
      } else hosts.push({ name, file, source, location });
    }
  }
  if (fleet === undefined && ![...files.keys()].includes(`${prefix}fleet.yml`))
    problems.push(
      error(
        'missing-file',
        'There is no fleet.yml here.',
        { file: `${prefix}fleet.yml`, line: 1, column: 1 },
        'Write one, or name the folder of the policy; "sallyport init" writes an example.',
      ),
    );
  return {
    ...(fleet === undefined ? {} : { fleet }),
    ...(networks === undefined ? {} : { networks }),
    ...(services === undefined ? {} : { services }),
    roles,
    hosts: unique(hosts, problems),
    broken,
    hostsComplete,
  };
}

function shaped<T>(
  schema: Parameters<typeof validate<T>>[0],
  source: Source,
  problems: Problem[],
): T | undefined {
  if (source.value === undefined) return undefined;
  const { value, problems: found } = validate(schema, source);
  problems.push(...found);
  return value;
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const holdsMany = (value: unknown): boolean => isMapping(value) && Object.hasOwn(value, 'hosts');

function definitions(source: Source, key: 'networks' | 'services', problems: Problem[]): Definitions {
  const inner = isMapping(source.value) ? source.value[key] : undefined;
  const names = isMapping(inner) ? Object.keys(inner) : [];
  const file = shaped<{ readonly [name in typeof key]?: Definitions['terms'] }>(
    key === 'networks' ? networksFile : servicesFile,
    source,
    problems,
  );
  const terms = file?.[key];
  return { terms: terms ?? {}, source, names, complete: source.complete && terms !== undefined };
}

function strayFile(local: string, location: SourceLocation): Problem {
  const name = local.replace(/\.yaml$/, '.yml');
  if (name !== local)
    return error('stray-file', 'Policies end in .yml; this file would not be read.', location, 'Rename it.');
  const near = nearest(name, TOP);
  return error(
    'stray-file',
    'This file would not be read.',
    location,
    near === undefined
      ? `A policy is ${TOP.join(', ')}, roles/*.yml and hosts/*.yml.`
      : `Did you mean ${near}?`,
  );
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
      error(
        'bad-name',
        `"${name}" cannot be the name of a ${kind}.`,
        location,
        'Rename the file: letters, digits, "-" and "_", starting with a letter; host names may hold ".".',
      ),
    );
}

/** Names become folders, and some file systems do not tell `Web-1` from `web-1`. */
function unique(hosts: readonly HostEntry[], problems: Problem[]): readonly HostEntry[] {
  const seen = new Map<string, HostEntry>();
  for (const entry of hosts.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    const first = seen.get(entry.name.toLowerCase());
    if (first === undefined) seen.set(entry.name.toLowerCase(), entry);
    else
      problems.push(
        error(
          'duplicate-host',
          `The host ${entry.name} stands twice.`,
          entry.location,
          `It stands in ${first.location.file}:${first.location.line} already: keep one of them.`,
        ),
      );
  }
  return [...seen.values()];
}
