/** What holds for every plan, however large, and however hostile the texts that hosts and policies hold. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { marked } from 'marked';
import { planPage } from '../../src/report/html/plan.js';
import { COMMENT_BUDGET, SUMMARY_BUDGET } from '../../src/report/markdown/budget.js';
import { driftMarkdown } from '../../src/report/markdown/drift.js';
import { code, fence, prose } from '../../src/report/markdown/escape.js';
import { outcomesMarkdown } from '../../src/report/markdown/outcomes.js';
import { planMarkdown } from '../../src/report/markdown/plan.js';
import { comparisonText } from '../../src/report/terminal/comparison.js';
import { planText } from '../../src/report/terminal/plan.js';
import type { HostPlan, Plan } from '../../src/rollout/results/model.js';
import { decided, flow, NO_DIFF, NO_TRAFFIC, unchanged } from './example.js';

const PIECES = [
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

const hostile = fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }).map((pieces) => pieces.join(''));

/** The same plan with any text in every place that a host or a policy can fill. */
const planWith = (text: string, number = 1): Plan => {
  const rule = {
    ...decided(`-m comment --comment "${text}" -j ACCEPT`, `policies/${text}`, 3),
    source: { file: text, line: 3, column: 1 },
  };
  const bare = { ...rule, text: `-s ${text} -j DROP` };
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
        source: { file: text, line: 3, column: 1 },
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

const linkTo = (): string => 'https://github.com/example/fleet/blob/main/policies/x.yml#L3';

/** The tags of rendered Markdown. Code is code, however it was spelled. */
const skeleton = (markdown: string): string =>
  [...marked.parse(markdown, { gfm: true, async: false }).matchAll(/<(\/?[a-z][a-z0-9]*)|<!--/gi)]
    .map(([tag]) => tag)
    .filter((tag) => !/<\/?code/.test(tag))
    .join(' ');

/** What GitHub would link after Markdown: it looks at text outside code. */
const linkable = (markdown: string): string =>
  marked
    .parse(markdown, { gfm: true, async: false })
    .replace(/<(pre|code)[^>]*>[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, '\n')
    .replace(/&amp;/g, '&')
    .replace(/&#(\d+);/g, (_, number) => String.fromCodePoint(Number(number)));

const bytes = (text: string): number => Buffer.byteLength(text);

test('no text of a host or a policy changes the shape of a comment', () => {
  const expected = skeleton(planMarkdown(planWith('x'), { linkTo, environment: 'x' }));
  fc.assert(
    fc.property(hostile, (text) => {
      expect(skeleton(planMarkdown(planWith(`x${text}`), { linkTo, environment: `x${text}` }))).toBe(
        expected,
      );
    }),
    { numRuns: 400 },
  );
});

test('nothing in a comment mentions a person, refers to an issue or links anywhere but to the policy', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const comment = planMarkdown(planWith(`x${text}`), { linkTo, environment: text });
      const seen = linkable(comment);
      expect(seen).not.toMatch(/@[a-z]/i);
      expect(seen).not.toMatch(/(^|\W)#\d/);
      expect(seen).not.toMatch(/GH-\d/i);
      expect(seen).not.toMatch(/https?:\/\/|www\./);
      expect(comment).not.toContain('<!--');
    }),
    { numRuns: 400 },
  );
});

test('outcomes and drift keep their shape as well', () => {
  const deploy = (text: string): string =>
    outcomesMarkdown({
      version: 1,
      commit: text,
      hosts: [{ host: text, outcome: 'refused', wave: 1, phase: 'arm', reason: text, seconds: 1 }],
    });
  const item = (text: string) =>
    ({ kind: 'extra', message: text, rule: text, source: { file: text, line: 1, column: 1 } }) as const;
  const drifted = (text: string): string =>
    driftMarkdown({
      version: 1,
      hosts: [{ host: text, status: 'drifted', live: [item(text)], saved: [], boot: [item(text)] }],
    });
  fc.assert(
    fc.property(hostile, (text) => {
      expect(skeleton(deploy(`x${text}`))).toBe(skeleton(deploy('x')));
      expect(skeleton(drifted(`x${text}`))).toBe(skeleton(drifted('x')));
    }),
    { numRuns: 300 },
  );
});

