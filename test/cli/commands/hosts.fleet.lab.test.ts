/** Six real hosts, two of them booted with systemd: from YAML to persisted rules, by the program as it is delivered. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../../src/lab/lab.js';
import { meaning, outcomesOf, type Program, programIn, writePolicy } from '../lab-program.js';

jest.setTimeout(240_000);

const NAMES = ['web-1', 'web-2', 'old-1', 'db-1', 'big-1', 'big-2'];

let lab: Lab;
let hosts: readonly Host[];
let sallyport: Program;

beforeAll(async () => {
  lab = await openLab();
  hosts = await Promise.all([
    lab.light({ name: 'web-1' }),
    lab.light({ name: 'web-2' }),
    lab.light({ name: 'old-1', backend: 'legacy', port: 2222 }),
    lab.light({ name: 'db-1' }),
    lab.systemd({ name: 'big-1' }),
    lab.systemd({ name: 'big-2' }),
  ]);
  sallyport = await programIn(lab);
  writePolicy(lab, hosts);
});
afterAll(() => lab.close());

describe('six real hosts', () => {
  test('check and plan see what would change, and change nothing', async () => {
    expect(await sallyport('check')).toMatchObject({ code: 0 });
    const before = await Promise.all(hosts.map((host) => host.liveRules()));
    const plan = await sallyport('plan', '--format', 'json', '--output', 'plan.json', '--exit-code');
    expect(plan).toMatchObject({ code: 2, stdout: '' });
    expect(await Promise.all(hosts.map((host) => host.liveRules()))).toEqual(before);
    const text = await sallyport('plan');
    expect(text).toMatchObject({ code: 0, stdout: expect.stringContaining('lock-out proof holds') });
  });

  test('deploy what was reviewed, the canary first', async () => {
    const deployed = await sallyport('deploy', '--plan', 'plan.json', '--format', 'json');
    expect({ ...deployed, stderr: deployed.stderr.slice(-2000) }).toMatchObject({ code: 0 });
    expect(outcomesOf(deployed)[0]).toBe('web-1 confirmed');
    expect(outcomesOf(deployed).toSorted()).toEqual(NAMES.map((name) => `${name} confirmed`).toSorted());
  });

  test('live and saved are the same on each, with default drop and the rules of both families', async () => {
    for (const host of hosts) {
      const [live, saved] = [await host.liveRules(), await host.savedRules()];
      expect(saved.v4).toBe(live.v4);
      expect(saved.v6).toBe(live.v6);
      for (const text of [live.v4, live.v6]) {
        expect(text).toContain(':INPUT DROP');
        expect(text).toContain('The public site');
      }
    }
  });

  test('drift finds nothing, and a second plan and deploy have nothing to do', async () => {
    expect(await sallyport('drift')).toMatchObject({ code: 0 });
    expect(await sallyport('plan', '--exit-code')).toMatchObject({ code: 0 });
    const again = await sallyport('deploy', '--format', 'json');
    expect(again).toMatchObject({ code: 0 });
    expect(outcomesOf(again).toSorted()).toEqual(NAMES.map((name) => `${name} unchanged`).toSorted());
  });

  test('after a power cut they come up with the new rules', async () => {
    const cut = hosts.filter(({ name }) => ['web-2', 'big-1', 'big-2'].includes(name));
    const before = await Promise.all(cut.map((host) => host.liveRules()));
    await Promise.all(cut.map((host) => host.powerCut()));
    await Promise.all(cut.map((host) => host.boot()));
    expect(await Promise.all(cut.map((host) => host.liveRules()))).toEqual(before);
    expect(await sallyport('drift')).toMatchObject({ code: 0 });
  });

  test('a port opened by hand is drift, and status says what each host runs', async () => {
    const db = hosts.find(({ name }) => name === 'db-1');
    await db?.must('iptables -I INPUT -p tcp --dport 5432 -j ACCEPT');
    const drift = await sallyport('drift');
    expect(drift).toMatchObject({ code: 2, stdout: expect.stringContaining('db-1 drifted') });
    await db?.must('iptables -D INPUT -p tcp --dport 5432 -j ACCEPT');
    const status = await sallyport('status');
    expect(status.code).toBe(0);
    for (const name of NAMES) expect(status.stdout).toMatch(new RegExp(`^${name} +sha256:`, 'm'));
  });

  test('a new rule and back: rollback brings the state before it, live and saved', async () => {
    const [web1] = hosts as [Host];
    const state = async () => [meaning(await web1.liveRules()), meaning(await web1.savedRules())];
    const before = await state();
    writePolicy(lab, hosts, { rules: '  - {allow: tcp/8443, from: any, reason: Preview}\n' });
    expect(await sallyport('deploy', '--hosts', 'web-1')).toMatchObject({ code: 0 });
    expect((await web1.liveRules()).v4).toContain('--dport 8443');
    expect(await sallyport('rollback', 'web-1')).toMatchObject({ code: 0 });
    expect(await state()).toEqual(before);
  });
});
