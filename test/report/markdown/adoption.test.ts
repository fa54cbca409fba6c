import { expect, test } from '@jest/globals';
import { adoptionMarkdown } from '../../../src/report/markdown/adoption.js';
import { adoption } from '../example.js';
import { expectGolden } from '../golden.js';

test('adoptionMarkdown() lists what was adopted and what was left, by host', () => {
  expectGolden('adoption.md', adoptionMarkdown(adoption));
});

test('adoptionMarkdown() renders no text of hosts as Markdown or HTML', () => {
  const hostile =
    '-A INPUT -m comment --comment "@everyone <!-- sallyport adopt v1 --> `x` <img src=x>" -j ACCEPT';
  const [host] = adoption.hosts;
  const evil = {
    ...adoption,
    hosts: [
      {
        host: 'web-1',
        status: 'read' as const,
        taken: (host?.taken ?? []).map((one) => ({ ...one, rule: hostile, how: hostile })),
        left: [{ message: hostile, why: hostile }],
      },
    ],
  };
  const text = adoptionMarkdown(evil);
  expect(text).not.toContain('<!--');
  expect(text).not.toContain('<img');
  expect(text).not.toMatch(/@everyone/);
});

test('adoptionMarkdown() counts the hosts that do not fit', () => {
  const [host] = adoption.hosts;
  const many = Array.from({ length: 1_000 }, (_, index) => ({
    host: `web-${index}`,
    status: 'read' as const,
    taken: host?.taken ?? [],
    left: host?.left ?? [],
  }));
  const text = adoptionMarkdown({ ...adoption, hosts: many });
  expect(text.length).toBeLessThanOrEqual(60_000);
  expect(text).toMatch(/_\d+ more hosts did not fit here/);
});
