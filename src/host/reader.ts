/**
 * The reader: the part of the agent that reads, as a script of its own for hosts where a key shall be able to do no
 * more. An SSH key is tied to it in authorized_keys; what the client sends is then not run (sshd(8), `command=`).
 */
import { createHash } from 'node:crypto';
import { note, type Problem } from '../lib/problem.js';
import { AGENT } from './agent/agent.js';
import frame from './agent/reader.sh';

/** `name() { … }` at the start of a line, to the `}` that ends it. */
const FUNCTION = /^(\w+)\(\) \{(?:.*\}|\n[\s\S]*?\n\})$/gm;

/** A word where a command stands; and the command that makes a section. */
const CALLS = [
  /(?<=(?:^|[;&|({!]|\b(?:then|do|else|if|while|until)\b)[ \t]*)\b\w+/gm,
  /(?<=\bsection [\w-]+ )\w+/g,
];

/** What the frame has in another way. */
const OWN = ['settle_overdue'];

/** Every function that these reach, in the agent's order; no other one is part of the reader. */
function reached(roots: readonly string[]): readonly string[] {
  const all = new Map([...AGENT.matchAll(FUNCTION)].map(([text, name = '']) => [name, text]));
  const known = new Set(OWN);
  const todo = [...roots];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (known.has(next)) continue;
    known.add(next);
    const text = all.get(next) ?? '';
    for (const call of CALLS) for (const [word] of text.matchAll(call)) if (all.has(word)) todo.push(word);
  }
  return [...all].filter(([name]) => known.has(name) && !OWN.includes(name)).map(([, text]) => text);
}

const BODY = frame.replace('@FUNCTIONS@', () => reached(['read_state', 'say']).join('\n\n'));

/** Of the reader that this version knows. */
const DIGEST = createHash('sha256').update(BODY).digest('hex').slice(0, 12);

/** The whole script, as an administrator puts it on a host. */
export const READER = `#!/bin/sh\n${BODY.replace('@DIGEST@', DIGEST)}`;

/** A reader of another version may leave out what this one asks for. */
export const readerNotes = (host: string, reader: string): readonly Problem[] =>
  reader === DIGEST
    ? []
    : [
        note(
          'other-reader',
          `${host}: the reader at /usr/local/sbin/sallyport-read is of another version.`,
          undefined,
          'Put the one there that `sallyport reader` prints.',
        ),
      ];
