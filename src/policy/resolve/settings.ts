/** Settings of the fleet and of a host: what the policy says, with the defaults filled in. */
import { error, type Problem } from '../../lib/problem.js';
import type { BaselineFile, BootFile, ChecksFile, RolloutFile, SshFile } from '../files/schema.js';
import type { Source } from '../files/yaml.js';
import type { Baseline, BootSettings, Check, RolloutSettings, SshSettings } from '../fleet.js';
import { undefinedName } from '../names.js';
import { countable, rate, seconds } from '../values.js';
import { termsOf } from './rules.js';

/** What the later file says counts; a bastion of the later one replaces all of the earlier one's. */
export function sshSettings(
  files: readonly (SshFile | undefined)[],
): Omit<SshSettings, 'user'> & { readonly user?: string } {
  const {
    user,
    port = 22,
    known_hosts,
    transport = 'builtin',
    identity,
    bastion = [],
  } = Object.assign({}, ...files) as SshFile;
  return {
    ...(user === undefined ? {} : { user }),
    port,
    ...(known_hosts === undefined ? {} : { knownHosts: known_hosts }),
    transport,
    ...(identity === undefined ? {} : { identity }),
    bastions: [bastion]
      .flat()
      .map((jump) => ({ host: jump.host, user: jump.user ?? user ?? '', port: jump.port ?? 22 })),
  };
}

type LogFile = { readonly [key in keyof LogGiven]-?: NonNullable<LogGiven[key]> };
type LogGiven = Exclude<BaselineFile['log'], false | undefined>;
const LOG: LogFile = { rate: '5/minute', burst: 10, prefix: 'iptables-drop: ', level: 'warning' };

function mergedLog(base: LogFile | undefined, given: BaselineFile['log']): LogFile | undefined {
  if (given === undefined) return base;
  if (given === false) return undefined;
  const { rate, burst, prefix, level } = base ?? LOG;
  return {
    rate: given.rate ?? rate,
    burst: given.burst ?? burst,
    prefix: given.prefix ?? prefix,
    level: given.level ?? level,
  };
}

const PARTS = ['loopback', 'established', 'invalid', 'ssh'] as const;

/** Later files over earlier ones over the defaults; `log: false` turns logging off, a mapping turns it on again. */
export function baseline(files: readonly (BaselineFile | undefined)[]): Baseline {
  const said = Object.assign({}, ...files) as BaselineFile;
  let log: LogFile | undefined = LOG;
  for (const file of files) log = mergedLog(log, file?.log);
  const left = PARTS.filter((part) => said[part] === 'rules');
  return {
    input: said.input ?? 'drop',
    forward: said.forward ?? 'drop',
    output: said.output ?? 'accept',
    icmp: said.icmp ?? 'essential',
    ...(left.length === 0 ? {} : { leftToRules: left }),
    ...(log === undefined ? {} : { log: { ...log, rate: rate(log.rate) } }),
  };
}

/** A rate of logging that the kernel refuses. */
export function baselineProblems(
  merged: Baseline,
  file: BaselineFile | undefined,
  source: Source,
): readonly Problem[] {
  if (file?.log === undefined || file.log === false || merged.log === undefined) return [];
  const { rate: limit, burst } = merged.log;
  if (countable(limit, burst)) return [];
  const message = `The kernel cannot count ${limit.count}/${limit.per} with a burst of ${burst}.`;
  return [
    error('bad-rate', message, source.at(file, 'log'), 'Lower the burst until it refills within a day.'),
  ];
}

export const bootSettings = (files: readonly (BootFile | undefined)[]): BootSettings => {
  const { enable = false, paths } = Object.assign({}, ...files) as BootFile;
  if (paths === undefined) return { enable };
  const { v4, v6, sets } = paths;
  return { enable, paths: { v4, v6, ...(sets === undefined ? {} : { sets }) } };
};

export const checks = (file: ChecksFile | undefined, source: Source): readonly Check[] =>
  (file ?? []).map((check) =>
    'tcp' in check
      ? { kind: 'tcp', port: check.tcp, open: check.open ?? true, location: source.keyAt(check, 'tcp') }
      : { kind: 'command', command: check.command, location: source.keyAt(check, 'command') },
  );

