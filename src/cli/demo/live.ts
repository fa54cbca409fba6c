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
import type { DemoOutput } from './output.js';
import { CHANGE, DEMO_HOSTS, FOREIGN_V4, LOCKOUT, newLines, writePolicy } from './policy.js';

/** @returns the exit status: whether everything went as it was announced. */
export async function liveDemo(io: Io, out: DemoOutput): Promise<number> {
  const began = performance.now();
  const lab = await openLab({ base: { onBuild: (message) => out.say(message) } });
  const here = process.cwd();
  // Problems name files from here on: "policies/roles/web.yml:3", not a path in the lab.
  try {
    process.chdir(lab.directory);
    const good = await play(io, out, lab);
    const seconds = Math.round((performance.now() - began) / 1000);
    out.say('', `The demo took ${seconds} s. The three hosts have been removed.`);
    return good ? DONE : FAILED;
  } finally {
    process.chdir(here);
    await lab.close();
  }
}

async function play(io: Io, out: DemoOutput, lab: Lab): Promise<boolean> {
  const text = textOptions(io.stdout, io.env);
  const folder = 'policies';
  const open = await overLab(lab);
  const { onEvent, end } = eventReporter(io, 'working');
  const options = { policies: folder, onEvent, owner: 'demo', commit: 'demo' };

  out.heading(
    'Three real hosts',
    'web-1, web-2 and db-1: each its own network, its own sshd, its own kernel firewall.',
    'web-2 has a chain of fail2ban with one banned address; Sallyport must not change it.',
  );
  const hosts = await Promise.all(
    DEMO_HOSTS.map((host) =>
      lab.light({ ...host, ...(host.name === 'web-2' ? { rules: { v4: FOREIGN_V4 } } : {}) }),
    ),
  );
  await writePolicy(join(lab.directory, folder));
  await writePolicy(join(lab.directory, folder), { known_hosts: await readFile(lab.knownHosts, 'utf8') });
  const [web1, web2, db1] = hosts as [Host, Host, Host];

  out.heading(
    'The plan',
    'What the policy would change on each host, and which traffic that opens or closes.',
  );
  const planned = out.take(await plan(options, open));
  end();
  out.show(planText(planned, text), 20);

  out.heading(
    'The deploy',
    'The canary web-1 first, then the others. Each host keeps the new rules only when a new SSH',
    'connection confirms them; then it saves them for its next boot.',
  );
  const first = out.take(await deploy({ ...options, reviewed: planned }, open));
  end();
  out.show(outcomesText(first, text));
  const deployed = first.hosts.every(({ outcome }) => outcome === 'confirmed');
  const ban = (await web2.liveRules()).v4.includes('-A f2b-sshd -s 198.51.100.9/32');
  out.say(ban ? "   fail2ban's ban on web-2 is still there." : "   fail2ban's ban on web-2 is GONE.");

  out.heading(
    'A change, as a pull request would show it',
    'The web hosts get a new port. In policies/roles/web.yml:',
    ...newLines('roles/web.yml').map((line) => `   ${line}`),
  );
  await writePolicy(join(lab.directory, folder), CHANGE);
  const change = out.take(await plan(options, open));
  end();
  out.show(planText(change, text));
  const opens = change.hosts.some(({ traffic }) => (traffic?.opened.length ?? 0) > 0);

  const locked = await lockOut(out, lab, { io, open, options, web1, others: [web2, db1] });

  out.heading(
    'Drift',
    'Someone opens the database port by hand:',
    '   db-1# iptables -I INPUT -p tcp --dport 5432 -j ACCEPT',
  );
  await writePolicy(join(lab.directory, folder));
  await db1.must('iptables -I INPUT -p tcp --dport 5432 -j ACCEPT');
  const drifted = out.take(await drift(options, open));
  end();
  out.show(driftText(drifted, text));
  const seen = drifted.hosts.some(({ host, status }) => host === 'db-1' && status === 'drifted');
  return deployed && ban && opens && locked && seen;
}

interface DemoContext {
  readonly io: Io;
  readonly open: OpenHosts;
  readonly options: { readonly policies: string; readonly owner: string };
  readonly web1: Host;
  readonly others: readonly Host[];
}

/** The proof refuses; then it is overridden, and the host takes itself back. */
async function lockOut(out: DemoOutput, lab: Lab, context: DemoContext): Promise<boolean> {
  const { io, open, options, web1, others } = context;
  const text = textOptions(io.stdout, io.env);
  const { onEvent, end } = eventReporter(io, 'working');
  out.heading(
    'A policy that locks everyone out of web-1',
    'Someone adds a rule against SSH brute force for web-1:',
    ...newLines('hosts/all.yml').map((line) => `   ${line}`),
  );
  await writePolicy(join(lab.directory, options.policies), LOCKOUT);
  const refused = out.take(await deploy({ ...options, onEvent }, open));
  end();
  out.show(outcomesText(refused, text));

  out.heading(
    'The same with the proof overridden (--accept-lockout-risk web-1)',
    'The canary applies the new rules, no new SSH connection gets through, so nobody can confirm.',
    'Within 10 seconds the host restores its old rules. The other hosts are not changed.',
  );
  const states = () => Promise.all([web1, ...others].map(stateOf));
  const before = await states();
  const outcomes = out.take(await deploy({ ...options, onEvent, acceptLockoutRisk: ['web-1'] }, open));
  end();
  out.show(outcomesText(outcomes, text));
  const after = await states();
  const same = before.every((state, index) => state === after[index]);
  out.say(
    same
      ? '   The live and saved rules of all three hosts are the same as before.'
      : '   The rules are NOT the same as before.',
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
