/** Drift as Markdown: the body of the drift issue, and the job summary. */
import { count, FAMILY } from '../../lib/text.js';
import type { Drift, DriftItem } from '../../rollout/results/model.js';
import { type DriftedHost, driftView } from '../view/drift-view.js';
import { assemble, COMMENT_BUDGET } from './budget.js';
import { code, type LinkTo, locationLink, prose } from './escape.js';
import { fixed, heading, listSection, type MarkdownOptions, notShown } from './sections.js';

const MAX_ITEMS = 40;

/** Verdict, then the hosts that differ, one block each. */
export function driftMarkdown(drift: Drift, options: MarkdownOptions = {}): string {
  const { linkTo, budget = COMMENT_BUDGET } = options;
  const view = driftView(drift, MAX_ITEMS);
  const left = (noun: string) => notShown(noun, options);
  const drifted = view.drifted.map((host) => hostBlock(host, linkTo));
  const unread = view.unread.map(({ host, state, reason }) => `- ${code(host)} ${state}: ${prose(reason)}\n`);
  const expiring = view.expiring.map(
    ({ message, source }) =>
      `- ${prose(message)}${source === undefined ? '' : ` (${locationLink(source, linkTo)})`}\n`,
  );
  return assemble(
    [
      heading('Firewall drift', options, view.clean ? 'TIP' : 'WARNING', view.verdict),
      listSection('', drifted, '', 2, left('drifted host')),
      listSection('### Hosts that could not be read\n\n', unread, '\n', 1, left('host')),
      listSection('### Rules that have expired or expire soon\n\n', expiring, '\n', 3, left('rule')),
      fixed(view.ignored === '' ? '' : `<sub>${view.ignored}</sub>\n`),
    ],
    budget,
  );
}

function hostBlock({ host, places }: DriftedHost, linkTo: LinkTo | undefined): string {
  const blocks = places.map(({ title, items, omitted }) => {
    const more = omitted > 0 ? `- _${count(omitted, 'more difference')}_\n` : '';
    return `**${title}**\n\n${items.map((item) => itemLine(item, linkTo)).join('')}${more}\n`;
  });
  return `### ${code(host)}\n\n${blocks.join('')}`;
}

function itemLine({ family, message, rule, source }: DriftItem, linkTo: LinkTo | undefined): string {
  const location = source === undefined ? '' : ` (${locationLink(source, linkTo)})`;
  return `- ${family === undefined ? '' : `${FAMILY[family]}: `}${prose(message)}${location}${rule === undefined ? '' : `<br>${code(rule)}`}\n`;
}
