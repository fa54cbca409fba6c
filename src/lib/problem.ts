/**
 * Errors, warnings and notes. A problem is a value: a stable id, a location that a person can open, a sentence that says
 * what is wrong, and a hint how to fix it. Functions that can find many problems return them all.
 */

/** A position in a text. Lines and columns count from 1; columns are UTF-16 code units, as editors count. */
export interface SourceLocation {
  /** A file of the policy; rules or sets of a host, as it prints them or as files hold them; or any other file. */
  readonly kind: 'policy' | 'host' | 'file';
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The first position of a text. */
export const startOf = (kind: SourceLocation['kind'], file: string): SourceLocation => ({
  kind,
  file,
  line: 1,
  column: 1,
});

export type Level = 'error' | 'warning' | 'note';

export interface Problem {
  /** Stable, kebab-case, documented: `unknown-key`, `bad-cidr`, `host-unreachable`. */
  readonly id: string;
  readonly level: Level;
  /** One sentence: what is wrong. */
  readonly message: string;
  /** One sentence: how to fix it. */
  readonly hint?: string;
  readonly location?: SourceLocation;
}

/** Thrown between modules where a `Result` would add nothing; has every problem found. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** `file:line:column: message Hint.`, the form that editors and GitHub's log turn into links. */
export function formatProblem(problem: Problem): string {
  const prefix = problem.location
    ? `${problem.location.file}:${problem.location.line}:${problem.location.column}: `
    : '';
  const level = problem.level === 'error' ? '' : `${problem.level}: `;
  const hint = problem.hint === undefined ? '' : ` ${problem.hint}`;
  return `${prefix}${level}${problem.message}${hint}`;
}

/** Where a problem is, and how to fix it. */
export interface ProblemDetails {
  readonly location?: SourceLocation;
  /** One sentence. */
  readonly hint?: string;
}

const problem =
  (level: Level) =>
  (id: string, message: string, { location, hint }: ProblemDetails = {}): Problem => ({
    id,
    level,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(location === undefined ? {} : { location }),
  });

/** Something that must be fixed. */
export const error = problem('error');
/** Something that deserves a decision. */
export const warning = problem('warning');
/** Something worth knowing. */
export const note = problem('note');

/** Adds an error to a list; `undefined`, so that a reader can report and return at once. */
export function addError(
  problems: Problem[],
  ...[id, message, details]: Parameters<typeof error>
): undefined {
  problems.push(error(id, message, details));
}

/** The message of anything that was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

/**
 * The problems that an exception stands for; one that is no {@link ProblemError} is a bug.
 * @param hint what to send with the report of a bug
 */
export const problemsOf = (thrown: unknown, hint: string): readonly Problem[] =>
  thrown instanceof ProblemError
    ? thrown.problems
    : [error('unexpected', `Unexpected error: ${stackOf(thrown)}`, { hint })];

const stackOf = (thrown: unknown): string => (thrown instanceof Error && thrown.stack) || messageOf(thrown);

/** Whether one of the problems is an error. */
export const hasErrors = (problems: readonly Problem[]): boolean =>
  problems.some((found) => found.level === 'error');

/** Compares by file, line, column, then message: the same order on every run. */
export function byLocation(a: Problem, b: Problem): number {
  const left = a.location;
  const right = b.location;
  if (left === undefined || right === undefined)
    return Number(left === undefined) - Number(right === undefined) || compare(a.message, b.message);
  return (
    compare(left.file, right.file) ||
    left.line - right.line ||
    left.column - right.column ||
    compare(a.message, b.message)
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Either a value, perhaps with warnings, or the problems that prevent it. */
export type Result<T> =
  | { readonly ok: true; readonly value: T; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The failed result of these problems. */
export const failure = (...problems: readonly Problem[]): Extract<Result<never>, { ok: false }> => ({
  ok: false,
  problems,
});
