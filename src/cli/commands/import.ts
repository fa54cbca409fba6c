/** `import`: writes the policy of hosts from the rules that they run. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Command, Option } from 'commander';
import type { HostFile, Imported, ImportedHost, Target } from '../../commands/import.js';
import { error, note, type Problem, ProblemError } from '../../lib/problem.js';
import { count, list } from '../../lib/text.js';
import { hostsOverSsh } from '../hosts.js';
import { complain, DONE, FAILED, failureOf, type Io, readText, reportProblems, writeText } from '../io.js';
import { type Act, examples, repeated, type SshOptions, withSsh } from '../options.js';

interface ImportArguments extends SshOptions {
  readonly file: readonly string[];
  readonly state?: string;
  readonly admin: readonly string[];
  readonly out: string;
  readonly format: 'text' | 'json';
}

const split = (value: string): readonly string[] => value.split(/[\s,]+/).filter((one) => one !== '');

/** Defines the command `import`. */
export function defineImport(program: Command, act: Act, io: Io): void {
  const command = withSsh(
    program
      .command('import')
      .summary('write the policy of hosts from the rules that they run (reads only)')
      .description(
        'Reads the rules of hosts over SSH, or from files, and writes a policy with the same verdict for every packet. That is proved for each host; otherwise nothing is written. Rules that the policy cannot express become literal rules. Rules managed by Docker, fail2ban and other programs are not imported.',
      )
      .argument('[hosts...]', 'NAME=USER@ADDRESS or NAME=USER@ADDRESS:PORT')
      .addOption(
        repeated('--file <name=file>', 'rules of a host in a file (v4, v6 or ipset save); repeatable'),
      )
      .option('--state <dir>', 'rules of hosts as `plan --save` writes them: HOST.v4, HOST.v6, HOST.sets')
      .addOption(
        repeated(
          '--admin <network>',
          'networks from which SSH is always allowed; repeatable',
          split,
          'those that reach it on every host now',
        ),
      )
      .option('--out <dir>', 'folder to write the policy to', 'policies')
      .addOption(
        new Option('-f, --format <format>', 'format of the report').choices(['text', 'json']).default('text'),
      ),
  );
  examples(
    command,
    'sallyport import web-1=deploy@203.0.113.10 db-1=deploy@203.0.113.20',
    'sallyport import --file web-1=rules.v4 --file web-1=rules.v6',
    'sallyport import --state states --admin 203.0.113.0/24 --out policies',
  );
  act(command, (hosts: readonly string[], options: ImportArguments) => runImport(hosts, options, io));
}

async function runImport(hosts: readonly string[], options: ImportArguments, io: Io): Promise<number> {
  const { importHosts, readTarget, existingFiles } = await import('../../commands/import.js');
  const read = hosts.map(readTarget);
  complain(
    io,
    read.flatMap(({ problems }) => problems),
  );
  if (read.some(({ ok }) => !ok)) return FAILED;
  const targets = read.flatMap((one): readonly Target[] => (one.ok ? [one.value] : []));
  const files = [
    ...(await Promise.all(options.file.map((file) => hostFile(file, io)))),
    ...(options.state === undefined ? [] : await stateFiles(options.state, targets, io)),
  ];
  const overNetwork = targets.filter((target) => !files.some(({ name }) => name === target.name));
  const knownHosts = options.knownHosts ?? join(io.env.HOME ?? '', '.ssh/known_hosts');
  const pinned =
    overNetwork.length === 0 ? '' : await pinnedKeys(overNetwork, await readText(io, knownHosts));
  const imported = reportProblems(
    io,
    await importHosts(
      {
        knownHosts: pinned === '' ? undefined : KNOWN_HOSTS,
        targets,
        files,
        user: targets.find(({ user }) => user !== undefined)?.user ?? (io.env.USER || 'root'),
        admin: options.admin.length === 0 ? undefined : options.admin,
        parallel: options.parallel,
      },
      hostsOverSsh(io, { ...options, knownHosts }),
    ),
  );
  if (imported === undefined) return FAILED;
  const written = new Map([
    ...imported.value.files,
    ...(pinned === '' ? [] : [[KNOWN_HOSTS, pinned] as const]),
  ]);
  const existing = await existingFiles(options.out, written);
  complain(io, existing);
  if (existing.length > 0) return FAILED;
  for (const [path, text] of written) {
    const file = join(options.out, path);
    await writeText(file, text);
    if (options.format === 'text') io.stdout.write(`${file}\n`);
  }
  if (options.format === 'json')
    io.stdout.write(jsonReport(imported.value, [...written.keys()], options.out));
  else report(io, imported.value, written.size, options.out);
  return DONE;
}

