/** What Docker and fail2ban have put into the kernel stays as it is, through a deploy and through a rollback. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../../src/lab/lab.js';
import { DOCKER_AND_FAIL2BAN } from '../../compile/foreign.js';
import { meaning, outcomesOf, type Program, programIn, writePolicy } from '../lab-program.js';

jest.setTimeout(180_000);

/** An administrator's own line in the saved file, which is not in the kernel. */
const SAVED = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:MINE - [0:0]
-A INPUT -s 10.99.0.0/16 -j MINE
-A MINE -p tcp -m tcp --dport 7777 -j DROP
COMMIT
`;

/** Every line of others, in order: chains that are not ours, and rules that are neither in ours nor lead there. */
const foreign = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter(
      (line) =>
        /^(:|-A )/.test(line) && !line.includes('SALLYPORT-') && !/^:(INPUT|FORWARD|OUTPUT|P\w+) /.test(line),
    );

let lab: Lab;
let hosts: readonly Host[];
let sallyport: Program;

beforeAll(async () => {
  lab = await openLab();
  hosts = await Promise.all([
    lab.light({ name: 'web-1', rules: { v4: DOCKER_AND_FAIL2BAN }, savedRules: { v4: SAVED } }),
    lab.light({
      name: 'old-1',
      backend: 'legacy',
      rules: { v4: DOCKER_AND_FAIL2BAN },
      savedRules: { v4: SAVED },
    }),
  ]);
  sallyport = await programIn(lab);
  writePolicy(lab, hosts);
});
afterAll(() => lab.close());

const live = () => Promise.all(hosts.map(async (host) => foreign((await host.liveRules()).v4)));
const saved = () => Promise.all(hosts.map(async (host) => foreign((await host.savedRules()).v4 ?? '')));

test('a deploy keeps them in the kernel and out of the saved file, and keeps what was saved', async () => {
  const before = await live();
  const deployed = await sallyport('deploy', '--format', 'json');
  expect({ ...deployed, stderr: deployed.stderr.slice(-2000) }).toMatchObject({ code: 0 });
  expect(outcomesOf(deployed)).toEqual(['web-1 confirmed', 'old-1 confirmed']);
  expect(await live()).toEqual(before);
  expect(await saved()).toEqual([foreign(SAVED), foreign(SAVED)]);
  expect(await sallyport('drift')).toMatchObject({ code: 0 });
});

test('a ban that comes while nobody deploys is no drift', async () => {
  for (const host of hosts) await host.must('iptables -I f2b-sshd -s 198.51.100.77 -j REJECT');
  expect(await sallyport('drift')).toMatchObject({ code: 0 });
  expect(await sallyport('plan', '--exit-code')).toMatchObject({ code: 0 });
});

test('a change that the hosts take back leaves them as they were', async () => {
  const all = () => Promise.all(hosts.map(async (host) => meaning(await host.liveRules())));
  const before = await all();
  const own = `    raw:
      - table: mangle
        chain: PREROUTING
        rule: -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j DROP
        reason: Brute force
`;
  writePolicy(lab, hosts, { own: { 'web-1': own, 'old-1': own }, rollout: ', max_failures: 2' });
  for (const { name } of hosts) {
    const deployed = await sallyport(
      'deploy',
      '--hosts',
      name,
      '--accept-lockout-risk',
      name,
      '--format',
      'json',
    );
    expect(outcomesOf(deployed)).toEqual([`${name} rolled-back`]);
  }
  expect(await all()).toEqual(before);
});
