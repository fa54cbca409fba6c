/**
 * The reader: the reading part of the agent, as a script to install on hosts. An SSH key that is tied to it in
 * authorized_keys (`command=`, sshd(8)) can only read: what the client sends is not run.
 */
import { createHash } from 'node:crypto';
import { note, type Problem } from '../lib/problem.js';
import { AGENT } from './agent/agent.js';
import frame from './agent/reader.sh';

/** `name() { … }` at the start of a line, to the `}` that ends it. */
const FUNCTION = /^(\w+)\(\) \{(?:.*\}|\n[\s\S]*?\n\})$/gm;

/** A word in the position of a command; and the command of a section. */
const CALLS = [
  /(?<=(?:^|[;&|({!]|\b(?:then|do|else|if|while|until)\b)[ \t]*)\b\w+/gm,
  /(?<=\bsection [\w-]+ )\w+/g,
];

/** Functions that the frame defines itself. */
const OWN = ['finish_overdue'];

/** The text of every function that the given ones call, directly or not, in the agent's order. */
function reachable(roots: readonly string[]): readonly string[] {
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

const BODY = frame.replace('@FUNCTIONS@', () => reachable(['read_state', 'emit']).join('\n\n'));

/** Identifies this version of the reader. */
const DIGEST = createHash('sha256').update(BODY).digest('hex').slice(0, 12);

/** The whole script, as an administrator installs it on a host. */
export const READER = `#!/bin/sh\n${BODY.replace('@DIGEST@', DIGEST)}`;

/** A note if a host has another version of the reader, which may not report everything. */
export const readerNotes = (host: string, version: string): readonly Problem[] =>
  version === DIGEST
    ? []
    : [
        note(
          'other-reader',
          `${host}: /usr/local/sbin/sallyport-read is a different version of the reader.`,
          { hint: 'Replace it with the output of `sallyport reader`.' },
        ),
      ];