/** One object: the written files, and for each host what `text` reports on standard error. */
const jsonReport = ({ ownership, admin, hosts }: Imported, files: readonly string[], out: string): string =>
  `${JSON.stringify({ version: 1, out, files, ownership, admin, hosts })}\n`;

const KNOWN_HOSTS = 'known_hosts';

/** The known host keys of the targets, as lines for the policy's `known_hosts`. */
async function pinnedKeys(targets: readonly Target[], text: string): Promise<string> {
  const { parseKnownHosts, pinnedKeysFor } = await import('../../host/ssh/host-key.js');
  const known = parseKnownHosts([text]);
  return targets
    .flatMap(({ address, port }) => {
      const name = port === 22 ? address : `[${address}]:${port}`;
      return pinnedKeysFor(known, [address], port).keys.map(({ type, key }) => `${name} ${type} ${key}\n`);
    })
    .join('');
}

async function hostFile(text: string, io: Io): Promise<HostFile> {
  const [, name = '', path = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (path === '')
    throw new ProblemError([
      error('import-bad-file', `"${text}" has no host name.`, {
        hint: 'Write --file NAME=FILE, as in --file web-1=rules.v4.',
      }),
    ]);
  return { name, path, text: await readText(io, path) };
}

const KIND = /\.(v4|v6|sets)$/;

/** The files of the given hosts, or of all if none is given. */
async function stateFiles(
  directory: string,
  targets: readonly Target[],
  io: Io,
): Promise<readonly HostFile[]> {
  let entries: readonly string[];
  try {
    entries = await readdir(directory);
  } catch (thrown) {
    throw new ProblemError([error('cannot-read', `${directory} cannot be read: ${failureOf(thrown)}.`)]);
  }
  const wanted = entries
    .filter((name) => KIND.test(name))
    .filter(
      (name) => targets.length === 0 || targets.some((target) => target.name === name.replace(KIND, '')),
    )
    .toSorted();
  return Promise.all(
    wanted.map(async (entry): Promise<HostFile> => {
      const path = join(directory, entry);
      return { name: basename(entry).replace(KIND, ''), path, text: await readText(io, path) };
    }),
  );
}

function report(io: Io, { hosts, ownership, admin }: Imported, files: number, out: string): void {
  complain(
    io,
    hosts.flatMap((host): readonly Problem[] => [...host.notes, ...firstAnomalies(host)]),
  );
  const lines = hosts.map(hostLine);
  io.stderr.write(
    `\n${lines.join('\n')}\n\nWrote ${count(files, 'file')} to ${out}. Administrators: ${admin.join(', ')}.\n${OWNERSHIP[ownership]}${NEXT}`,
  );
}

/** Reported for each host; JSON has all. */
const MAX_ANOMALIES = 10;

/** Warnings first, then notes, both in the order of the chains. */
function firstAnomalies({ name, anomalies }: ImportedHost): readonly Problem[] {
  const sorted = anomalies.toSorted((a, b) => Number(b.level === 'warning') - Number(a.level === 'warning'));
  const more = sorted.length - MAX_ANOMALIES;
  return more <= 0
    ? sorted
    : [
        ...sorted.slice(0, MAX_ANOMALIES),
        note(
          'import-more-anomalies',
          `${count(more, 'more rule')} of ${name} can never match, change nothing or accept very much.`,
          { hint: 'See all of them with --format json.' },
        ),
      ];
}

function hostLine({ name, rules, statements, literal, programs, foreign }: ImportedHost): string {
  const parts = [
    `${count(rules, 'rule')} became ${count(statements, 'statement')} and ${count(literal, 'literal rule')}`,
    ...(programs.length === 0 ? [] : [`rules managed by ${list(programs)} not imported`]),
    ...(foreign === 0 ? [] : [`${count(foreign, 'other rule')} unchanged`]),
  ];
  return `${name}: ${parts.join('; ')}. Proved: the same verdict for every packet.`;
}

const OWNERSHIP: { readonly [kind in Imported['ownership']]: string } = {
  tables: 'The policy owns whole tables: the first deploy replaces the old rules, which the plan lists.\n',
  chains:
    'The policy owns only its own chains, because programs have rules on these hosts: the old rules stay until you remove them.\n',
};

const NEXT = `
Next:
  1. Review the policy: findings in the old rules are suppressed, each with a reason, not approved.
  2. sallyport check, then sallyport plan: which shows no change of traffic.
  3. sallyport deploy --hosts ONE
`;
