import { joinServices } from '../../src/naming/service-sets.js';

const row = (protocol: string, dport: readonly string[] = [], type: readonly string[] = []) => ({
  protocol,
  dport,
  type,
});

test('each protocol is there once, its ports joined and in order', () => {
  expect(joinServices([row('tcp', ['443']), row('udp', ['53']), row('tcp', ['80-90', '91'])])).toEqual([
    row('tcp', ['80-91', '443']),
    row('udp', ['53']),
  ]);
});

test('a row for every port or every type makes it every one', () => {
  expect(joinServices([row('tcp', ['443']), row('tcp')])).toEqual([row('tcp')]);
  expect(joinServices([row('icmp', [], ['8']), row('icmp')])).toEqual([row('icmp')]);
  expect(joinServices([row('icmp', [], ['8']), row('icmp', [], ['0', '8'])])).toEqual([
    row('icmp', [], ['8', '0']),
  ]);
});
