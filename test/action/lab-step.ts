/** The action as the runner runs it, in the network of a lab. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Lab, ProcessResult } from '../../src/lab/lab.js';
import type { Program } from '../cli/lab-program.js';
import { scan } from './leaks.js';
import { node24 } from './node24.js';
import { left } from './step.js';

export interface Ended extends ProcessResult {
  /** The file of outputs. */
  readonly output: string;
}

/** One step of a job: the event, and more of its environment. Each event has a folder `step-EVENT` in the lab's. */
export const stepIn =
  (lab: Lab, program: Program) =>
  async (event: string, more: Readonly<Record<string, string>> = {}): Promise<Ended> => {
    const { command, options, output } = prepareStep(lab, program, event, more);
    const ran = await lab.run(...command, options);
    const { stdout, stderr } = ran;
    scan([readFileSync(lab.identity, 'utf8')], { stdout, stderr, ...left(options.env.RUNNER_TEMP) });
    return { ...ran, output: readFileSync(output, 'utf8') };
  };

/** What `lab.run` and `lab.spawn` take, and where the outputs will be. */
export function prepareStep(
  lab: Lab,
  { path }: Program,
  event: string,
  more: Readonly<Record<string, string>> = {},
) {
  const folder = join(lab.directory, `step-${event}`);
  mkdirSync(folder, { recursive: true });
  const file = (name: string, text = ''): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const output = file('output');
  const command = [node24(), [join(dirname(path), 'index.js')]] as const;
  const options = {
    cwd: lab.directory,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      RUNNER_TEMP: folder,
      GITHUB_ACTIONS: 'true',
      GITHUB_EVENT_NAME: event,
      GITHUB_EVENT_PATH: file('event.json', '{"repository":{"default_branch":"main"}}'),
      GITHUB_REPOSITORY: 'example/firewall',
      GITHUB_REF: 'refs/heads/main',
      GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
      GITHUB_ACTOR: 'anna',
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: file('summary'),
      GITHUB_STATE: file('state'),
      GITHUB_ENV: file('env'),
      'INPUT_SSH-KEY': readFileSync(lab.identity, 'utf8'),
      'INPUT_KNOWN-HOSTS': readFileSync(lab.knownHosts, 'utf8'),
      ...more,
    },
  };
  return { command, options, output, summary: join(folder, 'summary') };
}
