import { expect, test } from '@jest/globals';
import { readPackets } from '../../../src/commands/inputs/packets.js';

const GOOD = { hook: 'INPUT', src: '198.51.100.7', dst: '203.0.113.10', protocol: 'tcp', dport: 443 };

test('many packets are read a line each, and all problems come with their lines', () => {
  const line = JSON.stringify(GOOD);
  expect(readPackets(`${line}\n\n${line}\n`, 'p.jsonl')).toMatchObject({ ok: true, value: [GOOD, GOOD] });
  const bad = readPackets(`${line}\n{"hook":\n{}\n`, 'p.jsonl');
  expect(bad.problems.map(({ location }) => location?.line)).toEqual([2, 3, 3, 3, 3]);
});
