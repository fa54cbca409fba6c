/** Options that several commands take, each described once. */
import { posix } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MOST_SHARDS, readShard, type Shard } from '../rollout/results/shard.js';
import { type RolloutPart, readWaves } from '../rollout/results/waves.js';

/** Defines what a command does; `action` returns the exit status of the program. */
export type Act = (command: Command, action: (...args: never[]) => Promise<number>) => Command;

const FORMATS = ['text', 'markdown', 'json'] as const;
/** A plan can be a page of its own as well. */
export const PLAN_FORMATS = [...FORMATS, 'html'] as const;
export type Format = (typeof PLAN_FORMATS)[number];

export interface PolicyOptions {
  readonly policies: string;
  readonly hosts?: string;
}

/** Adds `--policies`. */
export const withPolicy = (command: Command): Command =>
  command.option('-p, --policies <dir>', 'the folder with the policy', 'policies');

/** Adds `--policies` and `--hosts`. */
export const withHosts = (command: Command): Command =>
  withPolicy(command).option(
    '--hosts <selector>',
    'host names and role:NAME, separated by commas (default: all)',
  );

export interface OutputOptions {
  readonly format: Format;
  readonly output?: string;
}

/** Adds `--format` and `--output`. */
export const withOutput = (command: Command, formats: readonly Format[] = FORMATS): Command =>
  command
    .addOption(new Option('-f, --format <format>', 'format of the report').choices(formats).default('text'))
    .option('-o, --output <file>', 'write the report to a file instead of standard output');

export interface SshOptions {
  readonly identity?: string;
  readonly knownHosts?: string;
  readonly parallel?: number;
}

/** Adds `--identity`, `--known-hosts` and `--parallel`. */
export const withSsh = (command: Command): Command =>
  command
    .option(
      '-i, --identity <file>',
      'the private key to log in with (default: the ssh-agent, else ~/.ssh/id_*)',
    )
    .option('--known-hosts <file>', "the known_hosts file (default: the policy's)")
    .option('--parallel <n>', "number of hosts at a time (default: the policy's)", positive);

export interface RiskOptions {
  readonly acceptLockoutRisk: readonly string[];
}

/** Adds `--accept-lockout-risk`. */
export const withRisk = (command: Command): Command =>
  command.addOption(
    repeated(
      '--accept-lockout-risk <host>',
      'continue although the lock-out proof of this host fails; can be repeated',
      (host) => host.split(',').filter((one) => one !== ''),
    ),
  );

/** An option that may stand several times, each with one value or more. */
export const repeated = (
  flags: string,
  description: string,
  read: (text: string) => readonly string[] = (text) => [text],
  byDefault = 'none',
): Option =>
  new Option(flags, description)
    .argParser((text: string, known: readonly string[]) => [...known, ...read(text)])
    .default([], byDefault);

/** Parses a whole number from 1 to 999999. @throws InvalidArgumentError */
export function positive(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

/** Adds `--shard`. @param what its description */
export const withShard = (command: Command, what: string): Command =>
  command.option('--shard <i/n>', what, shard);

function shard(text: string): Shard {
  const read = readShard(text);
  if (read !== undefined) return read;
  throw new InvalidArgumentError(`Expected i/n, such as 1/4, with at most ${MOST_SHARDS} shards.`);
}

/** Parses a number of shards. @throws InvalidArgumentError */
export function shards(text: string): number {
  const read = readShard(`1/${text}`);
  if (read !== undefined && read.of > 1) return read.of;
  throw new InvalidArgumentError(`Expected a number from 2 to ${MOST_SHARDS}.`);
}

/** As workflows can watch it: GitHub matches `paths:` against names that begin with no `./`, and nothing here is quoted. */
export function folder(text: string): string {
  const plain = posix.normalize(text).replace(/\/+$/, '');
  if (/^[\w.-]+(?:\/[\w.-]+)*$/.test(plain) && !/^\.\.?(?:\/|$)/.test(plain)) return plain;
  throw new InvalidArgumentError(
    'Expected a directory inside the repository, of letters, digits, ".", "_", "-" and "/".',
  );
}

/** Parses `--wave`. @throws InvalidArgumentError */
export function waves(text: string): RolloutPart['waves'] {
  const read = readWaves(text);
  if (read !== undefined) return read;
  throw new InvalidArgumentError(
    'Expected canary, a number from 1, a number and all that follow (2+), or bastions.',
  );
}

/** Adds example command lines to the help. */
export const examples = (command: Command, ...lines: readonly string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`.trimEnd());
