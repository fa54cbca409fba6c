/** Maps for tests of their reports. */
import fc from 'fast-check';
import type { FleetMap, MapEdge } from '../../src/map/model.js';
import type { MapNode } from '../../src/naming/address-names.js';

/** The files of a policy in which monitoring may reach the web servers. */
export const MONITORED = {
  'roles/web.yml':
    'input:\n  - {allow: https, from: any, reason: The site}\n  - {allow: node-exporter, from: monitoring, reason: Metrics}\n',
};

const KINDS = ['role', 'host', 'network', 'addresses'] as const;

/** Maps with any names. */
export const maps: fc.Arbitrary<FleetMap> = fc
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
      .map(([one, change]): MapEdge => ({ ...one, change }));
    return fc
      .uniqueArray(changing, {
        maxLength: 200,
        selector: (one) => JSON.stringify([one.from, one.to, one.service]),
      })
      .map((edges): FleetMap => ({ version: 1, nodes, edges, missing: [] }));
  });