/** What names of hosts and roles can be said by. */
export interface HostIndex {
  /** Host → its roles. In the order of the names. */
  readonly roles: ReadonlyMap<string, readonly string[]>;
  readonly known: { readonly hosts: Iterable<string>; readonly roles: Iterable<string> };
  readonly complete: boolean;
}

/** Host names, `role:NAME` and `all`; in the order of the fleet. */
export function selected(
  source: Source,
  container: object,
  key: string,
  value: string | readonly string[],
  crew: HostIndex,
  problems: Problem[],
): readonly string[] {
  const chosen = new Set<string>();
  const terms = termsOf(source, container, key, value);
  for (const [index, text] of terms.texts.entries()) {
    const role = text.startsWith('role:') ? text.slice(5) : undefined;
    const hosts = [...crew.roles.keys()].filter(
      (name) => text === 'all' || (role === undefined ? name === text : crew.roles.get(name)?.includes(role)),
    );
    for (const host of hosts) chosen.add(host);
    if (hosts.length > 0 || !crew.complete) continue;
    const known = role === undefined ? crew.known.hosts : crew.known.roles;
    problems.push(
      role !== undefined && [...known].includes(role)
        ? error('empty-role', `No host has the role ${role}.`, terms.at(index))
        : undefinedName(
            role === undefined ? 'host' : 'role',
            role ?? text,
            known,
            terms.at(index),
            'Write host names, role:NAME or all.',
          ),
    );
  }
  return [...crew.roles.keys()].filter((name) => chosen.has(name));
}

const percent = (text: string): number => Number(text.slice(0, -1));

export function rolloutSettings(
  file: RolloutFile | undefined,
  source: Source,
  crew: HostIndex,
  problems: Problem[],
): RolloutSettings {
  const { canary = [], waves = ['25%', '100%'], max_failures: failures = 0 } = file ?? {};
  const confirm = seconds(file?.confirm_within ?? '60s');
  if (file?.confirm_within !== undefined && (confirm < 10 || confirm > 3600))
    problems.push(
      error(
        'out-of-range',
        'The deadline must be from 10s to 1h.',
        source.at(file, 'confirm_within'),
        'A host that nobody confirms is without its old rules for that long.',
      ),
    );
  const sizes = waves.map((wave) =>
    typeof wave === 'number' ? { count: wave } : { percent: percent(wave) },
  );
  for (const [index, wave] of waves.entries()) {
    const before = waves[index - 1];
    if (
      typeof before === typeof wave &&
      Number.parseInt(String(before), 10) >= Number.parseInt(String(wave), 10)
    )
      problems.push(
        error(
          'bad-wave',
          'A wave must be larger than the one before it.',
          source.at(waves, index),
          'Sizes add up: [10%, 50%, 100%].',
        ),
      );
  }
  const last = sizes[sizes.length - 1];
  if (last !== undefined && !('percent' in last && last.percent === 100))
    problems.push(
      error(
        'bad-wave',
        'The last wave must be 100%, or some hosts would never be reached.',
        source.at(waves, waves.length - 1),
        'Add 100% at the end.',
      ),
    );
  return {
    canary: file === undefined ? [] : canaries(file, canary, source, crew, problems),
    soakSeconds: seconds(file?.soak ?? '30s'),
    waves: sizes,
    parallel: file?.parallel ?? 20,
    maxFailures: typeof failures === 'number' ? { count: failures } : { percent: percent(failures) },
    confirmWithinSeconds: confirm,
    onFailure: file?.on_failure ?? 'keep',
    maxDropGrowth: file?.max_drop_growth ?? 5,
  };
}

function canaries(
  file: RolloutFile,
  canary: string | readonly string[],
  source: Source,
  crew: HostIndex,
  problems: Problem[],
): readonly string[] {
  if (canary !== 'one-per-role') return selected(source, file, 'canary', canary, crew, problems);
  const first = new Map<string, string>();
  for (const [host, roles] of crew.roles)
    for (const role of roles) if (!first.has(role)) first.set(role, host);
  const chosen = new Set(first.values());
  return [...crew.roles.keys()].filter((name) => chosen.has(name));
}
