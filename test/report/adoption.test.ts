/** What adopt says, as a golden, and that nothing from a host or a policy can speak in its name. */
import { expect, test } from '@jest/globals';
import { adoptionMarkdown } from '../../src/report/markdown/adoption.js';
import { adoptionText } from '../../src/report/terminal/adoption.js';
import type { Adoption } from '../../src/rollout/results/adoption.js';
import { expectGolden } from './golden.js';

const FILE = 'policies/hosts/web-1.yml';
const adoption: Adoption = {
  version: 1,
  date: '2027-01-01',
  hosts: [
    {
      host: 'web-1',
      status: 'read',
      taken: [
        {
          message: "A rule was added to INPUT, above the policy's rules.",
          rule: '-A INPUT -p tcp -m tcp --dport 5432 -j ACCEPT',
          families: ['v4'],
          how: 'A rule under `input:` of web-1: `allow: postgres, family: v4`.',
          file: FILE,
          note: "Packets of the state INVALID pass by the kernel's rule alone: the policy does not let them in.",
        },
      ],
      left: [
        {
          message: 'The policy of FORWARD is ACCEPT.',
          families: ['v4', 'v6'],
          why: 'It changes the fate of no packet; the next deploy takes it back.',
        },
      ],
    },
    {
      host: 'web-2',
      status: 'unreachable',
      reason: 'No SSH connection to 192.0.2.2:22 within 20 s.',
      taken: [],
      left: [],
    },
  ],
  files: [{ path: FILE, before: '', after: 'x' }],
};

test('as Markdown and at a terminal', () => {
  expectGolden('adoption.md', adoptionMarkdown(adoption));
  expectGolden('adoption.txt', adoptionText(adoption, { colour: false }));
});

test('text of hosts is shown and does nothing', () => {
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

test('a thousand hosts fit, and what does not is counted', () => {
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
