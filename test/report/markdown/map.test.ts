import { expect, test } from '@jest/globals';
import { mapMarkdown } from '../../../src/report/markdown/map.js';
import { findingOf } from '../../../src/rollout/results/finding.js';
import { mapOf } from '../../map/fleet.js';

test('mapMarkdown() collapsed is one balanced block, with notes before the table and links to lines', () => {
  const { map, notes } = mapOf({
    'hosts/all.yml':
      'hosts:\n  web-1: {addresses: [192.0.2.1], roles: [web], baseline: {output: drop}}\n  db-1: {addresses: [192.0.2.9], roles: [db]}\n',
  });
  const report = mapMarkdown(map, notes.map(findingOf), {
    collapsed: true,
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
