/** The map as people see it: a graph that Mermaid reads whatever names stand in it, and totals that are exact. */
import fc from 'fast-check';
import type { FleetMap, MapEdge } from '../../src/map/model.js';
import type { MapNode } from '../../src/naming/address-names.js';
import { mapMarkdown } from '../../src/report/markdown/map.js';
import { MOST_ARROWS, mermaidText } from '../../src/report/markdown/mermaid.js';
import { mapText } from '../../src/report/terminal/map.js';
import { drawingOf } from '../../src/report/view/map-view.js';
import { findingOf } from '../../src/rollout/plan/findings.js';
import { mapOf } from '../map/fleet.js';

const MONITORED = {
  'roles/web.yml':
    'input:\n  - {allow: https, from: any, reason: The site}\n  - {allow: node-exporter, from: monitoring, reason: Metrics}\n',
};

const graphOf = (map: FleetMap): readonly string[] => mermaidText(drawingOf(map, MOST_ARROWS)).split('\n');

test('an arrow for each pair of nodes, changes in colour and with a sign, what all have at "every host"', () => {
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

const KINDS = ['role', 'host', 'network', 'addresses'] as const;

const maps: fc.Arbitrary<FleetMap> = fc
  .array(fc.tuple(fc.constantFrom(...KINDS), fc.string({ unit: 'grapheme', maxLength: 60 })), {
    minLength: 1,
    maxLength: 30,
  })
  .chain((names) => {
    const nodes = names.map(([kind, name], index): MapNode => ({ id: `${index} ${name}`, kind, name }));
    const id = fc.constantFrom(...nodes.map((node) => node.id));
    const edge: fc.Arbitrary<MapEdge> = fc.record({
      from: id,
      to: id,
      service: fc.string({ unit: 'grapheme', maxLength: 30 }),
      families: fc.constant(['v4', 'v6'] as const),
      rules: fc.constant([]),
    });
    const changing = fc
      .tuple(edge, fc.constantFrom('added', 'removed', 'changed', undefined))
      .map(([one, change]): MapEdge => ({ ...one, ...(change === undefined ? {} : { change }) }));
    return fc
      .uniqueArray(changing, {
        maxLength: 200,
        selector: (one) => JSON.stringify([one.from, one.to, one.service]),
      })
      .map((edges): FleetMap => ({ version: 1, nodes, edges, missing: [] }));
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

test('whatever names stand in it, it is a graph of known lines, and every arrow has both ends and a style', () => {
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

test('what is drawn and what is left out add up to all flows, however few may be drawn', () => {
  fc.assert(
    fc.property(maps, fc.integer({ min: 1, max: 70 }), (map, most) => {
      const { arrows, left } = drawingOf(map, most);
      expect(arrows.length).toBeLessThanOrEqual(most);
      expect(arrows.reduce((sum, { edges }) => sum + edges, 0) + left).toBe(map.edges.length);
    }),
    { numRuns: 200 },
  );
});

test('GitHub draws it: far below the limits of Mermaid, for a thousand flows with the longest names', () => {
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

test('folded for a job summary: one balanced block, notes before the table, lines as links', () => {
  const { map, notes } = mapOf({
    'hosts/all.yml':
      'hosts:\n  web-1: {addresses: [192.0.2.1], roles: [web], baseline: {output: drop}}\n  db-1: {addresses: [192.0.2.9], roles: [db]}\n',
  });
  const report = mapMarkdown(map, notes.map(findingOf), {
    folded: true,
    linkTo: ({ line }) => `https://example.com/#L${line}`,
  });
  expect(report.match(/<details>/g)).toHaveLength(2);
  expect(report.match(/<\/details>/g)).toHaveLength(2);
  expect(report).toMatch(/^<details><summary>Map: 4 flows between 4 nodes<\/summary>\n\n```mermaid\n/);
  expect(report).toContain(
    '- [`policies/roles/db.yml:2`](https://example.com/#L2) db lets postgres in from web, but the rules of web do not let it out (policies/hosts/all.yml:2).\n',
  );
  expect(report).toContain(
    '|  | `web` | `db` | `postgres` IPv4 only (refused at the other end) | [`policies/roles/db.yml:2`](https://example.com/#L2) |\n',
  );
});

test('in the terminal, under what is reached', () => {
  expect(
    mapText(mapOf(MONITORED, {}).map, { colour: false }),
  ).toBe(`6 flows between 6 nodes; 1 added, 1 removed.

to bastion
     admin  ssh IPv4 only  policies/hosts/all.yml:5

to db (1 host)
     admin  ssh       policies/hosts/all.yml:4
     web    postgres  policies/roles/db.yml:2

to web (2 hosts)
     anywhere    https                    policies/roles/web.yml:2
     admin       ssh                      policies/hosts/all.yml:2, policies/hosts/all.yml:3
  +  monitoring  node-exporter IPv4 only  policies/roles/web.yml:3
  -  anywhere    http                     policies/roles/web.yml:2
`);
});
