/** Hostile texts in every place of a report that a host or a policy can fill. */
import fc from 'fast-check';
import { marked } from 'marked';
import type { HostPlan, Plan } from '../../src/rollout/results/model.js';
import { decided, flow, NO_DIFF, NO_TRAFFIC, unchanged } from './example.js';

export const PIECES = [
  '<!-- sallyport plan v1 environment=production state=x -->',
  '-->',
  '<!--',
  '</details>',
  '<details><summary>',
  '</summary>',
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '</pre>',
  '</code>',
  '```',
  '````\n',
  '~~~',
  '`',
  '|',
  '\\',
  '\\|',
  '\n',
  '\r\n\r\n',
  '\u2028',
  '\u202e',
  '\u001b[31m',
  '@octocat',
  '@org/team',
  'a@b.example',
  '#1',
  'o/r#1',
  'GH-1',
  'https://evil.example/',
  'www.evil.example',
  '[x](https://evil.example)',
  '![x](https://evil.example/x.png)',
  '&lt;b&gt;',
  '&#64;octocat',
  '**',
  '_x_',
  '~~x~~',
  '$x$',
  '# h',
  '- i',
  '1. i',
  '> q',
  '===',
  '---',
  '\ud800',
  '💥',
  'a',
  ' ',
  '',
] as const;

/** Any sequence of {@link PIECES}. */
export const hostile = fc
  .array(fc.constantFrom(...PIECES), { maxLength: 8 })
  .map((pieces) => pieces.join(''));

/** The same plan with any text in every place that a host or a policy can fill. */
export const planWith = (text: string, number = 1): Plan => {
  const rule = {
    ...decided(`-m comment --comment "${text}" -j ACCEPT`, `policies/${text}`, 3),
    reason: text,
    source: { kind: 'policy' as const, file: text, line: 3, column: 1 },
  };
  const bare = { ...rule, reason: undefined, text: `-s ${text} -j DROP` };
  const row = flow({
    src: [text],
    dst: ['10.9.0.0/16', '10.8.0.1/32'],
    in: [text],
    before: bare,
    after: rule,
    example: { hook: 'INPUT', src: text, dst: text, protocol: 'tcp' },
  });
  const changed: HostPlan = {
    ...unchanged(`h${number} ${text}`),
    status: 'changed',
    traffic: { ...NO_TRAFFIC, equal: false, proved: false, why: text, opened: [row], closed: [row] },
    rules: {
      v4: {
        added: [{ table: 'filter', chain: 'INPUT', text }],
        removed: [],
        moved: [],
        text: `--- filter INPUT\n+++ filter INPUT\n+${text}\n`,
      },
      v6: NO_DIFF,
    },
    lockout: { verdict: 'violated', reasons: [text], accepted: false },
    findings: [
      {
        id: 'x',
        level: 'warning',
        message: `Found ${text}`,
        hint: text,
        source: { kind: 'policy' as const, file: text, line: 3, column: 1 },
      },
    ],
    foreign: { chains: [text], rules: 2 },
  };
  const unread: HostPlan = { host: `u${number} ${text}`, status: 'unreachable', reason: text, findings: [] };
  const names = {
    networks: { [`n${text}`]: ['10.9.0.0/16'] },
    hosts: { [`m${text}`]: ['10.8.0.1'] },
    services: { [`s${text}`]: ['tcp/443'] },
  };
  return { version: 1, commit: text, digest: text, hosts: [changed, unread], names };
};

/** A link as the action makes them. */
export const linkTo = (): string => 'https://github.com/example/fleet/blob/main/policies/x.yml#L3';

/** The tags of rendered Markdown. Code is code, however it was spelled. */
export const skeleton = (markdown: string): string =>
  [...marked.parse(markdown, { gfm: true, async: false }).matchAll(/<(\/?[a-z][a-z0-9]*)|<!--/gi)]
    .map(([tag]) => tag)
    .filter((tag) => !/<\/?code/.test(tag))
    .join(' ');

/** What GitHub would link after Markdown: it looks at text outside code. */
export const linkable = (markdown: string): string =>
  marked
    .parse(markdown, { gfm: true, async: false })
    .replace(/<(pre|code)[^>]*>[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, '\n')
    .replace(/&amp;/g, '&')
    .replace(/&#(\d+);/g, (_, number) => String.fromCodePoint(Number(number)));
