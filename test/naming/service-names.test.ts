import { normalise, type Range, type Ranges, subtract } from '../../src/lib/ranges.js';
import {
  coverParts,
  createServiceNames,
  fillServiceGaps,
  isMostServices,
  nameTerms,
  portsText,
  termKeys,
} from '../../src/naming/service-names.js';
import type { Service } from '../../src/policy/fleet.js';
import { ICMP_SERVICES, PORTS } from '../../src/traffic/questions/reach.js';

const keys = (...terms: readonly string[]): Ranges => normalise(terms.map((term) => termKeys(term) as Range));
const ports = (protocol: 'tcp' | 'udp', ...list: readonly number[]): Service => ({
  kind: 'ports',
  protocol,
  ports: list.map((port) => ({ from: port, to: port })),
});
const ALL: Ranges = [[0n, 256n * PORTS - 1n]];

const nameServices = createServiceNames(
  new Map<string, readonly Service[]>([
    ['telnet', [ports('tcp', 23)]],
    ['http', [ports('tcp', 80)]],
    ['https', [ports('tcp', 443)]],
    ['web', [ports('tcp', 80, 443)]],
    ['dns', [ports('udp', 53), ports('tcp', 53)]],
    ['esp', [{ kind: 'protocol', protocol: 'esp' }]],
    ['ping', [{ kind: 'icmp', family: 'v4', type: '8' }]],
  ]),
);
const names = (services: Ranges): readonly string[] => nameServices(services).map(({ name }) => name);

test('termKeys() is protocol * 65536 + port', () => {
  expect(termKeys('tcp/443')).toEqual([6n * 65536n + 443n, 6n * 65536n + 443n]);
  expect(termKeys('udp/1812-1813')).toEqual([17n * 65536n + 1812n, 17n * 65536n + 1813n]);
  expect(['esp', 'protocol/112', 'icmp/8', 'tcp', 'tcp/ssh'].map(termKeys)).toEqual(Array(5).fill(undefined));
});

test('services of most ports are named first, and each port once', () => {
  expect(names(keys('tcp/80', 'tcp/443'))).toEqual(['web']);
  expect(names(keys('tcp/443', 'tcp/53', 'udp/53'))).toEqual(['dns', 'https']);
  expect(names([])).toEqual([]);
});

test('ports and protocols without a name are named by number and by protocol', () => {
  expect(names(keys('tcp/20-30', 'tcp/8080'))).toEqual(['tcp/20-30', 'tcp/8080']);
  expect(names([[50n * PORTS, 51n * PORTS - 1n]])).toEqual(['esp']);
  expect(names([[6n * PORTS, 7n * PORTS - 1n]])).toEqual(['tcp']);
  expect(names([[6n * PORTS + 65530n, 7n * PORTS + 5n]])).toEqual(['tcp/65530-65535', '7/0-5']);
  expect(names([[100n * PORTS, 103n * PORTS - 1n]])).toEqual(['every protocol from 100 to 102']);
});

test('more than half of all services are named by what they leave out; ICMP does not count', () => {
  expect(names(ALL)).toEqual(['everything']);
  expect(names(subtract(ALL, ICMP_SERVICES))).toEqual(['everything']);
  expect(names(subtract(ALL, keys('tcp/23')))).toEqual(['everything but telnet']);
  expect(names(subtract(ALL, keys('tcp/1', 'tcp/3', 'tcp/5', 'tcp/7')))).toEqual(['most of everything']);
  expect([isMostServices(ALL), isMostServices(keys('tcp/0-65535'))]).toEqual([true, false]);
});

test('fillServiceGaps() adds gaps that are allowed as a whole', () => {
  const through = fillServiceGaps(keys('tcp/1-10', 'tcp/20-30'), keys('tcp/11-19', 'tcp/31-40'));
  expect(through).toEqual(keys('tcp/1-30'));
  expect(fillServiceGaps(keys('tcp/1-10', 'tcp/20-30'), keys('tcp/11-18'))).toEqual(
    keys('tcp/1-10', 'tcp/20-30'),
  );
  expect(fillServiceGaps([], ALL)).toEqual([]);
});

test('coverParts() uses each part once, in order of preference', () => {
  const services = [
    { name: 'a', parts: ['1', '2'] },
    { name: 'b', parts: ['2', '3'] },
    { name: 'c', parts: ['3'] },
  ];
  const { taken, rest } = coverParts(['3', '2', '1', '9'], services);
  expect([taken.map(({ name }) => name), [...rest]]).toEqual([['a', 'c'], ['9']]);
});

test('nameTerms() names terms by the built-in services, of several terms first', () => {
  expect(nameTerms(['tcp/443', 'tcp/22', 'tcp/80'])).toEqual(['web', 'ssh']);
  expect(nameTerms(['tcp/443', 'icmp/echo-request', 'tcp/4444'])).toEqual([
    'https',
    'icmp/echo-request',
    'tcp/4444',
  ]);
  expect(nameTerms(['udp/500', 'esp', 'udp/4500'])).toEqual(['ipsec']);
});

test('portsText() writes one port or a range', () => {
  expect([portsText('tcp', 443, 443), portsText('udp', 1n, 2n)]).toEqual(['tcp/443', 'udp/1-2']);
});
