/** Options that several commands take, each described once. */
import { posix } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MOST_SHARDS, type RolloutPart, readShard, readWaves, type Shard } from '../rollout/results/part.js';

const FORMATS = ['text', 'markdown', 'json'] as const;
/** A plan can be a page of its own as well. */
export const PLAN_FORMATS = [...FORMATS, 'html'] as const;
export type Format = (typeof PLAN_FORMATS)[number];

export interface PolicyOptions {
  readonly policies: string;
  readonly hosts?: string;
}

export const withPolicy = (command: Command): Command =>
  command.option('-p, --policies <dir>', 'the folder with the policy', 'policies');

export const withHosts = (command: Command): Command =>
  withPolicy(command).option(
    '--hosts <selector>',
    'only these: names and role:NAME, separated by commas (default: all)',
  );

export interface OutputOptions {
  readonly format: Format;
  readonly output?: string;
}

export const withOutput = (command: Command, formats: readonly Format[] = FORMATS): Command =>
  command
    .addOption(new Option('-f, --format <format>', 'how to report').choices(formats).default('text'))
    .option('-o, --output <file>', 'write the report to a file instead of standard output');

export interface SshOptions {
  readonly identity?: string;
  readonly knownHosts?: string;
  readonly parallel?: number;
}

export const withSsh = (command: Command): Command =>
  command
    .option(
      '-i, --identity <file>',
      'the private key to log in with (default: the ssh-agent, else ~/.ssh/id_*)',
    )
    .option('--known-hosts <file>', "the keys of the hosts (default: the policy's)")
    .option('--parallel <n>', "how many hosts at a time (default: the policy's)", positive);

export interface RiskOptions {
  readonly acceptLockoutRisk: readonly string[];
}

export const withRisk = (command: Command): Command =>
  command.addOption(
    repeated(
      '--accept-lockout-risk <host>',
      'go on although the lock-out proof of this host fails; repeat it for several',
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

export function positive(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number from 1.');
}

export const withShard = (command: Command, what: string): Command =>
  command.option('--shard <i/n>', what, shard);

function shard(text: string): Shard {
  const read = readShard(text);
  if (read !== undefined) return read;
  throw new InvalidArgumentError(`It is i/n, such as 1/4, with at most ${MOST_SHARDS} shards.`);
}

export function shards(text: string): number {
  const read = readShard(`1/${text}`);
  if (read !== undefined && read.of > 1) return read.of;
  throw new InvalidArgumentError(`It is a number from 2 to ${MOST_SHARDS}.`);
}

/** As workflows can watch it: GitHub matches `paths:` against names that begin with no `./`, and nothing here is quoted. */
export function folder(text: string): string {
  const plain = posix.normalize(text).replace(/\/+$/, '');
  if (/^[\w.-]+(?:\/[\w.-]+)*$/.test(plain) && !/^\.\.?(?:\/|$)/.test(plain)) return plain;
  throw new InvalidArgumentError(
    'It is a folder inside the repository, in letters, digits, ".", "_", "-" and "/".',
  );
}

export function waves(text: string): RolloutPart['waves'] {
  const read = readWaves(text);
  if (read !== undefined) return read;
  throw new InvalidArgumentError(
    'It is canary, a number from 1, one with all that follow (2+), or bastions.',
  );
}

export const examples = (command: Command, ...lines: readonly string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`.trimEnd());
