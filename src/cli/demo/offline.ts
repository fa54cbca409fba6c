/** The part of the demo that needs no real host: the same commands on recorded state. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drift } from '../../commands/drift.js';
import { plan } from '../../commands/plan.js';
import { render } from '../../commands/render.js';
import { driftText } from '../../report/terminal/drift.js';
import { planText } from '../../report/terminal/plan.js';
import { saveSnapshot, snapshotClient } from '../../rollout/snapshots/snapshots.js';
import { DONE, type Io, textOptions } from '../io.js';
import type { DemoOutput } from './output.js';
import { CHANGE, DEMO_HOSTS, FOREIGN_V4, LOCKOUT, newLines, writePolicy } from './policy.js';

const NOTHING = { v4: '', v6: '', sets: '' };

/** Runs the demo on recorded states, in a temporary directory. */
export async function offlineDemo(io: Io, out: DemoOutput): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-demo-'));
  const here = process.cwd();
  // Also when a pipe is closed early, which ends this process at once.
  const clear = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', clear);
  try {
    process.chdir(directory);
    await play(io, out);
    return DONE;
  } finally {
    process.chdir(here);
    process.off('exit', clear);
    clear();
  }
}

async function play(io: Io, out: DemoOutput): Promise<void> {
  const text = textOptions(io.stdout, io.env);
  const policies = 'policies';
  const open = async () => ({ ok: true, value: snapshotClient('states'), problems: [] }) as const;
  await writePolicy(policies);
  for (const { name } of DEMO_HOSTS)
    await saveSnapshot('states', name, name === 'web-2' ? { ...NOTHING, v4: FOREIGN_V4 } : NOTHING);

  out.heading('The plan', 'What the policy would change on three recorded hosts that have no firewall yet.');
  out.show(planText(out.take(await plan({ policies }, open)), text), 20);
  const running = out.take(await render({ policies }));
  for (const { host, text: rules } of running) await saveSnapshot('states', host, rules);

  out.heading(
    'A change, as a pull request would show it',
    'The hosts run the policy now. The web hosts get a new port. In policies/roles/web.yml:',
    ...newLines('roles/web.yml').map((line) => `   ${line}`),
  );
  await writePolicy(policies, CHANGE);
  out.show(planText(out.take(await plan({ policies }, open)), text));

  out.heading(
    'A policy that locks everyone out of web-1',
    'Someone adds a rule against SSH brute force for web-1:',
    ...newLines('hosts/all.yml').map((line) => `   ${line}`),
    '',
    'A deploy of this policy is refused:',
  );
  await writePolicy(policies, LOCKOUT);
  out.show(planText(out.take(await plan({ policies, hosts: 'web-1' }, open)), text));

  out.heading('Drift', 'The hosts run the policy, but someone opened the database by hand.');
  await writePolicy(policies);
  for (const { host, text: rules } of running) {
    const opened = rules.v4.replace(/^-A INPUT/m, '-A INPUT -p tcp -m tcp --dport 5432 -j ACCEPT\n-A INPUT');
    await saveSnapshot('states', host, host === 'db-1' ? { ...rules, v4: opened } : rules);
  }
  out.show(driftText(out.take(await drift({ policies }, open)), text));
}
