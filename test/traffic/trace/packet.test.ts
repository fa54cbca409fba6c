/** The JSON of a packet, as files, flags and tests of the policy give it. */
import { describe, expect, test } from '@jest/globals';
import { readPacket } from '../../../src/traffic/trace/packet.js';

const GOOD = { hook: 'INPUT', src: '198.51.100.7', dst: '203.0.113.10', protocol: 'tcp', dport: 443 };

describe('a packet', () => {
  test('is taken as it is when every field is as it must be', () => {
    const whole = { ...GOOD, in: 'eth0', sport: 40000, flags: 'SYN,ACK', state: 'ESTABLISHED' };
    expect(readPacket(whole)).toEqual({ ok: true, value: whole, problems: [] });
  });

  test('may have a number for its protocol', () => {
    expect(readPacket({ ...GOOD, protocol: 6 })).toMatchObject({ ok: true, value: { protocol: '6' } });
  });

  test.each([
    [{ ...GOOD, hook: 'PREROUTING' }, '"hook" is one of INPUT, FORWARD, OUTPUT, not "PREROUTING".'],
    [{ ...GOOD, dport: '443' }, '"dport" is a whole number from 0 to 65535, not "443".'],
    [{ ...GOOD, src: '010.0.0.1' }, '"src" is an address, not "010.0.0.1".'],
    [{ ...GOOD, in: 'eth0/1' }, '"in" is the name of an interface, not "eth0/1".'],
    [{ ...GOOD, protocol: 'tpc' }, '"protocol" is a protocol, by name or number, not "tpc".'],
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

  test('with several faults says them all at once', () => {
    const read = readPacket({ hook: 'PREROUTING', src: '10.0.0.1', dst: '::1', dport: 70000, colour: 'red' });
    expect(read.problems.map(({ message }) => message)).toEqual([
      'The packet has no "protocol".',
      expect.stringContaining('"hook" is one of'),
      expect.stringContaining('"dport" is a whole number'),
      'A packet has no "colour".',
    ]);
  });
});
