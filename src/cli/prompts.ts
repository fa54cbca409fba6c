/** Questions to the person at the terminal; nobody is asked where nobody sits. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Io } from './io.js';

const canAsk = ({ stdin, stderr, env }: Io): boolean =>
  stdin.isTTY === true && stderr.isTTY === true && env.CI !== 'true';

/** @returns `undefined` where nobody can be asked. */
export async function confirm(io: Io, question: string): Promise<boolean | undefined> {
  if (!canAsk(io)) return undefined;
  const answer = await ask(io, `${question} [y/N] `, true);
  return /^y(es)?$/i.test(answer.trim());
}

/** What is typed is not shown. @returns `undefined` where nobody can be asked. */
export async function askSecret(io: Io, question: string): Promise<string | undefined> {
  if (!canAsk(io)) return undefined;
  const answer = await ask(io, question, false);
  io.stderr.write('\n');
  return answer;
}

async function ask(io: Io, question: string, echo: boolean): Promise<string> {
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (echo) io.stderr.write(String(chunk));
      done();
    },
  });
  // From here on the terminal itself shows nothing that is typed: only then the question.
  const lines = createInterface({ input: io.stdin, output, terminal: true });
  if (!echo) io.stderr.write(question);
  try {
    return await lines.question(echo ? question : '');
  } finally {
    lines.close();
  }
}
