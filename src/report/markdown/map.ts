/** The map of a fleet as Markdown: a picture, what is one-sided, and every flow with its lines in a table. */

import { FAMILY, grouped, list } from '../../lib/text.js';
import type { FleetMap, MapEdge } from '../../map/model.js';
import type { Finding } from '../../rollout/results/model.js';
import { drawingOf, serviceText } from '../view/arrows.js';
import { mapVerdict } from '../view/map-words.js';
import { assemble, type Budget, type Section, SUMMARY_BUDGET } from './budget.js';
import { code, fence, html, type LinkTo, locationLink, prose } from './escape.js';
import { MOST_ARROWS, mermaidText } from './mermaid.js';

export interface MapMarkdownOptions {
  /** Default: a job summary's. */
  readonly budget?: Budget;
  readonly linkTo?: LinkTo;
  /** One folded block, to stand below another report. */
  readonly folded?: boolean;
}

/** One-sided flows are `notes`, each at its line. */
export function mapMarkdown(
  map: FleetMap,
  notes: readonly Finding[],
  options: MapMarkdownOptions = {},
): string {
  const { linkTo, folded = false, budget = SUMMARY_BUDGET } = options;
  const verdict = mapVerdict(map);
  const head = folded
    ? `<details><summary>Map: ${html(verdict)}</summary>\n\n`
    : `## Who may talk to whom\n\n${prose(verdict)}.\n\n`;
  const sections: readonly Section[] = [
    still(head),
    ...picture(map),
    ...missingSection(map),
    ...notesSection(notes, linkTo),
    tableSection(map, linkTo),
    still(folded ? '</details>\n' : ''),
  ];
  return assemble(sections, budget);
}

const still = (head: string): Section => ({ head, items: [], tail: '', rank: 0, left: () => '' });

const left =
  (what: string) =>
  (number: number): string =>
    `\n_${grouped(number)} more ${what} did not fit here._\n`;

function picture(map: FleetMap): readonly Section[] {
  const drawing = drawingOf(map, MOST_ARROWS);
  if (drawing.arrows.length === 0) return [];
  const changes = map.edges.some(({ change }) => change !== undefined);
  const notDrawn =
    drawing.left === 0
      ? ''
      : ` ${grouped(drawing.left)} of ${grouped(map.edges.length)} flows are not drawn: the table has them all.`;
  const colours = changes ? ' Green is new (+), red goes away (−), amber changes (±).' : '';
  const text = `Arrows go from whoever begins a connection.${colours} A crossed end is refused there.${notDrawn}`;
  return [
    {
      head: '',
      items: [`${fence(mermaidText(drawing), 'mermaid')}\n\n<sub>${text}</sub>\n\n`],
      tail: '',
      rank: 1,
      left: () => '_The picture did not fit here._\n\n',
    },
  ];
}

function missingSection({ missing }: FleetMap): readonly Section[] {
  if (missing.length === 0) return [];
  const items = missing.map(({ host, why }) => `- ${code(host)}: ${prose(why)}\n`);
  return [{ head: '**Not in it:**\n\n', items, tail: '\n', rank: 2, left: left('hosts') }];
}

function notesSection(notes: readonly Finding[], linkTo: LinkTo | undefined): readonly Section[] {
  if (notes.length === 0) return [];
  const items = notes.map(({ message, source }) => {
    const where = source === undefined ? '' : `${locationLink(source, linkTo)} `;
    return `- ${where}${prose(message)}\n`;
  });
  return [{ head: '**One-sided flows:**\n\n', items, tail: '\n', rank: 3, left: left('one-sided flows') }];
}

/** More lines than a reader follows. */
const MOST_LINES = 3;

function tableSection({ nodes, edges }: FleetMap, linkTo: LinkTo | undefined): Section {
  const names = new Map(nodes.map(({ id, name }) => [id, name]));
  const sizes = new Map(
    nodes
      .filter(({ kind }) => kind === 'role' || kind === 'host')
      .map(({ id, hosts = [] }) => [id, hosts.length]),
  );
  const row = (edge: MapEdge): string => {
    const { from, to, change = '', families, rules, blocked } = edge;
    const family = families.length === 1 ? families.map((one) => ` ${FAMILY[one]} only`).join('') : '';
    const lines = rules.slice(0, MOST_LINES).map((location) => locationLink(location, linkTo));
    const more = rules.length > MOST_LINES ? [`${rules.length - MOST_LINES} more`] : [];
    const ends = [from, to].map((id) => code(names.get(id) ?? id)).join(' | ');
    const what = `${code(serviceText(edge, sizes))}${family}${blocked ? ' (refused at the other end)' : ''}`;
    return `| ${change} | ${ends} | ${what} | ${list([...lines, ...more])} |\n`;
  };
  return {
    head: '<details><summary>Every flow</summary>\n\n| | From | To | What | Lines |\n| :-- | :-- | :-- | :-- | :-- |\n',
    items: edges.map(row),
    tail: '\n</details>\n\n',
    rank: 4,
    left: left('flows'),
  };
}
