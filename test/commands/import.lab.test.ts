/** Two hosts with rules of their own: imported over SSH, checked, planned without a difference, deployed. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { readRuleset } from '../../src/compile/render.js';
import { type Host, type Lab, openLab } from '../../src/lab/lab.js';
import type { Ruleset } from '../../src/netfilter/model.js';
import type { Plan } from '../../src/rollout/results/model.js';
import { compareTraffic } from '../../src/traffic/questions/compare.js';
import { outcomesOf, type Program, programIn } from '../cli/lab-program.js';

jest.setTimeout(240_000);

const rules = (admin: string, icmp: string): string => `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:WEB - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p ${icmp} -j ACCEPT
-A INPUT -s ${admin} -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -p tcp -j WEB
-A INPUT -m limit --limit 5/min -j LOG --log-prefix "dropped: "
-A WEB -p tcp -m multiport --dports 80,443 -m comment --comment "The public site" -j ACCEPT
-A WEB -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 20 -j DROP
-A WEB -p tcp -m tcp --dport 8080 -j ACCEPT
COMMIT
`;

/** What Docker keeps, beside rules of the host's own. */
const DOCKER = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
`;

let lab: Lab;
let web: Host;
let docker: Host;
let sallyport: Program;

beforeAll(async () => {
  lab = await openLab();
  const { v4, v6 } = lab.client;
  const six = rules(v6, 'ipv6-icmp');
  const dockerSix = DOCKER.replace(/^.*(172\.17|DOCKER|docker0).*\n/gm, '').replace(
    '-A INPUT -p tcp',
    '-A INPUT -p ipv6-icmp -j ACCEPT\n-A INPUT -p tcp',
  );
  [web, docker] = await Promise.all([
    lab.light({ name: 'web-1', rules: { v4: rules(v4, 'icmp'), v6: six } }),
    lab.light({ name: 'con-1', rules: { v4: DOCKER, v6: dockerSix } }),
  ]);
  sallyport = await programIn(lab);
});
afterAll(() => lab.close());

async function rulesetOf(host: Host): Promise<Ruleset> {
  const read = readRuleset(await host.liveRules(), host.name);
  if (!read.ok) throw new Error(`${host.name} cannot be read`);
  return read.value;
}

const equal = (host: Host, before: Ruleset, after: Ruleset): boolean =>
  compareTraffic(before, after, { addresses: Object.values(host.addresses) }).equal;

/** From nothing to a deployed policy that is what the host did before. */
async function takeOver(
  host: Host,
  out: string,
): Promise<{ readonly before: Ruleset; readonly after: Ruleset }> {
  const before = await rulesetOf(host);
  const keys = ['--identity', lab.identity, '--known-hosts', lab.knownHosts];
  const target = `${host.name}=${host.user.name}@${host.addresses.v4}`;
  const imported = await sallyport('import', target, '--out', out, ...keys);
  expect(imported).toMatchObject({ code: 0, stderr: expect.stringContaining('Proved') });
  expect(await sallyport('import', target, '--out', out, ...keys)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('already exists'),
  });
  expect(await sallyport('check', '-p', out)).toMatchObject({ code: 0 });
  const plan = JSON.parse((await sallyport('plan', '-p', out, '--format', 'json')).stdout) as Plan;
  expect(
    plan.hosts.map(({ status, traffic, lockout }) => [status, traffic?.equal, lockout?.verdict]),
  ).toEqual([['changed', true, 'proved']]);
  const deployed = await sallyport('deploy', '-p', out, '--yes', '--format', 'json');
  expect({ ...deployed, stderr: deployed.stderr.slice(-2000) }).toMatchObject({ code: 0 });
  expect(outcomesOf(deployed)).toEqual([`${host.name} confirmed`]);
  expect(await sallyport('drift', '-p', out)).toMatchObject({ code: 0 });
  const after = await rulesetOf(host);
  expect(equal(host, before, after)).toBe(true);
  return { before, after };
}

test('a host of its own: the old rules go, and every packet has the verdict that it had', async () => {
  const { after } = await takeOver(web, 'web');
  const file = readFileSync(join(lab.directory, 'web/hosts/web-1.yml'), 'utf8');
  expect(file).toContain('reason: The public site');
  expect(readFileSync(join(lab.directory, 'web/fleet.yml'), 'utf8')).toContain('ownership: tables');
  const chains = after.v4.find(({ name }) => name === 'filter')?.chains.map(({ name }) => name) ?? [];
  expect(chains).toContain('SALLYPORT-INPUT');
  expect(chains).not.toContain('WEB');
  expect((await web.savedRules()).v4).toBe((await web.liveRules()).v4);
});

test('beside Docker: its rules stay byte for byte, and the old ones may go without a difference', async () => {
  const { before } = await takeOver(docker, 'con');
  expect(readFileSync(join(lab.directory, 'con/fleet.yml'), 'utf8')).toContain('ownership: chains');
  const live = (await docker.liveRules()).v4;
  for (const line of DOCKER.split('\n').filter((each) => /DOCKER|docker0/.test(each)))
    expect(live).toContain(line);
  await docker.must(
    "for t in iptables ip6tables; do $t-save | grep -e '^-A INPUT ' | grep -v -e SALLYPORT | sed s/-A/-D/ | while read -r r; do $t $r; done; done",
  );
  expect(await sallyport('drift', '-p', 'con')).toMatchObject({ code: 0 });
  expect(equal(docker, before, await rulesetOf(docker))).toBe(true);
});
