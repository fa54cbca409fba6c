/** What was taken into the policy as Markdown: the body of the pull request, and the job summary. */

import { count, FAMILY } from '../../lib/text.js';
import type { Adoption, Difference, HostAdoption } from '../../rollout/results/adoption.js';
import { adoptionVerdict } from '../view/adoption.js';
import { assemble, type Budget, COMMENT_BUDGET, type Section } from './budget.js';
import { code, prose } from './escape.js';

export interface AdoptionMarkdownOptions {
  /** Default: a comment's. */
  readonly budget?: Budget;
  readonly environment?: string;
  /** Where the whole report is, as Markdown of our own. */
  readonly elsewhere?: string;
}

/** Verdict, then host by host what was written into the policy, what was left and why. */
export function adoptionMarkdown(adoption: Adoption, options: AdoptionMarkdownOptions = {}): string {
  const where = options.environment === undefined ? '' : `: ${prose(options.environment.slice(0, 100))}`;
  const unread = adoption.hosts.filter(({ status }) => status !== 'read');
  const left = (what: string) => (number: number) =>
    `- _${count(number, what)} did not fit here: see ${options.elsewhere ?? 'the whole report'}._\n`;
  const fixed = (head: string): Section => ({ head, items: [], tail: '', rank: 0, left: () => '' });
  const sections: readonly Section[] = [
    fixed(
      `## Firewall drift into the policy${where}\n\n**${prose(adoptionVerdict(adoption))}.**\n\n${adoption.files.length === 0 ? '' : `${ABOUT}\n\n`}`,
    ),
    {
      head: '',
      items: adoption.hosts.filter(({ status }) => status === 'read').map(hostBlock),
      tail: '',
      rank: 1,
      left: left('more host'),
    },
    {
      head: unread.length === 0 ? '' : '### Hosts of which nothing is known\n\n',
      items: unread.map(({ host, reason }) => `- ${code(host)}: ${prose(reason ?? 'no reason given')}\n`),
      tail: '',
      rank: 2,
      left: left('more host'),
    },
  ];
  return assemble(sections, options.budget ?? COMMENT_BUDGET);
}

const ABOUT =
  'Each change was proved before it was written: with it the policy does to every packet what the host does now, unless a line below says otherwise. Name an owner and a reason for what shall stay, and take out what shall not; the deploy after the merge makes the hosts so.';

/** More would be read by nobody. */
const MAX_ITEMS = 40;

function hostBlock({ host, taken, left }: HostAdoption): string {
  const list = (title: string, lines: readonly string[]): string =>
    lines.length === 0
      ? ''
      : `**${title}**\n\n${lines.slice(0, MAX_ITEMS).join('')}${lines.length > MAX_ITEMS ? `- _${count(lines.length - MAX_ITEMS, 'more difference')}_\n` : ''}\n`;
  return [
    `### ${code(host)}\n\n`,
    list(
      'Taken into the policy',
      taken.map(
        (one) =>
          `${words(one)}<br>→ ${prose(one.how)} (${code(one.file)})${one.note === undefined ? '' : ` _${prose(one.note)}_`}\n`,
      ),
    ),
    list(
      'Left',
      left.map((one) => `${words(one)}<br>→ ${prose(one.why)}\n`),
    ),
  ].join('');
}

function words({ message, rule, families = [] }: Difference): string {
  const [only] = families;
  const family = families.length === 1 && only !== undefined ? `${FAMILY[only]}: ` : '';
  return `- ${family}${prose(message)}${rule === undefined ? '' : `<br>${code(rule)}`}`;
}
