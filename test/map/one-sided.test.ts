import { formatProblem } from '../../src/lib/problem.js';
import { linesOf, mapOf, TIERS } from './fleet.js';

const locked = {
  'hosts/all.yml': (TIERS['hosts/all.yml'] ?? '').replaceAll(
    'roles: [web]}',
    'roles: [web], baseline: {output: drop}}',
  ),
};

test('sent but not let in: the note is at the line that sends, and names the line that refuses', () => {
  const web = `${TIERS['roles/web.yml']}output:\n  - {allow: [postgres, redis], to: "role:db", reason: Orders}\n`;
  const mapped = mapOf({ ...locked, 'roles/web.yml': web });
  expect(mapped.notes.map(formatProblem)).toEqual([
    'policies/roles/web.yml:4:6: note: web may send redis to db, but the rules of db do not let it in (policies/hosts/all.yml:4). Allow it in "input" of db, or take it out here.',
  ]);
  expect(linesOf(mapped)).toContain('role web → role db: redis (blocked roles/web.yml:4)');
});

test('allowed by the receiver, blocked by the OUTPUT of the sender', () => {
  const mapped = mapOf(locked);
  expect(mapped.notes.map(formatProblem)).toEqual([
    'policies/roles/db.yml:2:6: note: db lets postgres in from web, but the rules of web do not let it out (policies/hosts/all.yml:2). Allow it in "output" of web, or take it out here.',
  ]);
  expect(linesOf(mapped)).toContain('role web → role db: postgres (blocked roles/db.yml:2)');
});

test('a rule for a network, or for a range of ports of which some get through, is not one-sided', () => {
  const web = `${TIERS['roles/web.yml']}output:
- {allow: any, to: 192.0.2.0/24, reason: Neighbours}
- {allow: tcp/5000-6000, to: "role:db", reason: Orders}
`;
  expect(mapOf({ ...locked, 'roles/web.yml': web }).notes).toEqual([]);
});
