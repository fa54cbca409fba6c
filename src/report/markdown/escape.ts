/**
 * Text from hosts and YAML as GitHub-flavoured Markdown that renders as that text alone: it cannot produce a mention,
 * link, HTML, table cell, fence or marker.
 */
import type { SourceLocation } from '../../lib/problem.js';
import { count, list } from '../../lib/text.js';
import { visible, visibleLines } from '../../lib/visible.js';
import { locationText } from '../view/format.js';

/** U+200B: invisible, and GitHub links nothing across it. In hostile text it was made visible before. */
const BREAK = '\u200b';

/** GitHub turns these into links outside code, even when they are written as entities. */
const unlinked = (text: string): string =>
  text
    .replace(/@/g, `@${BREAK}`)
    .replace(/#(?=\d)/g, `#${BREAK}`)
    .replace(/(GH-)(?=\d)/gi, `$1${BREAK}`)
    .replace(/:\/\//g, `:${BREAK}//`)
    .replace(/(www)\./gi, `$1${BREAK}.`);

const ENTITIES: { readonly [character: string]: string } = { '<': '&lt;', '>': '&gt;' };

/**
 * Prose; what our own messages put between backticks is code. Backslashes undo Markdown; what GitHub links after
 * Markdown needs a break inside. https://github.github.com/gfm/#autolinks-extension-
 */
export const prose = (text: string): string =>
  visible(text)
    .trim()
    .split(/(`[^`]+`)/)
    .map((part) => (/^`[^`]+`$/.test(part) ? code(part.slice(1, -1)) : plain(part)))
    .join('')
    .replace(/^(?:[-+#=]|\d+(?=[.)](?:\s|$)))/, (start) =>
      /\d/.test(start) ? `${start}${BREAK}` : `\\${start}`,
    );

const plain = (text: string): string =>
  unlinked(text.replace(/&(?=#?\w+;)/g, '&amp;'))
    .replace(/[\\`*_{}[\]|~$]/g, '\\$&')
    .replace(/[<>]/g, (character) => ENTITIES[character] ?? '');

const entities = (text: string): string =>
  text.replace(/[^A-Za-z0-9 ./,=-]/gu, (character) => `&#${character.codePointAt(0)};`);

/**
 * A code span. What could end the span, the table cell or begin a comment is written in entities inside `<code>`,
 * where GitHub looks for no Markdown and no mentions.
 */
export function code(text: string): string {
  const shown = visible(text);
  if (shown.trim() === '') return '<code> </code>';
  return /[`|\\]|<!|-->|^ | $/.test(shown) ? `<code>${entities(unlinked(shown))}</code>` : `\`${shown}\``;
}

/** A code block. The fence is longer than any inside; a text with the start of an HTML comment is written in entities. */
export function fence(text: string, language: string): string {
  const shown = visibleLines(text).replace(/\n+$/, '');
  if (/<!--|-->/.test(shown)) return `<pre>\n${shown.split('\n').map(entities).join('\n')}\n</pre>`;
  const longest = Math.max(2, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length));
  const ticks = '`'.repeat(longest + 1);
  return `${ticks}${language}\n${shown}\n${ticks}`;
}

/** HTML text, for a `<summary>`, where Markdown is not read. */
export const html = (text: string): string => entities(visible(text));

/** The URL of a location; `undefined` where it has none. */
export type LinkTo = (location: SourceLocation) => string | undefined;

/** `[policies/roles/web.yml:12](…)`. The address comes from us, with every part of the path percent-encoded. */
export function locationLink(location: SourceLocation, linkTo: LinkTo | undefined): string {
  const url = linkTo?.(location);
  return url === undefined ? code(locationText(location)) : `[${code(locationText(location))}](${url})`;
}

/** Cuts text of unlimited length, so that it leaves room for the rest. */
export const clip = (text: string, max: number): string =>
  text.length > max ? `${text.slice(0, max - 1)}…` : text;

/** Hosts by name; of more than three the number, the first and the last. */
export function hostNames(hosts: readonly string[], form: 'text' | 'cell' = 'text'): string {
  if (hosts.length <= 3) return form === 'cell' ? hosts.map(code).join(', ') : list(hosts.map(code));
  const ends = `${code(hosts[0] ?? '')} … ${code(hosts.at(-1) ?? '')}`;
  return `**${count(hosts.length, 'host')}**${form === 'cell' ? `<br><sub>${ends}</sub>` : ` (${ends})`}`;
}
