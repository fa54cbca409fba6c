/** Colour and layout of terminal text. Text of hosts and policies passes through `visible`, so it cannot control the terminal. */
import pc from 'picocolors';
import { visible } from '../../lib/visible.js';

export interface TextOptions {
  /** Decided by the entry points, from `NO_COLOR`, `FORCE_COLOR` and whether the output is a terminal. */
  readonly colour: boolean;
  /** Columns to wrap lists at; absent for a pipe, where nothing is wrapped. */
  readonly width?: number;
}

export type Paint = ReturnType<typeof pc.createColors>;

/** Functions that colour text, or leave it as it is. */
export const paint = ({ colour }: TextOptions): Paint => pc.createColors(colour);

/** Words wrapped at the width, every line indented. */
function wrap(words: readonly string[], indent: string, { width }: TextOptions): string {
  if (width === undefined) return indent + words.join(' ');
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && indent.length + last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => indent + line).join('\n');
}

/** `web-1, web-2, web-3`, wrapped. */
export const hostLines = (hosts: readonly string[], indent: string, options: TextOptions): string =>
  wrap(
    hosts.map((host, index) => visible(host) + (index < hosts.length - 1 ? ',' : '')),
    indent,
    options,
  );

/** Columns padded to their widest cell; the last one is left as it is. Widths count before colouring. */
export function columns(
  rows: readonly (readonly string[])[],
  colours: (row: number, column: number) => (text: string) => string,
): string {
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((row, at) =>
      row
        .map((cell, index) => {
          const padding = index === row.length - 1 ? '' : ' '.repeat((widths[index] ?? 0) - cell.length);
          return colours(at, index)(cell) + padding;
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
