/** Settings of the fleet and of a host, with defaults filled in. */
import { addError, type Problem } from '../../lib/problem.js';
import type { BaselineFile, BootFile, ChecksFile, RolloutFile, SshFile } from '../files/schema.js';
import type { Source } from '../files/yaml.js';
import type { Baseline, BootSettings, Check, RolloutSettings, SshSettings } from '../fleet.js';
import { countable, rate, seconds } from '../values.js';
import { type HostIndex, selectedHosts } from './host-index.js';

/** SSH settings of several files, where later files override; a later `bastion` replaces all earlier ones. */
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
    user,
    port,
    knownHosts: known_hosts,
    transport,
    identity,
    bastions: [bastion]
      .flat()
      .map((jump) => ({ host: jump.host, user: jump.user ?? user ?? '', port: jump.port ?? 22 })),
  };
}

type LogFile = Required<Exclude<BaselineFile['log'], false | undefined>>;
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

/** The baseline of several files, where later files override; `log: false` turns logging off, a mapping on again. */
export function baseline(files: readonly (BaselineFile | undefined)[]): Baseline {
  const merged = Object.assign({}, ...files) as BaselineFile;
  let log: LogFile | undefined = LOG;
  for (const file of files) log = mergedLog(log, file?.log);
  const left = PARTS.filter((part) => merged[part] === 'rules');
  return {
    input: merged.input ?? 'drop',
    forward: merged.forward ?? 'drop',
    output: merged.output ?? 'accept',
    icmp: merged.icmp ?? 'essential',
    leftToRules: left.length === 0 ? undefined : left,
    log: log && { ...log, rate: rate(log.rate) },
  };
}

/** Reports a log rate that the kernel does not support. */
export function checkBaseline(
  merged: Baseline,
  file: BaselineFile | undefined,
  source: Source,
  problems: Problem[],
): void {
  if (file?.log === undefined || file.log === false || merged.log === undefined) return;
  const { rate: limit, burst } = merged.log;
  if (countable(limit, burst)) return;
  const message = `The kernel does not support a rate of ${limit.count}/${limit.per} with a burst of ${burst}.`;
  const hint = 'Lower the burst until it refills within a day.';
  addError(problems, 'bad-rate', message, { location: source.at(file, 'log'), hint });
}

/** Boot settings of several files, where later files override. */
export const bootSettings = (files: readonly (BootFile | undefined)[]): BootSettings => ({
  enable: false,
  ...Object.assign({}, ...files),
});

/** The checks of a file. */
export const checks = (file: ChecksFile | undefined, source: Source): readonly Check[] =>
  (file ?? []).map((check) =>
    'tcp' in check
      ? { kind: 'tcp', port: check.tcp, open: check.open ?? true, location: source.keyAt(check, 'tcp') }
      : { kind: 'command', command: check.command, location: source.keyAt(check, 'command') },
  );

const percent = (text: string): number => Number(text.slice(0, -1));

/** The rollout settings of fleet.yml. */
export function rolloutSettings(
  file: RolloutFile | undefined,
  source: Source,
  index: HostIndex,
  problems: Problem[],
): RolloutSettings {
  const { canary = [], waves = ['25%', '100%'], max_failures: failures = 0 } = file ?? {};
  const confirm = seconds(file?.confirm_within ?? '60s');
  if (file?.confirm_within !== undefined && (confirm < 10 || confirm > 3600)) {
    const message = `${file.confirm_within} is out of range for "confirm_within".`;
    const hint = 'Use 10s to 1h: an unconfirmed host keeps the new rules for that long.';
    addError(problems, 'out-of-range', message, { location: source.at(file, 'confirm_within'), hint });
  }
  const sizes = waves.map((wave) =>
    typeof wave === 'number' ? { count: wave } : { percent: percent(wave) },
  );
  for (const [position, wave] of waves.entries()) {
    const before = waves[position - 1];
    if (
      typeof before === typeof wave &&
      Number.parseInt(String(before), 10) >= Number.parseInt(String(wave), 10)
    ) {
      const message = 'A wave must be larger than the one before it.';
      const hint = 'Write cumulative sizes: [10%, 50%, 100%].';
      addError(problems, 'bad-wave', message, { location: source.at(waves, position), hint });
    }
  }
  if (waves.at(-1) !== '100%') {
    const hint = 'Add 100% at the end: otherwise some hosts are never reached.';
    addError(problems, 'bad-wave', 'The last wave must be 100%.', {
      location: source.at(waves, waves.length - 1),
      hint,
    });
  }
  return {
    canary: file === undefined ? [] : canaries(file, canary, source, index, problems),
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
  index: HostIndex,
  problems: Problem[],
): readonly string[] {
  if (canary !== 'one-per-role') return selectedHosts(source, file, 'canary', canary, index, problems);
  const chosen = new Set([...index.hostsOf.values()].map(([first]) => first));
  return [...index.roles.keys()].filter((name) => chosen.has(name));
}
