/**
 * Docker's usual way to let only some in, `--ctorigdstport` in DOCKER-USER: real connections by the script of the case
 * reach the container at port 1234 and are not answered at 5432.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareTraffic } from '../../../src/traffic/questions/compare.js';
import { explainPacket } from '../../../src/traffic/trace/explain.js';
import { rulesetOf } from './kernel/judge.js';

const rulesOf = (name: string) =>
  rulesetOf('v4', readFileSync(join(import.meta.dirname, '../../cases', name), 'utf8'), '');

test.each([
  [1234, 'accept'],
  [5432, 'drop'],
] as const)('a stranger at the published port %i: %s', (dport, wanted) => {
  const packet = {
    hook: 'FORWARD',
    in: 'eth0',
    out: 'docker0',
    src: '198.51.100.7',
    dst: '192.168.1.9',
    protocol: 'tcp',
    dport,
  } as const;
  const { verdict } = explainPacket(rulesOf('18-docker-user.v4'), packet, { addresses: ['192.168.1.9'] });
  expect(verdict).toBe(wanted);
});

test('with another original port the difference is proved, at that port', () => {
  const text = readFileSync(join(import.meta.dirname, '../../cases/18-docker-user.v4'), 'utf8');
  const before = rulesOf('18-docker-user.v4');
  const after = rulesetOf('v4', text.replace('--ctorigdstport 1234', '--ctorigdstport 5432'), '');
  const { opened, closed } = compareTraffic(before, after, { addresses: ['192.168.1.9'] });
  const atHost = (rows: typeof opened) =>
    rows.filter(({ state }) => state.includes('NEW')).flatMap(({ dport }) => dport);
  expect(atHost(opened)).toContain('5432');
  expect(atHost(closed)).toContain('1234');
});
