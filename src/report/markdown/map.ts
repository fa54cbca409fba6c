/** The map of a fleet as Markdown: a picture, what is one-sided, and every flow with its lines in a table. */
import { grouped, list } from '../../lib/text.js';
import type { FleetMap } from '../../map/model.js';
import type { Finding } from '../../rollout/results/model.js';
import { drawingOf, type FlowRow, flowRows, mapVerdict } from '../view/map-view.js';
import { assemble, type Section, SUMMARY_BUDGET } from './budget.js';
import { code, fence, html, type LinkTo, locationLink, prose } from './escape.js';
import { MOST_ARROWS, mermaidText } from './mermaid.js';
import { fixed, listSection, type MarkdownOptions } from './sections.js';

export interface MapMarkdownOptions extends Pick<MarkdownOptions, 'linkTo'> {
  /** Default: a job summary's. */
  readonly budget?: MarkdownOptions['budget'];
  /** One closed block, to be shown below another report. */
  readonly collapsed?: boolean;
}

/** Verdict, picture, missing hosts, one-sided flows and a table of all flows. @param notes one-sided flows, each at its line */
export function mapMarkdown(
  map: FleetMap,
  notes: readonly Finding[],
  options: MapMarkdownOptions = {},
): string {
  const { linkTo, collapsed = false, budget = SUMMARY_BUDGET } = options;
  const verdict = mapVerdict(map);
  const missing = map.missing.map(({ host, why }) => `- ${code(host)}: ${prose(why)}\n`);
  const oneSided = notes.map(
    ({ message, source }) =>
      `- ${source === undefined ? '' : `${locationLink(source, linkTo)} `}${prose(message)}\n`,
  );
  return assemble(
    [
      fixed(
        collapsed
          ? `<details><summary>Map: ${html(verdict)}</summary>\n\n`
          : `## Who may connect to whom\n\n${prose(verdict)}.\n\n`,
      ),
      ...picture(map),
      listSection('**Missing hosts:**\n\n', missing, '\n', 2, left('hosts')),
      listSection('**One-sided flows:**\n\n', oneSided, '\n', 3, left('one-sided flows')),
      {
        head: '<details><summary>Every flow</summary>\n\n| | From | To | What | Lines |\n| :-- | :-- | :-- | :-- | :-- |\n',
        items: flowRows(map, MOST_LINES).map((row) => tableRow(row, linkTo)),
        tail: '\n</details>\n\n',
        rank: 4,
        left: (number) => `\n_${left('flows')(number)}_\n`,
      },
      fixed(collapsed ? '</details>\n' : ''),
    ],
    budget,
  );
}

const left =
  (what: string) =>
  (number: number): string =>
    `${grouped(number)} more ${what} did not fit here.`;

function picture(map: FleetMap): readonly Section[] {
  const drawing = drawingOf(map, MOST_ARROWS);
  if (drawing.arrows.length === 0) return [];
  const changes = map.edges.some(({ change }) => change !== undefined);
  const notDrawn =
    drawing.left === 0
      ? ''
      : ` ${grouped(drawing.left)} of ${grouped(map.edges.length)} flows are not drawn: the table has them all.`;
  const colours = changes ? ' Green is added (+), red removed (−), amber changed (±).' : '';
  const text = `Arrows start at the side that opens the connection.${colours} A crossed end means refused there.${notDrawn}`;
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

const MOST_LINES = 3;

function tableRow(row: FlowRow, linkTo: LinkTo | undefined): string {
  const { change = '', from, to, service, limits, lines, omittedLines } = row;
  const links = lines.map((location) => locationLink(location, linkTo));
  const all = list([...links, ...(omittedLines === 0 ? [] : [`${omittedLines} more`])]);
  return `| ${change} | ${code(from)} | ${code(to)} | ${code(service)}${limits} | ${all} |\n`;
}
