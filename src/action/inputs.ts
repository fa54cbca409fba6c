/** The inputs of `action.yml`, checked and typed. */
import { error, type Problem, type Result } from '../lib/problem.js';
import { MOST_SHARDS, readShard } from '../rollout/results/shard.js';
import { type RolloutPart, readWaves } from '../rollout/results/waves.js';

export const COMMANDS = ['auto', 'check', 'plan', 'deploy', 'drift', 'adopt', 'report', 'reviewed'] as const;
export type CommandName = (typeof COMMANDS)[number];

export const FAIL_ON = ['error', 'warning', 'opened', 'never'] as const;
export type FailOn = (typeof FAIL_ON)[number];

export interface Inputs {
  readonly command: CommandName;
  readonly policies: string;
  /** Host names and `role:NAME`, separated by commas; `undefined` is all. */
  readonly hosts?: string;
  /** A folder of recorded states, read instead of the hosts. */
  readonly state?: string;
  /** A folder in which every state that was read is recorded. */
  readonly save?: string;
  /** Of a job that shares its work with others. */
  readonly part?: RolloutPart;
  /** Files, and folders of files, that other jobs wrote. */
  readonly reports: readonly string[];
  readonly ssh: SshInputs;
  readonly token: string;
  readonly environment: string;
  readonly comment: boolean;
  readonly labels: boolean;
  readonly deployment: boolean;
  readonly failOn: FailOn;
  readonly acceptLockoutRisk: readonly string[];
  /** A reviewed plan; a deploy is bound to it. */
  readonly planFile?: string;
}

/**
 * Kept in memory alone, never in a file and never handed to another process; but `ssh.transport: openssh` gives the key
 * to the `ssh` program, in a file of mode 600 that goes when the run ends (`host/openssh.ts`).
 */
export interface SshInputs {
  readonly key?: string;
  readonly passphrase?: string;
  /** The text of a known_hosts file; `undefined` uses the policy's. */
  readonly knownHosts?: string;
}

/** @param get The value of an input, trimmed; empty when it was not given. */
export function readInputs(get: (name: string) => string): Result<Inputs> {
  const problems: Problem[] = [];
  const oneOf = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const value = get(name) || fallback;
    const found = allowed.find((one) => one === value);
    if (found === undefined) problems.push(unknownValue(name, value, allowed));
    return found ?? fallback;
  };
  const given = (name: string): string | undefined => get(name) || undefined;
  const flag = (name: string, fallback: 'true' | 'false'): boolean =>
    oneOf(name, ['true', 'false'], fallback) === 'true';
  const partOf = <T>(name: string, read: (text: string) => T | undefined, form: string): T | undefined => {
    const value = get(name);
    const found = value === '' ? undefined : read(value);
    if (value !== '' && found === undefined) problems.push(malformed(name, value, form));
    return found;
  };
  const shard = partOf('shard', readShard, `i/n, such as 1/4, with at most ${MOST_SHARDS} shards`);
  const waves = partOf(
    'wave',
    readWaves,
    'canary, a number from 1, a number and all that follow (2+), or bastions',
  );
  const inputs: Inputs = {
    command: oneOf('command', COMMANDS, 'auto'),
    policies: get('policies') || 'policies',
    hosts: given('hosts'),
    state: given('state'),
    save: given('save'),
    part: shard === undefined && waves === undefined ? undefined : { shard, waves },
    reports: words(get('reports') || 'reports'),
    ssh: {
      key: given('ssh-key'),
      passphrase: given('ssh-key-passphrase'),
      knownHosts: given('known-hosts'),
    },
    token: get('github-token'),
    environment: get('environment'),
    comment: flag('comment', 'true'),
    labels: flag('labels', 'false'),
    deployment: flag('deployment', 'false'),
    failOn: oneOf('fail-on', FAIL_ON, 'error'),
    acceptLockoutRisk: words(get('accept-lockout-risk')),
    planFile: given('plan'),
  };
  const { passphrase } = inputs.ssh;
  if (passphrase !== undefined && passphrase.length < SHORTEST_PASSPHRASE) problems.push(shortPassphrase);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: inputs, problems: [] };
}

/** ssh-keygen takes none that is shorter; and one of two letters, kept out of every report, would take it apart. */
const SHORTEST_PASSPHRASE = 5;

const shortPassphrase = error(
  'bad-input',
  `The input \`ssh-key-passphrase\` is shorter than ${SHORTEST_PASSPHRASE} characters.`,
  { hint: 'Set a longer passphrase with `ssh-keygen -p`, or omit the input if the key has none.' },
);

const unknownValue = (name: string, value: string, allowed: readonly string[]): Problem =>
  error('bad-input', `Invalid value \`${value}\` for the input \`${name}\`.`, {
    hint: `Use one of: ${allowed.join(', ')}.`,
  });

const malformed = (name: string, value: string, form: string): Problem =>
  error('bad-input', `Invalid value \`${value}\` for the input \`${name}\`.`, { hint: `Use ${form}.` });

const words = (text: string): readonly string[] => text.split(/[\s,]+/).filter((word) => word !== '');
