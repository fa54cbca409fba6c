/** `demo`: what this machine can show, after asking for what it lacks. */
import { installCommand, installPackages, missingFor } from '../../lab/machine.js';
import { FAILED, type Io } from '../io.js';
import { confirm } from '../prompts.js';
import { liveDemo } from './live.js';
import { offlineDemo } from './offline.js';
import { type DemoOutput, openOutput } from './output.js';

export interface DemoOptions {
  readonly yes?: boolean;
  readonly offline?: boolean;
}

/** Runs `demo`: on real hosts, or on recorded states where there are none. */
export async function runDemo(options: DemoOptions, io: Io): Promise<number> {
  const out = openOutput(io);
  if (options.offline) return offlineDemo(io, out);
  const { packages, reasons } = missingFor('demo');
  if (reasons.length > 0) {
    out.say(
      'Real hosts are not available here:',
      ...reasons.map((reason) => `  ${reason}`),
      'The demo continues with the part that uses recorded states.',
    );
    return offlineDemo(io, out);
  }
  if (packages.length > 0 && !(await install(packages, options, io, out))) return FAILED;
  return liveDemo(io, out);
}

async function install(
  packages: readonly string[],
  { yes }: DemoOptions,
  io: Io,
  out: DemoOutput,
): Promise<boolean> {
  out.say(`The demo needs packages that are not installed: ${packages.join(', ')}.`);
  const agreed =
    yes === true || io.env.CI === 'true' || (await confirm(io, 'Install them with apt?')) === true;
  if (!agreed) {
    out.say(
      `Install them with:  ${installCommand(packages)}`,
      'or run the demo with --yes. `sallyport demo --offline` needs no packages.',
    );
    return false;
  }
  if (installPackages(packages)) return true;
  out.say(`The installation failed. Try: ${installCommand(packages)}`);
  return false;
}
