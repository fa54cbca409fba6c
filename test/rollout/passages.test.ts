import { expect, test } from '@jest/globals';
import { hostsBehind, passagesOf } from '../../src/rollout/passages.js';
import { fleetOf } from './fleet.js';

const fleet = fleetOf({
  hosts: `
  web-1: { addresses: [192.0.2.1, "2001:db8::1"], roles: [web], ssh: {bastion: {host: "2001:db8::9", user: jump}} }
  web-2: { addresses: [192.0.2.2], roles: [web], ssh: {bastion: [{host: 198.51.100.1, user: jump}, {host: 192.0.2.9, user: jump}]} }
  web-3: { addresses: [192.0.2.3], roles: [web] }
  jump-1: { addresses: [192.0.2.9, "2001:db8::9"], roles: [web] }
`,
});
const behind = (name: string): readonly string[] =>
  fleet.hosts
    .filter((host) => host.name === name)
    .flatMap((host) => hostsBehind(fleet, host))
    .map((host) => host.name);

test('a host is behind every host of the fleet that its way names, by whichever address', () => {
  expect([...passagesOf(fleet)]).toEqual(['jump-1']);
  expect(behind('jump-1')).toEqual(['web-1', 'web-2']);
  expect(behind('web-3')).toEqual([]);
});
