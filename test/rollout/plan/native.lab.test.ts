/** Hosts with native nft tables, through the program as it is delivered: plan, deploy, drift, recorded states. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../../src/lab/lab.js';
import type { Drift, HostPlan, Outcomes, Plan } from '../../../src/rollout/results/model.js';
import { type Program, programIn, writePolicy } from '../../cli/lab-program.js';

jest.setTimeout(240_000);

let lab: Lab;
let web: Host;
let program: Program;

beforeAll(async () => {
  lab = await openLab();
  web = await lab.light({ name: 'web-1' });
  program = await programIn(lab);
  writePolicy(lab, [web]);
});
afterAll(() => lab.close());

async function plan(...more: readonly string[]): Promise<HostPlan> {
  const { stdout, stderr } = await program('plan', '--format', 'json', ...more);
  if (stdout === '') throw new Error(stderr);
  const [host] = (JSON.parse(stdout) as Plan).hosts;
  if (host === undefined) throw new Error(stdout);
  return host;
}

const deploy = async (): Promise<{ readonly code: number; readonly outcomes: Outcomes }> => {
  const { code, stdout } = await program('deploy', '--format', 'json');
  return { code, outcomes: JSON.parse(stdout) };
};

const drift = async (): Promise<Drift> => JSON.parse((await program('drift', '--format', 'json')).stdout);

const table = (policy: 'accept' | 'drop', ...rules: readonly string[]): Promise<unknown> =>
  web.must(
    `nft -f - <<'END'\ntable inet guard {\nchain in {\ntype filter hook input priority 10; policy ${policy};\n${rules.join('\n')}\n}\n}\nEND`,
  );

test('a table that lets SSH in is part of the plan; a deploy keeps it, and drift notices when it changes', async () => {
  await table('accept', 'tcp dport 9999 drop');
  const planned = await plan();
  expect(planned.lockout).toMatchObject({ verdict: 'proved' });
  expect(planned.findings).toContainEqual(
    expect.objectContaining({ id: 'native-nft-chains', message: expect.stringContaining('"inet guard"') }),
  );
  expect(await deploy()).toMatchObject({ code: 0 });
  expect(await web.must('nft list table inet guard')).toContain('tcp dport 9999 drop');
  expect((await drift()).hosts).toMatchObject([{ status: 'clean' }]);

  await web.must('nft insert rule inet guard in tcp dport 80 drop');
  const [drifted] = (await drift()).hosts;
  expect(drifted).toMatchObject({ status: 'drifted', live: [{ kind: 'native' }] });
  expect(drifted?.live[0]?.message).toContain('The native nft table "inet guard" has changed');
  // A deploy takes note of it.
  expect(await deploy()).toMatchObject({ code: 0 });
  expect((await drift()).hosts).toMatchObject([{ status: 'clean' }]);
});

test('a table that may drop SSH: the plan says by what, and the deploy does not touch the host', async () => {
  await web.must('nft delete table inet guard');
  await table('accept', 'tcp dport 22 limit rate over 1000/second drop');
  const { lockout } = await plan();
  expect(lockout).toMatchObject({ verdict: 'not-proven' });
  expect(lockout?.reasons.join()).toContain('limit rate over 1000/second');
  expect(lockout?.reasons.join()).toContain('chain in in the nft table "inet guard"');
  writePolicy(lab, [web], { rules: '  - {allow: tcp/8001, from: any, reason: Test}\n' });
  const { code, outcomes } = await deploy();
  expect(code).not.toBe(0);
  expect(outcomes.hosts).toMatchObject([{ outcome: 'refused' }]);
  expect((await web.liveRules()).v4).not.toContain('--dport 8001');
});

test('without nft on the host: tables that the kernel has are named, and where it has none all is proved', async () => {
  await web.must('mv /usr/sbin/nft /usr/sbin/nft.away');
  const { lockout, findings } = await plan();
  expect(lockout).toMatchObject({ verdict: 'not-proven' });
  expect(findings).toContainEqual(
    expect.objectContaining({
      id: 'native-nft-unread',
      level: 'warning',
      message:
        'web-1: native nft tables cannot be seen: nft is not installed, and there is table "inet guard".',
    }),
  );
  await web.must('/usr/sbin/nft.away delete table inet guard');
  expect(await plan()).toMatchObject({ lockout: { verdict: 'proved' } });
  // Without perl nobody can ask the kernel.
  await web.must('mv /usr/bin/perl /usr/bin/perl.away');
  expect((await plan()).lockout).toMatchObject({ verdict: 'not-proven' });
  await web.must('mv /usr/bin/perl.away /usr/bin/perl; mv /usr/sbin/nft.away /usr/sbin/nft');
});

test('a recorded state has the tables', async () => {
  await table('accept', 'tcp dport 443 drop');
  await program('plan', '--format', 'json', '--save', 'states');
  expect(readFileSync(join(lab.directory, 'states/web-1.nft.json'), 'utf8')).toContain('"guard"');
  const explained = await program(
    ...['explain', 'web-1', '--src', '198.51.100.7', '--dport', '443', '--format', 'json'],
    ...['--nft', 'states/web-1.nft.json'],
  );
  expect(JSON.parse(explained.stdout)).toMatchObject({
    verdict: 'drop',
    rule: { table: 'inet guard', chain: 'in', number: 1, text: 'tcp dport 443 drop' },
  });
});
