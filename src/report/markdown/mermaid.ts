/** A map as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html), as GitHub draws it. */

import { count } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { MapNode } from '../../naming/address-names.js';
import type { Arrow, Drawing } from '../view/map-view.js';

/** GitHub draws no graph of more than 500 edges or 50,000 characters (Mermaid's maxEdges and maxTextSize). */
export const MOST_ARROWS = 60;

/** Longer names are cut: one of them must not be wider than the picture. */
const LONGEST = 48;
const MOST_SERVICES = 4;

/** Colours of GitHub's Primer, readable on its light and dark pages. */
const CLASSES = {
  role: 'fill:#ddf4ff,stroke:#0969da,color:#0a3069',
  host: 'fill:#ddf4ff,stroke:#0969da,color:#0a3069,stroke-dasharray:4 3',
  network: 'fill:#fff8c5,stroke:#9a6700,color:#4d2d00',
  anywhere: 'fill:#ffebe9,stroke:#cf222e,color:#82071e',
  addresses: 'fill:#f6f8fa,stroke:#57606a,color:#24292f',
} as const;

const SHAPES: { readonly [kind in MapNode['kind']]: readonly [open: string, close: string] } = {
  role: ['[', ']'],
  host: ['[', ']'],
  network: ['([', '])'],
  anywhere: ['{{', '}}'],
  addresses: ['([', '])'],
};

const SIGNS = { added: '+ ', removed: '− ', changed: '± ' } as const;

const STROKES = {
  added: 'stroke:#1a7f37,stroke-width:3px,color:#1a7f37',
  removed: 'stroke:#cf222e,stroke-width:3px,stroke-dasharray:6 4,color:#cf222e',
  changed: 'stroke:#9a6700,stroke-width:3px,color:#9a6700',
  blocked: 'stroke:#8c959f,stroke-width:1.5px,stroke-dasharray:2 4',
  unchanged: 'stroke:#8c959f,stroke-width:1.5px',
} as const;

/** The picture as the text of a Mermaid flowchart. */
export function mermaidText({ nodes, arrows }: Drawing): string {
  const ids = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const kinds = [...new Set(nodes.map(({ kind }) => kind))];
  const lines = [
    'flowchart LR',
    ...nodes.map((node) => {
      const [open, close] = SHAPES[node.kind];
      return `  ${ids.get(node.id)}${open}"${nodeLabel(node)}"${close}:::${node.kind}`;
    }),
    ...arrows.map(
      (arrow) => `  ${ids.get(arrow.from)} ${line(arrow)}|"${arrowLabel(arrow)}"| ${ids.get(arrow.to)}`,
    ),
    ...kinds.map((kind) => `  classDef ${kind} ${CLASSES[kind]}`),
    ...strokes(arrows),
  ];
  return lines.join('\n');
}

/** Never with the end of an HTML comment in it, as plain arrows have. */
const line = ({ blocked }: Arrow): string => (blocked ? '-.-x' : '==>');

function strokes(arrows: readonly Arrow[]): readonly string[] {
  const styles = new Map<keyof typeof STROKES, number[]>();
  for (const [index, { change, blocked }] of arrows.entries()) {
    const style = change ?? (blocked ? 'blocked' : 'unchanged');
    styles.set(style, [...(styles.get(style) ?? []), index]);
  }
  return [...styles].map(([style, indices]) => `  linkStyle ${indices.join(',')} ${STROKES[style]}`);
}

function nodeLabel({ name, kind, hosts = [], networks = [], holds = [] }: MapNode): string {
  const [first = ''] = networks;
  const more = networks.length > 1 ? ` and ${networks.length - 1} more` : '';
  const below = [
    ...(kind === 'role' ? [count(hosts.length, 'host')] : []),
    ...(kind === 'network' && first !== '' ? [`${first}${more}`] : []),
    ...(holds.length === 0 ? [] : [`with ${holds.join(', ')}`]),
  ];
  return [label(name), ...below.map((text) => `<small>${label(text)}</small>`)].join('<br>');
}

function arrowLabel({ services, change }: Arrow): string {
  const shown = services.slice(0, MOST_SERVICES);
  const more = services.length > shown.length ? [`${services.length - shown.length} more`] : [];
  const sign = change === undefined ? '' : SIGNS[change];
  return `${sign}${[...shown, ...more].map(label).join('<br>')}`;
}

/**
 * Names as text without a meaning in Mermaid, Markdown or HTML: Mermaid's entity codes (`#35;`). A label that starts
 * like a list item would become one.
 */
function label(text: string): string {
  const shown = visible(text);
  // Mermaid has no empty labels.
  if (shown.trim() === '') return '#160;';
  const cut = shown.length > LONGEST ? `${shown.slice(0, LONGEST - 1)}…` : shown;
  return cut
    .replace(/[^\p{L}\p{N} .,/:()…-]/gu, (character) => `#${character.codePointAt(0)};`)
    .replace(/^(?:-|\d+[.)])(?= )/, (start) => `#${start.codePointAt(0)};${start.slice(1)}`);
}
