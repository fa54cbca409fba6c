/** A graph that Mermaid can read, whatever the names in it are. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FleetMap, MapEdge } from '../../../src/map/model.js';
import type { MapNode } from '../../../src/naming/address-names.js';
import { mapMarkdown } from '../../../src/report/markdown/map.js';
import { MOST_ARROWS, mermaidText } from '../../../src/report/markdown/mermaid.js';
import { drawingOf } from '../../../src/report/view/map-view.js';
import { mapOf } from '../../map/fleet.js';
import { MONITORED, maps } from '../maps.js';

const graphOf = (map: FleetMap): readonly string[] => mermaidText(drawingOf(map, MOST_ARROWS)).split('\n');

test('mermaidText() has an arrow for each pair of nodes, colours and signs for changes, and "every host" for what all have', () => {
  const { map } = mapOf(MONITORED, {});
  expect(graphOf(map)).toEqual([
    'flowchart LR',
    '  n0{{"anywhere"}}:::anywhere',
    '  n1(["monitoring<br><small>10.20.30.0/24</small>"]):::network',
    '  n2["web<br><small>2 hosts</small>"]:::role',
    '  n0 ==>|"− http"| n2',
    '  n1 ==>|"+ node-exporter"| n2',
    '  n0 ==>|"https"| n2',
    '  classDef anywhere fill:#ffebe9,stroke:#cf222e,color:#82071e',
    '  classDef network fill:#fff8c5,stroke:#9a6700,color:#4d2d00',
    '  classDef role fill:#ddf4ff,stroke:#0969da,color:#0a3069',
    '  linkStyle 0 stroke:#cf222e,stroke-width:3px,stroke-dasharray:6 4,color:#cf222e',
    '  linkStyle 1 stroke:#1a7f37,stroke-width:3px,color:#1a7f37',
    '  linkStyle 2 stroke:#8c959f,stroke-width:1.5px',
  ]);
  expect(graphOf(mapOf().map)).toContain('  n1 ==>|"ssh"| n4');
  expect(graphOf(mapOf().map)).toContain('  n4["every host<br><small>4 hosts</small>"]:::role');
});

/** Labels hold letters, numbers and harmless signs; everything else is an entity code or one of our own tags. */
const LABEL = String.raw`"(?:[\p{L}\p{N} .,/:()…−±+-]|#\d+;|<br>|</?small>)+"`;
const GRAMMAR: readonly RegExp[] = [
  /^flowchart LR$/u,
  new RegExp(String.raw`^ {2}n\d+(?:\[${LABEL}\]|\(\[${LABEL}\]\)|\{\{${LABEL}\}\}):::\w+$`, 'u'),
  new RegExp(String.raw`^ {2}n\d+ (?:==>|-\.-x)\|${LABEL}\| n\d+$`, 'u'),
  /^ {2}classDef \w+ [\w:#,. -]+$/u,
  /^ {2}linkStyle \d+(?:,\d+)* [\w:#,. -]+$/u,
];

test('mermaidText() consists of known lines, and every arrow has two nodes and a style, whatever the names', () => {
  fc.assert(
    fc.property(maps, (map) => {
      const lines = graphOf(map);
      expect(lines.filter((line) => !GRAMMAR.some((form) => form.test(line)))).toEqual([]);
      const declared = new Set(lines.flatMap((line) => /^ {2}(n\d+)[[({]/.exec(line)?.[1] ?? []));
      const arrows = lines.flatMap((line) => {
        const ends = /^ {2}(n\d+) (?:==>|-\.-x).* (n\d+)$/.exec(line);
        return ends === null ? [] : [ends.slice(1)];
      });
      expect(arrows.flat().filter((id) => id !== undefined && !declared.has(id))).toEqual([]);
      const styled = lines.flatMap(
        (line) => /^ {2}linkStyle (\S+)/.exec(line)?.[1]?.split(',').map(Number) ?? [],
      );
      expect(styled.toSorted((a, b) => a - b)).toEqual(arrows.map((_, index) => index));
    }),
    { numRuns: 200 },
  );
});

test('mermaidText() is far below the limits of GitHub for a thousand flows with the longest names', () => {
  const nodes = Array.from({ length: 120 }, (_, index): MapNode => {
    const name = `${index}${'#'.repeat(200)}`;
    return { id: name, kind: index % 3 === 0 ? 'network' : 'role', name, hosts: [name] };
  });
  const edges = Array.from(
    { length: 1000 },
    (_, index): MapEdge => ({
      from: nodes[index % 120]?.id ?? '',
      to: nodes[(index * 7) % 119]?.id ?? '',
      service: `tcp/${index}`,
      families: ['v4'],
      rules: [],
    }),
  );
  const map: FleetMap = { version: 1, nodes, edges, missing: [] };
  expect(mermaidText(drawingOf(map, MOST_ARROWS)).length).toBeLessThan(50_000);
  const report = mapMarkdown(map, []);
  expect(report).toMatch(/(\d+) of 1,000 flows are not drawn/);
});
