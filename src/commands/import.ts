/** `import`: writes the policy of hosts from the rules that they run. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import pMap from 'p-map';
import { readRuleset } from '../compile/render.js';
import { importFleet } from '../import/fleet.js';
import type { Imported, ImportedHost, ImportHost } from '../import/model.js';
import { FAMILIES, type Family } from '../lib/family.js';
import { ADDRESS_BITS, familyOf } from '../lib/ip.js';
import { error, failure, hasErrors, type Problem, type Result } from '../lib/problem.js';
import { parseSave } from '../netfilter/text/parse.js';
import { readNetwork } from '../policy/addresses.js';
import type { Fleet, Host } from '../policy/fleet.js';
import { lintFleet } from '../policy/lint/lint.js';
import { HOST_NAME, TARGET, USER } from '../policy/names.js';
import { readFleet } from '../policy/resolve/fleet.js';
import { checkHost } from '../rollout/plan/check-host.js';
import type { OpenHosts, Reader } from './inputs/fleet.js';
import { familyOfName } from './inputs/rules-file.js';

export type { Imported, ImportedHost };

/** `web-1=deploy@203.0.113.10:22`: a host, and how SSH connects to it. */
export interface Target {
  readonly name: string;
  readonly address: string;
  readonly user?: string;
  readonly port: number;
}

/** A file with rules of a host. */
export interface HostFile {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

export interface ImportRequest {
  readonly targets: readonly Target[];
  readonly files: readonly HostFile[];
  readonly admin?: readonly string[];
  /** The policy's file of host keys. */
  readonly knownHosts?: string;
  /** The SSH user of targets that name none. */
  readonly user: string;
  readonly parallel?: number;
  /** `YYYY-MM-DD`; default: today, UTC. */
  readonly today?: string;
}

/** Reads hosts that have no files over SSH, and imports the policy of all; writes nothing. */
export async function importHosts(
  request: ImportRequest,
  open: OpenHosts<Reader>,
): Promise<Result<Imported>> {
  const { targets, files, user, admin } = request;
  const named = [...new Set(files.map(({ name }) => name))];
  const fromFiles = named.map((name, index) => hostOfFiles(name, index, request));
  const problems: Problem[] = fromFiles.flatMap((one) => one.problems);
  problems.push(...adminProblems(admin ?? []));
  if (hasErrors(problems)) return { ok: false, problems: problems.map(fileNames(files)) };
  const overSsh = targets.filter(({ name }) => !named.includes(name));
  const live = overSsh.length === 0 ? [] : await readTargets(overSsh, user, open, request.parallel);
  problems.push(...live.flatMap((one) => one.problems));
  const hosts = [...fromFiles, ...live].flatMap((one) => (one.ok ? [one.value] : []));
  if (hasErrors(problems)) return { ok: false, problems };
  if (hosts.length === 0)
    return failure(
      error('import-nothing', 'No hosts given.', {
        hint: 'Name them: sallyport import web-1=deploy@203.0.113.10, or --file web-1=rules.v4.',
      }),
    );
  const imported = importFleet(
    hosts.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    {
      today: request.today ?? new Date().toISOString().slice(0, 10),
      check: findings,
      knownHosts: request.knownHosts,
      admin: admin?.map(withPrefix),
    },
  );
  const inFile = fileNames(files);
  const found = [...problems, ...imported.problems].map(inFile);
  if (!imported.ok) return { ok: false, problems: found };
  const value = {
    ...imported.value,
    hosts: imported.value.hosts.map((host) => ({
      ...host,
      notes: host.notes.map(inFile),
      anomalies: host.anomalies.map(inFile),
    })),
  };
  return { ok: true, value, problems: found };
}

/** Replaces the locations that rules were read with, such as `web-1 v4`, by the files they are in. */
function fileNames(files: readonly HostFile[]): (problem: Problem) => Problem {
  const paths = new Map(files.map((file) => [`${file.name} ${kindOf(file)}`, file.path]));
  const inText = (text: string): string =>
    [...paths].reduce((all, [name, path]) => all.replaceAll(` at ${name}:`, ` at ${path}:`), text);
  return ({ location, message, ...problem }) => ({
    ...problem,
    message: inText(message),
    location: location && { ...location, file: paths.get(location.file) ?? location.file },
  });
}

/** The problems that `check` reports. */
const findings = (fleet: Fleet): readonly Problem[] => [
  ...lintFleet(fleet),
  ...fleet.hosts.flatMap((host) => checkHost(fleet, host, []).problems),
];

const withPrefix = (network: string): string =>
  network.includes('/') ? network : `${network}/${ADDRESS_BITS[familyOf(network)]}`;

const adminProblems = (admin: readonly string[]): readonly Problem[] =>
  admin.flatMap((text) => {
    const network = readNetwork(text);
    return 'id' in network ? [error(network.id, `--admin: ${network.message}`, { hint: network.hint })] : [];
  });

/** Parses `web-1=deploy@203.0.113.10` or `web-1=[2001:db8::10]:2222`. */
export function readTarget(text: string): Result<Target> {
  const cut = text.indexOf('=');
  const name = text.slice(0, Math.max(cut, 0));
  const [, user, six, plain, port] =
    /^(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:[\]]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*))(?::(\d{1,5}))?$/.exec(
      text.slice(cut + 1),
    ) ?? [];
  const address = six ?? plain;
  const number = Number(port ?? 22);
  if (
    !HOST_NAME.test(name) ||
    address === undefined ||
    !TARGET.test(address) ||
    (user !== undefined && !USER.test(user)) ||
    number < 1 ||
    number > 65535
  )
    return failure(
      error('import-bad-host', `"${text}" is not a valid host.`, {
        hint: 'Write NAME=USER@ADDRESS, as in web-1=deploy@203.0.113.10.',
      }),
    );
  return {
    ok: true,
    value: { name, address, port: number, user },
    problems: [],
  };
}