test('a code span, a code block and a line of prose show exactly the text that they were given', () => {
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

test('the page holds no tag that a host or a policy wrote', () => {
  const tags = (html: string): string =>
    [...html.matchAll(/<\/?[a-z!][^\s>]*/gi)]
      .map(([tag]) => tag)
      .filter((tag) => !/^<\/?code$/.test(tag))
      .join(' ');
  const expected = tags(planPage(planWith('x')));
  fc.assert(
    fc.property(hostile, (text) => {
      const single = text.replace(/[\r\n]+/g, ' ');
      expect(tags(planPage(planWith(`x${single}`)))).toBe(expected);
    }),
    { numRuns: 200 },
  );
});

test('a thousand hosts that all differ give one valid comment within the limits, with exact totals', () => {
  const hosts = Array.from({ length: 1000 }, (_, index) =>
    planWith(`<b>&|\`${'ü'.repeat(100)}${index}`, index),
  ).flatMap((plan) => plan.hosts);
  const plan: Plan = { version: 1, commit: null, digest: 'sha256:0', hosts };
  for (const [budget, limit] of [
    [COMMENT_BUDGET, 65_536],
    [SUMMARY_BUDGET, 1_048_576],
  ] as const) {
    const markdown = planMarkdown(plan, { budget, linkTo });
    expect(markdown.length).toBeLessThanOrEqual(budget.units);
    expect(bytes(markdown)).toBeLessThan(limit);
    expect(markdown).toContain('Opens 1,000, closes 1,000');
    expect(markdown).toContain('1,000 of 2,000 hosts change');
    expect(markdown).toContain('1,000 unreachable');
    expect(markdown).toMatch(/more (line|row|rule diff|finding)s? did not fit here/);
    expect(markdown.match(/<details>/g)?.length).toBe(markdown.match(/<\/details>/g)?.length);
    expect((markdown.match(/^```/gm)?.length ?? 0) % 2).toBe(0);
  }
});

test('a thousand hosts that change alike fold into one of everything', () => {
  const hosts = Array.from({ length: 1000 }, (_, index) => ({
    ...(planWith('x').hosts[0] ?? unchanged('x')),
    host: `web-${index}`,
  }));
  const markdown = planMarkdown({ version: 1, commit: null, digest: 'sha256:0', hosts }, { linkTo });
  expect(markdown).toContain('Opens 1, closes 1');
  expect(markdown).toContain('**1,000 hosts**');
  expect(markdown.match(/```diff/g)).toHaveLength(1);
});

test('one diff that is larger than the comment does not take the others with it', () => {
  const [small] = planWith('small').hosts;
  const huge = {
    ...NO_DIFF,
    text: `--- filter INPUT\n+++ filter INPUT\n${'+-A INPUT -j ACCEPT\n'.repeat(5000)}`,
  };
  const hosts = [
    { ...unchanged('huge'), status: 'changed', rules: { v4: huge, v6: NO_DIFF } } as const,
    ...(small ? [small] : []),
  ];
  const markdown = planMarkdown({ version: 1, commit: null, digest: 'sha256:0', hosts });
  expect(markdown).toContain('<code>h1 small</code>: +1 −0');
  expect(markdown).toContain('1 more rule diff did not fit here');
});

test('the diff of three thousand hosts that change alike is shown', () => {
  const [one] = planWith('x').hosts;
  const hosts = Array.from({ length: 3000 }, (_, index) => ({
    ...(one ?? unchanged('x')),
    host: `a-rather-long-name-of-a-host-${index}`,
  }));
  const markdown = planMarkdown({ version: 1, commit: null, digest: 'sha256:0', hosts }, { linkTo });
  expect(markdown).toContain('```diff');
  expect(markdown).toContain('and 2,801 more');
});

test('thousands of hosts in a drift report and a rollout stay within the limits', () => {
  const names = Array.from({ length: 3000 }, (_, index) => `host-${index}-${'x'.repeat(50)}`);
  const item = {
    kind: 'extra',
    message: 'A rule that the policy does not have.',
    rule: 'x'.repeat(500),
  } as const;
  const drift = driftMarkdown({
    version: 1,
    hosts: names.map((host) => ({
      host,
      status: 'drifted',
      live: Array.from({ length: 50 }, () => item),
      saved: [],
      boot: [],
    })),
  });
  const deploy = outcomesMarkdown({
    version: 1,
    commit: null,
    hosts: names.map((host) => ({
      host,
      outcome: 'refused',
      wave: 1,
      phase: 'arm',
      reason: 'No.',
      seconds: 1,
    })),
  });
  for (const markdown of [drift, deploy]) {
    expect(markdown.length).toBeLessThanOrEqual(COMMENT_BUDGET.units);
    expect(bytes(markdown)).toBeLessThan(65_536);
  }
  expect(drift).toContain('3,000 of 3,000 hosts drifted');
  expect(deploy).toContain('Deploy failed: 3,000 refused');
});

test('rows that were cut are told, in every report', () => {
  const [whole] = planWith('x').hosts;
  const { traffic } = whole ?? {};
  if (whole === undefined || traffic === undefined) throw new Error('There is traffic.');
  const hosts = [{ ...whole, traffic: { ...traffic, proved: true, omitted: 1234 } }];
  const plan: Plan = { version: 1, commit: null, digest: 'sha256:0', hosts };
  expect(planMarkdown(plan)).toContain('1,234 rows of traffic not listed or counted here');
  expect(planMarkdown(plan)).toContain('and more than can be listed on 1 host');
  expect(planPage(plan)).toContain('1,234 rows of traffic not listed or counted here');
  expect(planText(plan, { colour: false })).toContain('1,234 rows of traffic not listed or counted here');
  expect(comparisonText(plan, { colour: false })).toContain('and 1,234 rows more than can be listed');
});

test('the page needs nothing but itself', () => {
  const page = planPage(planWith('x'));
  expect(page).not.toMatch(/\b(?:src|href|srcset|action)=|url\(|@import|\bimport\(|fetch\(|https?:/);
  expect(page).toContain("default-src 'none'");
});
