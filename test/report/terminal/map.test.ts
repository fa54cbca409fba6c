import { expect, test } from '@jest/globals';
import { mapText } from '../../../src/report/terminal/map.js';
import { mapOf } from '../../map/fleet.js';
import { MONITORED } from '../maps.js';

test('mapText() lists flows by the node that they lead to', () => {
  expect(
    mapText(mapOf(MONITORED, {}).map, { colour: false }),
  ).toBe(`6 flows between 6 nodes; 1 added, 1 removed.

to bastion
     admin  ssh IPv4 only  policies/hosts/all.yml:5

to db (1 host)
     admin  ssh       policies/hosts/all.yml:4
     web    postgres  policies/roles/db.yml:2

to web (2 hosts)
     anywhere    https                    policies/roles/web.yml:2
     admin       ssh                      policies/hosts/all.yml:2, policies/hosts/all.yml:3
  +  monitoring  node-exporter IPv4 only  policies/roles/web.yml:3
  -  anywhere    http                     policies/roles/web.yml:2
`);
});