/** Addresses reserved for documentation (RFC 5737, RFC 3849). */
const documentationAddresses = (index: number, families: readonly Family[]): readonly string[] => [
  `192.0.2.${(index % 250) + 1}`,
  ...(families.includes('v6') ? [`2001:db8::${((index % 65535) + 1).toString(16)}`] : []),
];

function hostOfFiles(
  name: string,
  index: number,
  { targets, files, user }: ImportRequest,
): Result<ImportHost> {
  const problems: Problem[] = [];
  const texts: { v4?: string; v6?: string; sets?: string } = {};
  const paths = { v4: name, v6: name, sets: name };
  for (const file of files.filter((each) => each.name === name)) {
    const kind = kindOf(file);
    if (texts[kind] !== undefined)
      problems.push(
        error(
          'import-file-twice',
          `Both ${paths[kind]} and ${file.path} have ${kind === 'sets' ? 'sets' : `${kind} rules`} of ${name}.`,
          { hint: 'Give one file of each kind.' },
        ),
      );
    texts[kind] = file.text;
    paths[kind] = file.path;
  }
  if (!HOST_NAME.test(name))
    problems.push(
      error('import-bad-host', `"${name}" is not a valid host name.`, { hint: 'Write --file NAME=FILE.' }),
    );
  if (problems.length > 0) return { ok: false, problems };
  const { v4 = '', v6 = '', sets = '' } = texts;
  const read = readRuleset({ v4, v6, sets }, name);
  if (!read.ok) return read;
  const families = FAMILIES.filter((family) => texts[family] !== undefined);
  const target = targets.find((each) => each.name === name);
  const literal = target !== undefined && !('id' in readNetwork(target.address));
  const unknown = documentationAddresses(index, families);
  return {
    ok: true,
    problems: read.problems,
    value: {
      name,
      address: target?.address ?? unknown[0] ?? '',
      addresses: literal && target !== undefined ? [target.address] : unknown,
      unknownAddress: target === undefined ? true : undefined,
      user: target?.user ?? user,
      port: target?.port ?? 22,
      live: read.value,
      families,
    },
  };
}

function kindOf({ path, text }: HostFile): Family | 'sets' {
  if (/^create \S+ /m.test(text) && !/^\*/m.test(text)) return 'sets';
  const guess = familyOfName(path);
  if (parseSave(text, guess, path).ok) return guess;
  const other = guess === 'v4' ? 'v6' : 'v4';
  return parseSave(text, other, path).ok ? other : guess;
}

async function readTargets(
  targets: readonly Target[],
  user: string,
  open: OpenHosts<Reader>,
  parallel = 20,
): Promise<readonly Result<ImportHost>[]> {
  const fleet = fleetOf(targets, user);
  if (!fleet.ok) return [fleet];
  const chosen = { fleet: fleet.value, hosts: fleet.value.hosts };
  const opened = await open(chosen);
  if (!opened.ok) return [opened];
  try {
    return await pMap(
      targets,
      async (target) => {
        const host = chosen.hosts.find(({ name }) => name === target.name);
        return host === undefined
          ? { ok: false as const, problems: [] }
          : readTargetHost(target, host, opened.value);
      },
      { concurrency: parallel },
    );
  } finally {
    await opened.value.close();
  }
}

async function readTargetHost(target: Target, host: Host, client: Reader): Promise<Result<ImportHost>> {
  const reading = await client.read(host);
  if (reading.status !== 'read') return failure(reading.problem);
  const { live, facts, notes = [] } = reading.state;
  const read = readRuleset(live, `${host.name} live`, true);
  if (!read.ok) return read;
  const hasIpv6 = facts.ipv6 || live.v6.includes('COMMIT');
  const own = facts.addresses.filter((address) => !/^(127\.|::1$|fe80:|169\.254\.)/i.test(address));
  const literal = !('id' in readNetwork(target.address));
  return {
    ok: true,
    problems: [...read.problems, ...notes],
    value: {
      name: host.name,
      address: target.address,
      addresses: [...new Set([...(literal ? [target.address] : []), ...own])],
      user: host.ssh.user,
      port: target.port,
      live: read.value,
      families: hasIpv6 ? FAMILIES : ['v4'],
      withoutIpv6: hasIpv6 ? undefined : true,
    },
  };
}

/** A fleet with what SSH needs, since there is no policy yet. */
function fleetOf(targets: readonly Target[], user: string): Result<Fleet> {
  const files = new Map([
    ['import/fleet.yml', `version: 1\nssh: {user: ${JSON.stringify(user)}}\nadmin: [192.0.2.0/24]\n`],
    ...targets.map((target): [string, string] => [
      `import/hosts/${target.name}.yml`,
      JSON.stringify({
        address: target.address,
        addresses: ['192.0.2.1'],
        ssh: { port: target.port, user: target.user },
      }),
    ]),
  ]);
  return readFleet(files, 'import');
}

/** A problem for each file that would be overwritten. */
export async function existingFiles(
  directory: string,
  files: ReadonlyMap<string, string>,
): Promise<readonly Problem[]> {
  const found: Problem[] = [];
  for (const path of files.keys()) {
    const file = join(directory, path);
    const exists = await stat(file).then(
      () => true,
      () => false,
    );
    if (exists)
      found.push(
        error('import-exists', `${file} already exists.`, { hint: 'Name an empty folder with --out.' }),
      );
  }
  return found;
}
