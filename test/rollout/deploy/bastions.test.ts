import { expect, test } from '@jest/globals';
import { bastionsOf, hostsBehind } from '../../../src/rollout/deploy/bastions.js';
import { wavesOf } from '../../../src/rollout/results/waves.js';
import { fleetOf } from '../fleet.js';

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

test("a host is behind each bastion in its SSH configuration, by any of the bastion's addresses", () => {
  expect([...bastionsOf(fleet)]).toEqual(['jump-1']);
  expect(behind('jump-1')).toEqual(['web-1', 'web-2']);
  expect(behind('web-3')).toEqual([]);
});

test('with several bastions, a bastion comes after the bastions behind it', () => {
  const jump = (...to: readonly string[]): string =>
    `ssh: {bastion: [${to.map((host) => `{host: ${host}, user: jump}`).join(', ')}]}`;
  const deep = fleetOf({
    hosts: `
  web-1: { addresses: [192.0.2.1], roles: [web], ${jump('a-gate', 'm-hall', 'z-door')} }
  a-gate: { addresses: [192.0.2.7], roles: [web] }
  m-hall: { addresses: [192.0.2.8], roles: [web], ${jump('a-gate')} }
  z-door: { addresses: [192.0.2.9], roles: [web], ${jump('a-gate', 'm-hall')} }
`,
  });
  expect([...bastionsOf(deep)]).toEqual(['z-door', 'm-hall', 'a-gate']);
  const waves = wavesOf(
    deep.hosts.map(({ name }) => name),
    deep.rollout,
    bastionsOf(deep),
  );
  expect(waves.map(({ hosts }) => hosts)).toEqual([['web-1'], ['z-door'], ['m-hall'], ['a-gate']]);
});

test('bastions in a circle are each listed once', () => {
  const circle = fleetOf({
    hosts: `
  web-1: { addresses: [192.0.2.1], roles: [web], ssh: {bastion: {host: web-2, user: jump}} }
  web-2: { addresses: [192.0.2.2], roles: [web], ssh: {bastion: {host: web-1, user: jump}} }
`,
  });
  expect([...bastionsOf(circle)].toSorted()).toEqual(['web-1', 'web-2']);
});
