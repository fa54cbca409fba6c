/** What was adopted into the policy as Markdown: the body of the pull request, and the job summary. */
import { count, FAMILY } from '../../lib/text.js';
import type { Adoption, Difference, HostAdoption } from '../../rollout/results/adoption.js';
import { adoptionVerdict } from '../view/totals.js';
import { assemble, COMMENT_BUDGET } from './budget.js';
import { clip, code, prose } from './escape.js';
import { fixed, listSection, type MarkdownOptions, notShown } from './sections.js';

/** Verdict, then host by host what was written into the policy, what was left and why. */
export function adoptionMarkdown(adoption: Adoption, options: MarkdownOptions = {}): string {
  const { environment, budget = COMMENT_BUDGET } = options;
  const where = environment === undefined ? '' : `: ${prose(clip(environment, 100))}`;
  const about = adoption.files.length === 0 ? '' : `${ABOUT}\n\n`;
  const read = adoption.hosts.filter(({ status }) => status === 'read');
  const unread = adoption.hosts.filter(({ status }) => status !== 'read');
  const reasons = unread.map(({ host, reason = 'no reason given' }) => `- ${code(host)}: ${prose(reason)}\n`);
  const left = notShown('host', options);
  return assemble(
    [
      fixed(
        `## Firewall drift into the policy${where}\n\n**${prose(adoptionVerdict(adoption))}.**\n\n${about}`,
      ),
      listSection('', read.map(hostBlock), '', 1, left),
      listSection('### Hosts that could not be read\n\n', reasons, '', 2, left),
    ],
    budget,
  );
}

const ABOUT =
  'Each change is proved: with it the policy treats every packet as the host does now, unless a line below says otherwise. Give each rule that stays an owner and a reason, and remove the others; the deploy after the merge applies the result to the hosts.';

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
          `${itemText(one)}<br>→ ${prose(one.how)} (${code(one.file)})${one.note === undefined ? '' : ` _${prose(one.note)}_`}\n`,
      ),
    ),
    list(
      'Left',
      left.map((one) => `${itemText(one)}<br>→ ${prose(one.why)}\n`),
    ),
  ].join('');
}

function itemText({ message, rule, families = [] }: Difference): string {
  const [only] = families;
  const family = families.length === 1 && only !== undefined ? `${FAMILY[only]}: ` : '';
  return `- ${family}${prose(message)}${rule === undefined ? '' : `<br>${code(rule)}`}`;
}
