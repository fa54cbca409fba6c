import { describe, expect, test } from '@jest/globals';
import { readPacket, readPackets } from '../../src/commands/packets.js';

const GOOD = { hook: 'INPUT', src: '198.51.100.7', dst: '203.0.113.10', protocol: 'tcp', dport: 443 };

describe('a packet', () => {
  test('is taken as it is when every field is as it must be', () => {
    const whole = { ...GOOD, in: 'eth0', sport: 40000, flags: 'SYN,ACK', state: 'ESTABLISHED' };
    expect(readPacket(whole)).toEqual({ ok: true, value: whole, problems: [] });
  });

  test.each([
    [{ ...GOOD, hook: 'PREROUTING' }, '"hook" is one of INPUT, OUTPUT, FORWARD, not "PREROUTING".'],
    [{ ...GOOD, dport: '443' }, '"dport" is a whole number from 0 to 65535, not "443".'],
    [{ ...GOOD, src: '010.0.0.1' }, '"src" is an address, not "010.0.0.1".'],
    [{ ...GOOD, dst: '2001:db8::1' }, '198.51.100.7 and 2001:db8::1 are not of the same family.'],
    [{ ...GOOD, dprot: 443 }, 'A packet has no "dprot".'],
    [[], 'A packet is a JSON object.'],
  ])('%j is refused', (value, message) => {
    const read = readPacket(value);
    expect(read.ok).toBe(false);
    expect(read.problems.map((problem) => problem.message)).toContain(message);
  });

  test('that lacks several fields says so of each', () => {
    expect(readPacket({}).problems.map(({ message }) => message)).toEqual([
      'The packet has no "hook".',
      'The packet has no "src".',
      'The packet has no "dst".',
      'The packet has no "protocol".',
    ]);
  });
});

test('many packets are read a line each, and all problems come with their lines', () => {
  const line = JSON.stringify(GOOD);
  expect(readPackets(`${line}\n\n${line}\n`, 'p.jsonl')).toMatchObject({ ok: true, value: [GOOD, GOOD] });
  const bad = readPackets(`${line}\n{"hook":\n{}\n`, 'p.jsonl');
  expect(bad.problems.map(({ place }) => place?.line)).toEqual([2, 3, 3, 3, 3]);
});
