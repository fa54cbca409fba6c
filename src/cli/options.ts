/** Options that several commands take, each described once. */
import { type Command, InvalidArgumentError, Option } from 'commander';

export const FORMATS = ['text', 'markdown', 'json'] as const;
export type Format = (typeof FORMATS)[number];

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
  command.option(
    '--accept-lockout-risk <host>',
    'go on although the lock-out proof of this host fails; repeat it for several',
    (host: string, hosts: readonly string[]) => [...hosts, ...host.split(',').filter((one) => one !== '')],
    [],
  );

export function positive(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number from 1.');
}

export const examples = (command: Command, ...lines: readonly string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`.trimEnd());
