/** A jump host that is part of the fleet: what breaks on it cuts off everyone behind it. */

import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Host as LabHost } from '../../../src/lab/lab.js';
import type { Fleet } from '../../../src/policy/fleet.js';
import { readFleet } from '../../../src/policy/resolve/fleet.js';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { testClient } from '../../host/hosts.js';
import { openssh } from '../../host/ssh/openssh.js';
import {
  expectOld,
  fault,
  openTestLab,
  rulesetsOf,
  type TestLab,
  watch,
} from '../../host/transaction/faults.js';

jest.setTimeout(120_000);

let testLab: TestLab;
beforeAll(async () => {
  testLab = await openTestLab();
});
afterAll(() => testLab.close());

fault(
  'S9',
  'the bastion of the fleet gets rules that accept the runner and block forwarding through it',
  'it comes last and alone; rolled back, since the hosts behind it no longer answer through it',
  async () => {
    const { lab } = testLab;
    const made: LabHost[] = [];
    for (let count = 0; count < 3; count++) made.push((await testLab.host({}, 'light', false)).host);
    const [jump, one, two] = made as [LabHost, LabHost, LabHost];
    const client = testClient(lab);
    for (const host of made) watch({ lab, host, client });
    /** Administrators come through the jump host as well; the canary is behind it. */
    const policy = (rules: string, own = ''): Fleet => {
      const admin = [lab.client, jump.addresses].flatMap(({ v4, v6 }) => [v4, `"${v6}"`]);
      const lines = made.map(({ name, addresses: { v4, v6 } }) => {
        const bastion = `    ssh: {bastion: {host: ${jump.addresses.v4}, user: deploy}}\n`;
        return `  ${name}:\n    addresses: [${v4}, "${v6}"]\n    roles: [all]\n${name === jump.name ? own : bastion}`;
      });
      const read = readFleet(
        new Map([
          [
            'policies/fleet.yml',
            `version: 1
ssh: {user: deploy, known_hosts: known_hosts}
admin: [admin]
rollout: {canary: [${one.name}], soak: 1s, waves: [100%], confirm_within: 12s}
`,
          ],
          ['policies/networks.yml', `networks:\n  admin: [${admin.join(', ')}]\n`],
          [
            'policies/roles/all.yml',
            `input:\n  - {allow: http, from: any, reason: The public site}\n${rules}`,
          ],
          ['policies/hosts/all.yml', `hosts:\n${lines.join('')}`],
        ]),
        'policies',
      );
      if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join('\n'));
      return read.value;
    };
    const deploy = async (fleet: Fleet) =>
      (await deployFleet(fleet, fleet.hosts, client.hosts, { owner: 'test' })).hosts.map(
        ({ host, outcome, wave, reason }) => [wave, host, outcome, reason] as const,
      );
    expect((await deploy(policy(''))).map((row) => row.slice(0, 3))).toEqual([
      [0, one.name, 'confirmed'],
      [1, two.name, 'confirmed'],
      [2, jump.name, 'confirmed'],
    ]);
    const before = await rulesetsOf(jump);
    const [, , last] = await deploy(
      policy(
        '  - {allow: tcp/8443, from: any, reason: Preview}\n',
        `    raw:
      - {table: filter, chain: OUTPUT, rule: "-p tcp -m tcp --dport 22 -j DROP", reason: Nobody goes on from here}
`,
      ),
    );
    expect(last).toEqual([
      ...[2, jump.name, 'rolled-back'],
      expect.stringMatching(/^host-\d+ and 1 more can no longer be reached through this host/),
    ]);
    await expectOld(jump, before);
    for (const host of [one, two]) expect((await host.liveRules()).v4).toContain('--dport 8443 ');
    const goOn = `bash -c 'exec 3<>/dev/tcp/${one.addresses.v4}/22'`;
    expect((await openssh(lab, jump, goOn)).code).toBe(0);
    await client.close();
  },
);
