/** `demo`: what this machine can show, after asking for what it lacks. */
import { installCommand, installPackages, missingFor } from '../../lab/machine.js';
import { FAILED, type Io } from '../io.js';
import { confirm } from '../prompts.js';
import { liveDemo } from './live.js';
import { offlineDemo } from './offline.js';
import { openStage, type Stage } from './stage.js';

export interface DemoOptions {
  readonly yes?: boolean;
  readonly offline?: boolean;
}

export async function runDemo(options: DemoOptions, io: Io): Promise<number> {
  const stage = openStage(io);
  if (options.offline) return offlineDemo(io, stage);
  const { packages, reasons } = missingFor('demo');
  if (reasons.length > 0) {
    stage.say(
      'Real hosts cannot be had here:',
      ...reasons.map((reason) => `  ${reason}`),
      'What follows is the part that needs none, on recorded state.',
    );
    return offlineDemo(io, stage);
  }
  if (packages.length > 0 && !(await install(packages, options, io, stage))) return FAILED;
  return liveDemo(io, stage);
}

async function install(
  packages: readonly string[],
  { yes }: DemoOptions,
  io: Io,
  stage: Stage,
): Promise<boolean> {
  stage.say(`The demo needs packages that this machine lacks: ${packages.join(', ')}.`);
  const agreed =
    yes === true || io.env.CI === 'true' || (await confirm(io, 'Install them with apt?')) === true;
  if (!agreed) {
    stage.say(
      `Install them with:  ${installCommand(packages)}`,
      'or run the demo with --yes. `sallyport demo --offline` shows the part that needs none.',
    );
    return false;
  }
  if (installPackages(packages)) return true;
  stage.say(`They could not be installed. Try:  ${installCommand(packages)}`);
  return false;
}
