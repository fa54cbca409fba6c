/** The demo on real hosts: network namespaces of this machine, each with a real sshd and the kernel's own firewall. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deploy } from '../../commands/deploy.js';
import { drift } from '../../commands/drift.js';
import type { OpenHosts } from '../../commands/inputs/fleet.js';
import { plan } from '../../commands/plan.js';
import { openHosts } from '../../host/open.js';
import { type Host, type Lab, openLab } from '../../lab/lab.js';
import { driftText } from '../../report/terminal/drift.js';
import { outcomesText } from '../../report/terminal/outcomes.js';
import { planText } from '../../report/terminal/plan.js';
import { eventReporter } from '../events.js';
import { DONE, FAILED, type Io, textOptions } from '../io.js';
import { CHANGE, DEMO_HOSTS, FOREIGN_V4, LOCKOUT, newLines, writePolicy } from './policy.js';
import type { Stage } from './stage.js';

/** @returns the exit status: whether everything went as it was announced. */
export async function liveDemo(io: Io, stage: Stage): Promise<number> {
  const began = performance.now();
  const lab = await openLab({ base: { onBuild: (message) => stage.say(message) } });
  const here = process.cwd();
  // Problems name files from here on: "policies/roles/web.yml:3", not a path in the lab.
  try {
    process.chdir(lab.directory);
    const good = await play(io, stage, lab);
    const seconds = Math.round((performance.now() - began) / 1000);
    stage.say('', `That was all of it, in ${seconds} s. The three hosts are gone again.`);
    return good ? DONE : FAILED;
  } finally {
    process.chdir(here);
    await lab.close();
  }
}

async function play(io: Io, stage: Stage, lab: Lab): Promise<boolean> {
  const text = textOptions(io.stdout, io.env);
  const folder = 'policies';
  const open = await overLab(lab);
  const { onEvent, end } = eventReporter(io, 'working');
  const options = { policies: folder, onEvent, owner: 'demo', commit: 'demo' };

  stage.scene(
    'Three real hosts',
    'web-1, web-2 and db-1: each its own network, its own sshd, its own kernel firewall.',
    'web-2 has a chain of fail2ban with one banned address; Sallyport must leave it as it is.',
  );
  const hosts = await Promise.all(
    DEMO_HOSTS.map((host) =>
      lab.light({ ...host, ...(host.name === 'web-2' ? { rules: { v4: FOREIGN_V4 } } : {}) }),
    ),
  );
  await writePolicy(join(lab.directory, folder));
  await writePolicy(join(lab.directory, folder), { known_hosts: await readFile(lab.knownHosts, 'utf8') });
  const [web1, web2, db1] = hosts as [Host, Host, Host];

  stage.scene(
    'The plan',
    'What the policy would change on each host, and which traffic that opens or closes.',
  );
  const planned = stage.take(await plan(options, open));
  end();
  stage.show(planText(planned, text), 20);

  stage.scene(
    'The deploy',
    'The canary web-1 first, then the others. Each host keeps the new rules only when a new SSH',
    'connection confirms them; then it saves them for its next boot.',
  );
  const first = stage.take(await deploy({ ...options, reviewed: planned }, open));
  end();
  stage.show(outcomesText(first, text));
  const deployed = first.hosts.every(({ outcome }) => outcome === 'confirmed');
  const ban = (await web2.liveRules()).v4.includes('-A f2b-sshd -s 198.51.100.9/32');
  stage.say(ban ? "   fail2ban's ban on web-2 still stands." : "   fail2ban's ban on web-2 is GONE.");

  stage.scene(
    'A change, as a pull request would show it',
    'The web hosts are to answer on a new port. In policies/roles/web.yml:',
    ...newLines('roles/web.yml').map((line) => `   ${line}`),
  );
  await writePolicy(join(lab.directory, folder), CHANGE);
  const change = stage.take(await plan(options, open));
  end();
  stage.show(planText(change, text));
  const opens = change.hosts.some(({ traffic }) => (traffic?.opened.length ?? 0) > 0);

  const locked = await lockOut(stage, lab, { io, open, options, web1, others: [web2, db1] });

  stage.scene(
    'Drift',
    'Someone opens the database by hand:',
    '   db-1# iptables -I INPUT -p tcp --dport 5432 -j ACCEPT',
  );
  await writePolicy(join(lab.directory, folder));
  await db1.must('iptables -I INPUT -p tcp --dport 5432 -j ACCEPT');
  const drifted = stage.take(await drift(options, open));
  end();
  stage.show(driftText(drifted, text));
  const seen = drifted.hosts.some(({ host, status }) => host === 'db-1' && status === 'drifted');
  return deployed && ban && opens && locked && seen;
}

interface Scene {
  readonly io: Io;
  readonly open: OpenHosts;
  readonly options: { readonly policies: string; readonly owner: string };
  readonly web1: Host;
  readonly others: readonly Host[];
}

/** The proof refuses; then it is overridden, and the host takes itself back. */
async function lockOut(stage: Stage, lab: Lab, scene: Scene): Promise<boolean> {
  const { io, open, options, web1, others } = scene;
  const text = textOptions(io.stdout, io.env);
  const { onEvent, end } = eventReporter(io, 'working');
  stage.scene(
    'A policy that locks everyone out of web-1',
    'Someone means well and adds to that change, for web-1:',
    ...newLines('hosts/all.yml').map((line) => `   ${line}`),
  );
  await writePolicy(join(lab.directory, options.policies), LOCKOUT);
  const refused = stage.take(await deploy({ ...options, onEvent }, open));
  end();
  stage.show(outcomesText(refused, text));

  stage.scene(
    'The same with the proof overridden (--accept-lockout-risk web-1)',
    'The canary takes the new rules, no new SSH connection comes through, and so nobody can confirm.',
    'Within 10 seconds the host has its old rules back. The other hosts are not touched.',
  );
  const states = () => Promise.all([web1, ...others].map(stateOf));
  const before = await states();
  const outcomes = stage.take(await deploy({ ...options, onEvent, acceptLockoutRisk: ['web-1'] }, open));
  end();
  stage.show(outcomesText(outcomes, text));
  const after = await states();
  const same = before.every((state, index) => state === after[index]);
  stage.say(
    same
      ? '   All three hosts run the rules that they ran before, and would boot those that they would have booted.'
      : '   The rules are NOT what they were before.',
  );
  return same && outcomes.hosts.some(({ host, outcome }) => host === 'web-1' && outcome === 'rolled-back');
}

/** Live and saved rules, without tables that say nothing: the kernel keeps a table that was used once. */
async function stateOf(host: Host): Promise<string> {
  const [live, saved] = [await host.liveRules(), await host.savedRules()];
  return JSON.stringify([live.v4, live.v6, live.sets, saved.v4, saved.v6]).replace(
    /\*\w+\\n(?::\S+ ACCEPT \[0:0\]\\n)*COMMIT\\n/g,
    '',
  );
}

/** Real SSH, dialled from inside the lab. */
async function overLab(lab: Lab): Promise<OpenHosts> {
  const key = { text: await readFile(lab.identity, 'utf8') };
  return async () => ({
    ok: true,
    value: openHosts({
      knownHosts: [await readFile(lab.knownHosts, 'utf8')],
      key,
      connect: (address, port) => lab.connect(address, port),
    }),
    problems: [],
  });
}
