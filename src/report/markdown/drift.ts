/** Drift as Markdown: the body of the drift issue, and the job summary. */

import { count, FAMILY } from '../../lib/text.js';
import type { Drift, DriftItem, Finding, HostDrift } from '../../rollout/results/model.js';
import { DRIFT_PLACES } from '../view/drift.js';
import { driftTotals, driftVerdict } from '../view/totals.js';
import { assemble, type Budget, COMMENT_BUDGET, type Section } from './budget.js';
import { code, type LinkTo, locationLink, prose } from './escape.js';

export interface DriftMarkdownOptions {
  /** Default: a comment's. */
  readonly budget?: Budget;
  readonly environment?: string;
  readonly linkTo?: LinkTo;
  /** Where the whole report is, as Markdown of our own. */
  readonly elsewhere?: string;
}

const MAX_ITEMS = 40;

/** Verdict, then the hosts that differ, one block each; hosts that could not be read are never called clean. */
export function driftMarkdown(drift: Drift, options: DriftMarkdownOptions = {}): string {
  const totals = driftTotals(drift);
  const where = options.environment === undefined ? '' : `: ${prose(options.environment.slice(0, 100))}`;
  const clean = totals.clean === totals.hosts;
  const left = (what: string) => (number: number) =>
    `- _${count(number, what)} did not fit here: see ${options.elsewhere ?? 'the whole report'}._\n`;
  const drifted = drift.hosts.filter(({ status }) => status === 'drifted');
  const unread = drift.hosts.filter(({ status }) => status !== 'clean' && status !== 'drifted');
  const { due = [] } = drift;
  const { chains, rules } = totals.ignored;
  const sections: readonly Section[] = [
    {
      head: `## Firewall drift${where}\n\n> [!${clean ? 'TIP' : 'WARNING'}]\n> **${prose(driftVerdict(totals))}.**\n\n`,
      items: [],
      tail: '',
      rank: 0,
      left: () => '',
    },
    {
      head: '',
      items: drifted.map((host) => hostBlock(host, options.linkTo)),
      tail: '',
      rank: 2,
      left: left('more drifted host'),
    },
    {
      head: unread.length === 0 ? '' : '### Hosts that could not be read\n\n',
      items: unread.map(unreadLine),
      tail: unread.length === 0 ? '' : '\n',
      rank: 1,
      left: left('more host'),
    },
    {
      head: due.length === 0 ? '' : '### Rules whose day has come or is near\n\n',
      items: due.map((finding) => dueLine(finding, options.linkTo)),
      tail: due.length === 0 ? '' : '\n',
      rank: 3,
      left: left('more rule'),
    },
    {
      head:
        chains + rules === 0
          ? ''
          : `<sub>Not compared: ${count(rules, 'rule')} and ${count(chains, 'chain')} that are not the policy's.</sub>\n`,
      items: [],
      tail: '',
      rank: 0,
      left: () => '',
    },
  ];
  return assemble(sections, options.budget ?? COMMENT_BUDGET);
}

const unreadLine = ({ host, status, reason }: HostDrift): string =>
  `- ${code(host)} ${UNREAD[status] ?? ''}: ${prose(reason ?? 'no reason given')}\n`;

const UNREAD: { readonly [status in HostDrift['status']]?: string } = {
  busy: 'is being changed',
  unreachable: 'is unreachable',
  error: 'could not be read',
};

const dueLine = ({ message, source }: Finding, linkTo: LinkTo | undefined): string =>
  `- ${prose(message)}${source === undefined ? '' : ` (${locationLink(source, linkTo)})`}\n`;

function hostBlock(host: HostDrift, linkTo: LinkTo | undefined): string {
  const places = DRIFT_PLACES.filter(({ key }) => host[key].length > 0).map(({ key, title }) => {
    const shown = host[key].slice(0, MAX_ITEMS).map((item) => itemLine(item, linkTo));
    const more = host[key].length - shown.length;
    return `**${title}**\n\n${shown.join('')}${more > 0 ? `- _${count(more, 'more difference')}_\n` : ''}\n`;
  });
  return `### ${code(host.host)}\n\n${places.join('')}`;
}

function itemLine(item: DriftItem, linkTo: LinkTo | undefined): string {
  const family = item.family === undefined ? '' : `${FAMILY[item.family]}: `;
  const rule = item.rule === undefined ? '' : `<br>${code(item.rule)}`;
  const location = item.source === undefined ? '' : ` (${locationLink(item.source, linkTo)})`;
  return `- ${family}${prose(item.message)}${location}${rule}\n`;
}
