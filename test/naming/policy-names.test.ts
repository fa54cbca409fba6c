import { definedNames, policyNames } from '../../src/naming/policy-names.js';
import { fleetOf, TIERS } from '../map/fleet.js';

const fleet = fleetOf({
  ...TIERS,
  'services.yml': 'services:\n  metrics: [tcp/9100, tcp/9187-9190]\n  ping6: icmp/echo-request\n',
});

test('networks and services of the policy, roles of several hosts, and hosts have names', () => {
  expect(policyNames(fleet)).toEqual({
    networks: {
      admin: ['203.0.113.0/28', '2001:db8:a::/48'],
      monitoring: ['10.20.30.0/24'],
      office: ['10.20.0.0/16'],
      'role:web': ['192.0.2.1/32', '192.0.2.2/32', '2001:db8::1/128', '2001:db8::2/128'],
    },
    hosts: {
      bastion: ['192.0.2.20'],
      'db-1': ['192.0.2.9', '2001:db8::9'],
      'web-1': ['192.0.2.1', '2001:db8::1'],
      'web-2': ['192.0.2.2', '2001:db8::2'],
    },
    services: { metrics: ['tcp/9100', 'tcp/9187-9190'], ping6: [] },
  });
});

test('definedNames() leaves out what is built in', () => {
  expect(definedNames(fleet, 'network')).toEqual(['admin', 'monitoring', 'office']);
});
