import { createAddressNames } from '../../src/naming/address-names.js';
import { rangesOf } from '../../src/policy/addresses.js';
import { fleetOf, TIERS } from '../map/fleet.js';

test('whole networks and roles come first, then parts, then the addresses themselves', () => {
  const names = createAddressNames(fleetOf());
  const named = (...networks: readonly string[]): readonly string[] =>
    names
      .name(rangesOf(networks).v4, 'v4')
      .map(({ node, whole, hosts = [] }) => [node.id, ...(whole ? [] : ['part']), ...hosts].join(' '));
  expect(named('10.20.0.0/16', '192.0.2.1/32', '192.0.2.2/32')).toEqual([
    'network office',
    'role web web-1 web-2',
  ]);
  expect(named('192.0.2.2/32')).toEqual(['role web part web-2']);
  expect(named('10.20.30.0/25')).toEqual(['network monitoring part']);
  expect(named('10.20.31.0/24', '10.99.0.0/24', '192.0.2.20/32')).toEqual([
    'host bastion bastion',
    'network office part',
    'addresses 10.99.0.0/24',
  ]);
  expect(named('0.0.0.0/0')).toEqual(['anywhere']);
  expect(named('0.0.0.0/1', '160.0.0.0/3', '192.0.0.0/3')).toEqual(['anywhere part']);
  expect(named()).toEqual([]);
});

test('a host is found by each of its addresses, adjacent ones as well', () => {
  const hosts = TIERS['hosts/all.yml']?.replace('[192.0.2.20]', '[192.0.2.20, 192.0.2.21]') ?? '';
  const names = createAddressNames(fleetOf({ ...TIERS, 'hosts/all.yml': hosts }));
  expect(names.hostsIn(rangesOf(['192.0.2.21']).v4, 'v4')).toEqual(['bastion']);
  expect(names.hostsIn(rangesOf(['192.0.2.0/24']).v4, 'v4')).toEqual(['bastion', 'db-1', 'web-1', 'web-2']);
  expect(names.hostsIn(rangesOf(['2001:db8::/64']).v6, 'v6')).toEqual(['db-1', 'web-1', 'web-2']);
});

test('a role that every host has is not part of the names', () => {
  const hosts = (TIERS['hosts/all.yml'] ?? '')
    .replaceAll('roles: [', 'roles: [base, ')
    .replace('[192.0.2.20]', '[192.0.2.20], roles: [base]');
  const files = { ...TIERS, 'hosts/all.yml': hosts, 'roles/base.yml': 'description: All\n' };
  expect(createAddressNames(fleetOf(files)).groups.map(({ id, name }) => [id, name])).toEqual([
    ['role base', 'base'],
    ['role base+db', 'db'],
    ['role base+web', 'web'],
  ]);
});

test('a host that only the earlier policy has keeps its name', () => {
  const hosts = (TIERS['hosts/all.yml'] ?? '').replace('bastion:', 'jump:');
  const names = createAddressNames(fleetOf(), fleetOf({ ...TIERS, 'hosts/all.yml': hosts }));
  expect(names.groupOf('jump')).toEqual({ id: 'host jump', kind: 'host', name: 'jump', hosts: ['jump'] });
});
