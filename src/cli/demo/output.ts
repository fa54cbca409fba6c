/** The output of the demo: numbered headings, text, and the real reports. */
import type { Result } from '../../lib/problem.js';
import { ProblemError } from '../../lib/problem.js';
import { paint } from '../../report/terminal/paint.js';
import { complain, type Io, textOptions } from '../io.js';

export interface DemoOutput {
  /** A numbered heading, and what happens next. */
  heading(title: string, ...words: readonly string[]): void;
  say(...words: readonly string[]): void;
  /** The report of a command, indented; of a long one its beginning. */
  show(text: string, most?: number): void;
  /** The value of a command; its problems end the demo. */
  take<T>(result: Result<T>): T;
}

/** Lines of a report that are shown. */
const LONGEST = 48;

/** The output of the demo on this terminal. */
export function openOutput(io: Io): DemoOutput {
  const colours = paint(textOptions(io.stdout, io.env));
  let number = 0;
  const say = (...words: readonly string[]): void => {
    for (const line of words) io.stdout.write(`${line}\n`);
  };
  return {
    say,
    heading: (title, ...words) => {
      number += 1;
      say('', colours.bold(`${number}. ${title}`), ...words, '');
    },
    show: (text, most = LONGEST) => {
      const lines = text.trimEnd().split('\n');
      const shown = lines.length > most ? lines.slice(0, most - 1) : lines;
      const rest = lines.length - shown.length;
      say(
        ...shown.map((line) => (line === '' ? '' : `   │ ${line}`)),
        ...(rest === 0 ? [] : [colours.dim(`   │ … and ${rest} more lines`)]),
        '',
      );
    },
    take: (result) => {
      if (!result.ok) throw new ProblemError(result.problems);
      complain(
        io,
        result.problems.filter(({ level }) => level === 'error'),
      );
      return result.value;
    },
  };
}
