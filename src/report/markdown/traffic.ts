/** What opens and closes, as tables of Markdown. */
import { count, grouped } from '../../lib/text.js';
import type { RuleItem, TrafficItem, TrafficSection } from '../view/plan-view.js';
import type { TrafficKind } from '../view/traffic-rows.js';
import type { Section } from './budget.js';
import { clip, code, hostNames, type LinkTo, locationLink, prose } from './escape.js';

const MARKS: { readonly [kind in TrafficKind]: string } = {
  opened: '🔓',
  possiblyOpened: '🔓',
  closed: '🔒',
  possiblyClosed: '🔒',
  answeredDifferently: '↩️',
};

/** Joined rows go before the tables do when not everything fits. */
const JOINED_RANK = 6;

/** A table, and a closed block with the rows that are joined in it. @param left the sentence for rows that did not fit */
export function trafficSections(
  section: TrafficSection,
  left: (number: number) => string,
  linkTo: LinkTo | undefined,
): readonly Section[] {
  const { title, change, total, note, column = 'Why', collapsed, rank } = section;
  const columns = `| Traffic | Hosts | ${column} |\n| :-- | :-- | :-- |\n`;
  const rowOf = (item: TrafficItem): string =>
    `| ${trafficCell(item)} | ${hostNames(item.hosts, 'cell')} | ${ruleCell(item, section, linkTo)} |\n`;
  const table = (head: string, items: readonly TrafficItem[], tail: string, rank: number): Section => ({
    head: head + columns,
    items: items.map(rowOf),
    tail,
    rank,
    left: (number) => `\n_${left(number)}_\n`,
  });
  const details = (summary: string): string => `<details><summary>${summary}</summary>\n\n`;
  const below = note === undefined ? '' : `${note}\n\n`;
  const heading = `${MARKS[change]} ${title}`;
  return [
    collapsed
      ? table(details(`${heading}: ${count(total, 'row')}`) + below, section.items, END, rank)
      : table(`### ${heading} ${grouped(total)}\n\n${below}`, section.items, '\n', rank),
    ...(section.joined.length === 0
      ? []
      : [
          table(
            details(`The ${grouped(section.joined.length)} rows that are joined above`),
            section.joined,
            END,
            rank + JOINED_RANK,
          ),
        ]),
  ];
}

const END = '\n</details>\n\n';

function trafficCell({ service, protocol, endpoints, conditions, example }: TrafficItem): string {
  const what =
    service === undefined ? `**${prose(protocol)}**` : `**${prose(service)}** (${prose(protocol)})`;
  const ends = endpoints.map((part) =>
    typeof part === 'string' ? part : part.named ? `**${prose(part.text)}**` : code(part.text),
  );
  return [
    `${what} ${ends.join('')}`,
    ...(conditions.length === 0 ? [] : [`<sub>${conditions.map(prose).join(' · ')}</sub>`]),
    `<sub>for example ${prose(example)}</sub>`,
  ].join('<br>');
}

function ruleCell(item: TrafficItem, { column }: TrafficSection, linkTo: LinkTo | undefined): string {
  const { verb, rules, omittedRules, former, formerVerb } = item;
  const deciding = rules.map(
    (rule) => (rule.source === undefined ? '' : `${locationLink(rule.source, linkTo)}<br>`) + ruleLabel(rule),
  );
  return [
    ...(column === undefined ? [`<sub>${verb}</sub>`] : []),
    ...(deciding.length === 0 ? ['no rule'] : deciding),
    ...(omittedRules === 0 ? [] : [`and ${count(omittedRules, 'more rule')}`]),
    ...(former.length === 0
      ? []
      : [`<sub>until now ${formerVerb} ${former.map(ruleLabel).join(' and ')}</sub>`]),
  ].join('<br>');
}

/** The reason that the policy gives, or the rule itself. */
const ruleLabel = ({ reason, text }: RuleItem): string =>
  reason === undefined ? code(clip(text, 200)) : prose(clip(reason, 200));
