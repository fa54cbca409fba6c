/** The agent: the script that runs on the host, how it is called, and how its answers are parsed. */
import { randomBytes } from 'node:crypto';
import { error, type Problem } from '../../lib/problem.js';
import { shellQuote } from '../../lib/text.js';
import type { Host } from '../../policy/fleet.js';
import { type CommandResult, type Connection, type RunOptions, unreachable } from '../ssh/transport.js';
import activity from './activity.sh';
import base from './base.sh';
import begin from './begin.sh';
import facts from './facts.sh';
import finish from './finish.sh';
import main from './main.sh';
import rollback from './rollback.sh';
import rules from './rules.sh';
import saved from './saved.sh';
import state from './state.sh';
import watchdogs from './watchdogs.sh';

/** The whole script, its parts in the order of their dependencies, without comments. */
export const AGENT = [base, facts, activity, rules, state, saved, watchdogs, rollback, finish, begin, main]
  .join('\n')
  // It is sent with every request, and some shells read it byte by byte.
  .replace(/^ *#.*\n/gm, '');

/** Shell variables by name, without the prefix `SP_`. */
export type Variables = Readonly<Record<string, string>>;

export interface AgentRequest {
  readonly verb: 'read' | 'begin' | 'probe' | 'confirm' | 'abort';
  readonly variables?: Variables;
}

/** One section of an answer: the output and exit status of a command. */
export interface Section {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

export type AgentAnswer =
  /** `lines` are those outside of sections, without the mark. */
  | {
      readonly kind: 'answer';
      readonly lines: readonly string[];
      readonly sections: ReadonlyMap<string, Section>;
    }
  /** The connection was lost before the answer was complete: whether the request was carried out is unknown. */
  | { readonly kind: 'lost'; readonly problem?: Problem }
  /** The agent could not be run at all. */
  | { readonly kind: 'failed'; readonly problem: Problem };

/**
 * The command line that runs a script from standard input as root. It passes SSH_CONNECTION as an argument, since sudo
 * removes it from the environment. Sudoers needs to allow `/bin/sh` or `/usr/bin/sh` for the user, no more.
 */
export const commandLine = ({ ssh }: Host): string =>
  `${ssh.user === 'root' ? '' : 'sudo -n '}sh -s -- "$SSH_CONNECTION"`;

/**
 * The text for standard input. First the mark, which is all that a reader uses (`reader.ts`). The last line starts the
 * agent, so that a truncated text does nothing. `begin` also carries the agent as a variable, to be stored on the host.
 */
export function script(mark: string, { verb, variables = {} }: AgentRequest): string {
  const [start, stored] = verb === 'begin' ? ['eval "$SP_AGENT"\n', { AGENT }] : [AGENT, {}];
  const settings = Object.entries({ MARK: mark, ...variables, ...stored });
  const lines = settings.map(([name, value]) => `SP_${name}=${shellQuote(value)}\n`);
  return `${lines.join('')}SP_SSH="\${1-}"\nset -- ${verb}\n${start}`;
}

/** A word that no text on the host contains by chance or by design: it is random for each request. */
const newMark = (): string => `sallyport-${randomBytes(12).toString('hex')}`;

/** Sends one request to the agent on a host. `onLine` is called with each line outside of sections as it arrives. */
export async function askAgent(
  connection: Connection,
  host: Host,
  request: AgentRequest,
  { seconds, onLine }: RunOptions,
): Promise<AgentAnswer> {
  const mark = newMark();
  const forward = (line: string): void => {
    const text = line.startsWith(`${mark} `) ? line.slice(mark.length + 1) : '>';
    if (!/^[<>]/.test(text)) onLine?.(text);
  };
  const ran = await connection.run(commandLine(host), script(mark, request), {
    seconds,
    onLine: onLine && forward,
  });
  const answer = readAnswer(mark, ran, host);
  return request.verb !== 'read' && answer.kind === 'answer' && readerVersion(answer.lines) !== undefined
    ? { kind: 'failed', problem: readOnlyKey(host) }
    : answer;
}

/** The version of the reader that gave the answer; `undefined` if it came from the agent. */
export const readerVersion = (lines: readonly string[]): string | undefined =>
  lines.find((line) => line.startsWith('reader '))?.slice('reader '.length);

const readOnlyKey = ({ name }: Host): Problem =>
  error('read-only-key', `${name}: this SSH key is read-only.`, {
    hint: 'Deploy with a key that can change the host.',
  });

/** Parses an answer. Without its last line, `MARK done`, it is `lost` or `failed`. */
export function readAnswer(mark: string, ran: CommandResult, host: Host): AgentAnswer {
  const output = ran.stdout.split('\n');
  if (!output.includes(`${mark} done`))
    return ran.lost
      ? { kind: 'lost', problem: ran.problem }
      : { kind: 'failed', problem: startProblem(ran, host) };
  const errors = errorsBySection(mark, ran.stderr);
  const sections = new Map<string, Section>();
  const lines: string[] = [];
  let open: { readonly name: string; readonly from: number } | undefined;
  output.forEach((line, index) => {
    if (!line.startsWith(`${mark} `)) return;
    const rest = line.slice(mark.length + 1);
    const [sign, name = ''] = rest.split(' ');
    if (sign === '>') open = { name, from: index + 1 };
    else if (sign === '<' && open !== undefined) {
      sections.set(open.name, {
        out: output.slice(open.from, index).join('\n'),
        err: errors.get(open.name) ?? '',
        code: Number(name),
      });
      open = undefined;
    } else lines.push(rest);
  });
  return { kind: 'answer', lines, sections };
}

function errorsBySection(mark: string, stderr: string): ReadonlyMap<string, string> {
  const parts = stderr.split(`${mark} > `).slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end + 1)] as const;
    }),
  );
}

