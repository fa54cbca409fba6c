import { expect, test } from '@jest/globals';
import { progressLine } from '../../../src/report/terminal/progress.js';

test('progressLine() rewrites one line on a terminal and stays within its width', () => {
  const written: string[] = [];
  const stream = { isTTY: true, columns: 30, write: (text: string) => written.push(text) };
  const progress = progressLine(stream, 'reading', 2);
  progress.at('web-1', 'connect');
  progress.at('a-host-with-quite-a-long-name', 'connect');
  progress.done('web-1', 'changed');
  progress.end();
  expect(written.every((text) => text.startsWith('\r\u001b[K') && text.length <= 30 + 3)).toBe(true);
  expect(written[2]).toContain('reading 1/2: a-host');
  expect(written.at(-1)).toBe('\r\u001b[K');
});

test('progressLine() writes one plain line a host to a log', () => {
  const written: string[] = [];
  const progress = progressLine({ write: (text: string) => written.push(text) }, 'reading', 2);
  progress.at('web-1', 'connect');
  progress.done('web-1', 'changed');
  progress.done('web-2', 'unreachable');
  progress.end();
  expect(written).toEqual(['[1/2] web-1: changed\n', '[2/2] web-2: unreachable\n']);
});
