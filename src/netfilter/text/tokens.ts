/** One line of input of iptables-restore as words, split as its `add_param_to_argv` does. */

export interface Token {
  readonly text: string;
  /** Where the word starts, from 1. */
  readonly column: number;
  readonly quoted: boolean;
}

const SPACE = 32;
const TAB = 9;
const QUOTE = 34;
const BACKSLASH = 92;

/**
 * Splits on spaces and tabs. Double quotes hold spaces, and inside them a backslash takes the next character as it
 * is; a closing quote ends the word. Single quotes are ordinary characters.
 * @returns the words, or the column of a quote that is never closed.
 */
export function tokenise(line: string, from = 0): readonly Token[] | { readonly openQuote: number } {
  const tokens: Token[] = [];
  let index = from;
  while (index < line.length) {
    const code = line.charCodeAt(index);
    if (code === SPACE || code === TAB) {
      index++;
      continue;
    }
    const start = index;
    let end = start;
    while (end < line.length && !isBreak(line.charCodeAt(end))) end++;
    if (line.charCodeAt(end) !== QUOTE) {
      tokens.push({ text: line.slice(start, end), column: start + 1, quoted: false });
      index = end;
      continue;
    }
    const quoted = readQuoted(line, end + 1);
    if (quoted === undefined) return { openQuote: end + 1 };
    tokens.push({ text: line.slice(start, end) + quoted.text, column: start + 1, quoted: true });
    index = quoted.next;
  }
  return tokens;
}

const isBreak = (code: number): boolean => code === SPACE || code === TAB || code === QUOTE;

function readQuoted(line: string, from: number): { text: string; next: number } | undefined {
  let text = '';
  let plain = from;
  for (let index = from; index < line.length; index++) {
    const code = line.charCodeAt(index);
    if (code === QUOTE) return { text: text + line.slice(plain, index), next: index + 1 };
    if (code === BACKSLASH) {
      text += line.slice(plain, index);
      index++;
      plain = index;
    }
  }
  return undefined;
}

/**
 * A word as iptables-save writes strings (`xtables_save_string`): bare when every character is a letter, a digit,
 * `_` or `-`, else in double quotes with `"`, `\` and `'` escaped.
 */
export function quote(text: string): string {
  if (isPlain(text)) return text;
  return `"${text.replace(/["\\']/g, '\\$&')}"`;
}

function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const plain =
      (code >= 48 && code <= 57) ||
      (code >= 65 && code <= 90) ||
      (code >= 97 && code <= 122) ||
      code === 45 ||
      code === 95;
    if (!plain) return false;
  }
  return text.length > 0;
}