const SUDOERS = '"USER ALL=(root) NOPASSWD: /usr/bin/sh, /bin/sh" to /etc/sudoers.d/sallyport.';

/** Messages of sudo and shells when a command does not start: pattern, id, message, hint. */
const CAUSES: readonly (readonly [RegExp, string, string, string])[] = [
  [
    /password is required|a terminal is required|must have a tty|no tty present/,
    'sudo-asks',
    'sudo asks for a password',
    `Allow it without a password: add ${SUDOERS}`,
  ],
  [
    /not allowed|not in the sudoers|may not run/i,
    'sudo-refuses',
    'sudo does not allow the user to run sh as root',
    `Add ${SUDOERS}`,
  ],
  [
    /sudo: (command )?not found|sudo: No such file/,
    'sudo-missing',
    'sudo is not installed',
    'Install sudo, or set "ssh: {user: root}".',
  ],
];

function startProblem({ code, stderr }: CommandResult, host: Host): Problem {
  const cause = CAUSES.find(([pattern]) => pattern.test(stderr));
  if (cause !== undefined) {
    const [, id, why, hint] = cause;
    return error(id, `${host.name}: ${why}.`, { hint: hint.replace('USER', host.ssh.user) });
  }
  const end = code === undefined ? 'was killed by a signal' : `exited with status ${code}`;
  const last = stderr.trim().split('\n').slice(-3).join(' ');
  return error(
    'agent-failed',
    `${host.name}: the script on the host ${end} before answering${last === '' ? '' : `: ${last}`}.`,
    { hint: 'Check that the user gets a POSIX shell when a command is run over SSH.' },
  );
}

/** The problem of a host that was to be read when the connection was lost. */
export const lostProblem = (host: Host): Problem =>
  unreachable(host, 'the connection was lost before the answer was complete');

/** Parses lines `name value`, in order; the value may be empty. */
export const pairs = (text: string): readonly (readonly [name: string, value: string])[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = ''] = line.split(' ', 1);
      return [name, line.slice(name.length + 1)] as const;
    });
