/** The JSON of a packet, from files, flags and tests of the policy. */
import { describe, expect, test } from '@jest/globals';
import { readPacket } from '../../../src/traffic/trace/read-packet.js';

const GOOD = { hook: 'INPUT', src: '198.51.100.7', dst: '203.0.113.10', protocol: 'tcp', dport: 443 };

describe('a packet', () => {
  test('is accepted unchanged when every field is valid', () => {
    const whole = { ...GOOD, in: 'eth0', sport: 40000, flags: 'SYN,ACK', state: 'ESTABLISHED' };
    expect(readPacket(whole)).toEqual({ ok: true, value: whole, problems: [] });
  });

  test('may have a number as its protocol', () => {
    expect(readPacket({ ...GOOD, protocol: 6 })).toMatchObject({ ok: true, value: { protocol: '6' } });
  });

  test.each([
    [{ ...GOOD, hook: 'PREROUTING' }, '"hook" must be one of INPUT, FORWARD, OUTPUT, not "PREROUTING".'],
    [{ ...GOOD, dport: '443' }, '"dport" must be an integer from 0 to 65535, not "443".'],
    [{ ...GOOD, src: '010.0.0.1' }, '"src" must be an IP address, not "010.0.0.1".'],
    [{ ...GOOD, in: 'eth0/1' }, '"in" must be an interface name, not "eth0/1".'],
    [{ ...GOOD, protocol: 'tpc' }, '"protocol" must be a protocol name or number, not "tpc".'],
    [{ ...GOOD, dst: '2001:db8::1' }, '198.51.100.7 and 2001:db8::1 are not of the same family.'],
    [{ ...GOOD, dprot: 443 }, 'Unknown field "dprot".'],
    [[], 'A packet must be a JSON object.'],
  ])('%j is refused', (value, message) => {
    const read = readPacket(value);
    expect(read.ok).toBe(false);
    expect(read.problems.map((problem) => problem.message)).toContain(message);
  });

  test('without several fields has a problem for each', () => {
    expect(readPacket({}).problems.map(({ message }) => message)).toEqual([
      'Missing field "hook".',
      'Missing field "src".',
      'Missing field "dst".',
      'Missing field "protocol".',
    ]);
  });

  test('with several faults has all of them as problems', () => {
    const read = readPacket({ hook: 'PREROUTING', src: '10.0.0.1', dst: '::1', dport: 70000, colour: 'red' });
    expect(read.problems.map(({ message }) => message)).toEqual([
      '"hook" must be one of INPUT, FORWARD, OUTPUT, not "PREROUTING".',
      'Missing field "protocol".',
      '"dport" must be an integer from 0 to 65535, not 70000.',
      'Unknown field "colour".',
    ]);
  });
});
