/** The whole action but for the hosts: the commands answer what a file says. */
import { readFileSync } from 'node:fs';
import { start } from '../../src/action/start.js';

const answers = JSON.parse(readFileSync(process.env.ANSWERS ?? '', 'utf8'));

await start(process.env, ({ log }) => ({
  check: async () => answers.check,
  plan: async () => {
    for (const host of answers.plan.value?.hosts ?? [])
      log(`${host.host}: ${host.status} ${host.reason ?? ''}`);
    return answers.plan;
  },
  deploy: async () => answers.deploy,
  drift: async () => answers.drift,
  adopt: async () => answers.adopt,
  report: async () => answers.report,
  close: async () => {},
}));
