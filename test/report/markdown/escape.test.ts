import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { marked } from 'marked';
import { code, fence, prose } from '../../../src/report/markdown/escape.js';
import { PIECES } from '../hostile.js';

test('code(), fence() and prose() render exactly the given text', () => {
  const shown = (markdown: string): string =>
    marked
      .parse(markdown, { gfm: true, async: false })
      .replace(/<[^>]*>/g, '')
      .replace(/&lt;/g, '<')
      .replace(/&gt;/g, '>')
      .replace(/&quot;/g, '"')
      .replace(/&#(\d+);/g, (_, number) => String.fromCodePoint(Number(number)))
      .replace(/&amp;/g, '&')
      .replaceAll('\u200b', '');
  const printable = fc
    .array(fc.constantFrom(...PIECES.filter((piece) => /^[ -~]*$/.test(piece))))
    .map((all) => `x${all.join('')}x`);
  fc.assert(
    fc.property(printable, (text) => {
      expect(shown(code(text)).trim()).toBe(text);
      expect(shown(fence(text, 'diff')).trim()).toBe(text);
      expect(shown(prose(text)).replaceAll('`', '').trim()).toBe(text.replaceAll('`', ''));
    }),
    { numRuns: 400 },
  );
});
