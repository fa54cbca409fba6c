/** How the agent is asked, and what its answers are made of. */
import { randomBytes } from 'node:crypto';
import { error, type Problem } from '../../lib/problem.js';
import type { Host } from '../../policy/fleet.js';
import {
  type CommandResult,
  type Connection,
  quote,
  type RunOptions,
  unreachable,
} from '../ssh/transport.js';
import activity from './activity.sh';
import base from './base.sh';
import begin from './begin.sh';
import ends from './finish.sh';
import host from './host.sh';
import main from './main.sh';
import rules from './rules.sh';
import saved from './saved.sh';
import state from './state.sh';
import nets from './watchdogs.sh';

/** The whole script without its comments, in the order in which its parts build on each other. */
export const AGENT = [base, host, activity, rules, state, saved, nets, ends, begin, main]
  .join('\n')
  // It goes over the wire with every question, and some shells read it byte by byte.
  .replace(/^ *#.*\n/gm, '');

/** Shell variables by their name without the `SP_` in front. */
export type Variables = Readonly<Record<string, string>>;

export interface AgentRequest {
  readonly verb: 'read' | 'begin' | 'probe' | 'confirm' | 'abort' | 'status';
  readonly variables?: Variables;
}

/** One section of an answer: what a command said, and how it ended. */
export interface Section {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

export type AgentAnswer =
  /** `words` are the answer's plain lines, mark taken off. */
  | {
      readonly kind: 'answer';
      readonly words: readonly string[];
      readonly sections: ReadonlyMap<string, Section>;
    }
  /** The connection was lost before the answer was whole: nobody knows what became of the question. */
  | { readonly kind: 'lost'; readonly problem?: Problem }
  /** The agent could not be run at all. */
  | { readonly kind: 'failed'; readonly problem: Problem };

/**
 * The command line that runs a script from standard input as root. It hands over the connection's addresses, which
 * sudo would take out of the environment. Sudoers needs to allow `/bin/sh` or `/usr/bin/sh` for the user, no more.
 */
export const commandLine = ({ ssh }: Host): string =>
  `${ssh.user === 'root' ? '' : 'sudo -n '}sh -s -- "$SSH_CONNECTION"`;

/**
 * Everything that goes over standard input: the mark first, which is all that a reader looks at (`reader.ts`). Its last
 * line starts the agent: a text cut short does nothing. What begins a change is also put on the host, as a text.
 */
export function script(mark: string, { verb, variables = {} }: AgentRequest): string {
  const [start, stays] = verb === 'begin' ? ['eval "$SP_AGENT"\n', { AGENT }] : [AGENT, {}];
  const settings = Object.entries({ MARK: mark, ...variables, ...stays });
  const lines = settings.map(([name, value]) => `SP_${name}=${quote(value)}\n`);
  return `${lines.join('')}SP_SSH="\${1-}"\nset -- ${verb}\n${start}`;
}

/** A word that no text on a host holds by chance or by design: it is made for one question. */
const newMark = (): string => `sallyport-${randomBytes(12).toString('hex')}`;

/** Asks the agent on a host. `onWords` hears each plain line of the answer at once. */
export async function ask(
  connection: Connection,
  host: Host,
  question: AgentRequest,
  options: Pick<RunOptions, 'seconds'> & { readonly onWord?: (words: string) => void },
): Promise<AgentAnswer> {
  const mark = newMark();
  const { onWord } = options;
  const ran = await connection.run(commandLine(host), script(mark, question), {
    seconds: options.seconds,
    ...(onWord === undefined
      ? {}
      : {
          onLine: (line) => {
            if (line.startsWith(`${mark} `) && !/^[<>] /.test(line.slice(mark.length + 1)))
              onWord(line.slice(mark.length + 1));
          },
        }),
  });
  const answer = readAnswer(mark, ran, host);
  return question.verb !== 'read' && answer.kind === 'answer' && readerVersion(answer.words) !== undefined
    ? { kind: 'failed', problem: readOnlyKey(host) }
    : answer;
}

/** What the answer says of the reader that gave it; `undefined` when it was the agent itself. */
export const readerVersion = (words: readonly string[]): string | undefined =>
  words.find((line) => line.startsWith('reader '))?.slice('reader '.length);

const readOnlyKey = ({ name }: Host): Problem =>
  error(
    'read-only-key',
    `${name}: the key may only read.`,
    undefined,
    'Deploy with a key that may change the host.',
  );

/** Takes an answer apart. Streams are never merged; an answer without its last line is none. */
export function readAnswer(mark: string, ran: CommandResult, host: Host): AgentAnswer {
  const lines = ran.stdout.split('\n');
  if (!lines.includes(`${mark} done`)) {
    if (ran.lost) return { kind: 'lost', ...(ran.problem === undefined ? {} : { problem: ran.problem }) };
    return { kind: 'failed', problem: startProblem(ran, host) };
  }
  const said = errorsBySection(mark, ran.stderr);
  const sections = new Map<string, Section>();
  const words: string[] = [];
  let open: { readonly name: string; readonly from: number } | undefined;
  lines.forEach((line, index) => {
    if (!line.startsWith(`${mark} `)) return;
    const rest = line.slice(mark.length + 1);
    const [sign, name = ''] = rest.split(' ');
    if (sign === '>') open = { name, from: index + 1 };
    else if (sign === '<' && open !== undefined) {
      sections.set(open.name, {
        out: lines.slice(open.from, index).join('\n'),
        err: said.get(open.name) ?? '',
        code: Number(name),
      });
      open = undefined;
    } else words.push(rest);
  });
  return { kind: 'answer', words, sections };
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

/** The words of sudo and shells for the ways in which a command does not start, and what to do about them. */
const CAUSES: readonly (readonly [RegExp, string, string, string])[] = [
  [
    /password is required|a terminal is required|must have a tty|no tty present/,
    'sudo-asks',
    'sudo asks for a password',
    'Allow it without one: put "USER ALL=(root) NOPASSWD: /usr/bin/sh, /bin/sh" into /etc/sudoers.d/sallyport.',
  ],
  [
    /not allowed|not in the sudoers|may not run/i,
    'sudo-refuses',
    'sudo does not let the user run sh as root',
    'Put "USER ALL=(root) NOPASSWD: /usr/bin/sh, /bin/sh" into /etc/sudoers.d/sallyport.',
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
    return error(id, `${host.name}: ${why}.`, undefined, hint.replace('USER', host.ssh.user));
  }
  const words = stderr.trim().split('\n').slice(-3).join(' ');
  return error(
    'agent-failed',
    `${host.name}: the script on the host ended with ${code === undefined ? 'a signal' : `status ${code}`} before it answered${words === '' ? '' : `: ${words}`}.`,
    undefined,
    'Check that the user gets a POSIX shell when a command is run over SSH.',
  );
}

/** For questions whose loss means no more than that the host cannot be read. */
export const lostProblem = (host: Host): Problem =>
  unreachable(host, 'the connection was lost before the answer was complete');

/** Lines of `name value` as pairs, in order. */
export const pairs = (text: string): readonly (readonly [name: string, value: string])[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const space = line.indexOf(' ');
      return space < 0 ? ([line, ''] as const) : ([line.slice(0, space), line.slice(space + 1)] as const);
    });
