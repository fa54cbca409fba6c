/** `demo`: the whole main job on this machine. */
import type { Command } from 'commander';
import type { Io } from '../io.js';
import { type Act, examples } from '../options.js';

/** Defines `demo`. */
export function defineDemo(program: Command, act: Act, io: Io): void {
  const demo = program
    .command('demo')
    .summary('show a whole deploy on this machine, on real hosts')
    .description(
      'Brings up three real hosts in network namespaces of this machine (Linux, root), shows a plan, deploys it, tries a policy that locks SSH out, watches the host take itself back, and finds what someone opened by hand. It takes about a minute and leaves nothing behind. Where real hosts cannot be had it shows the part that needs none.',
    )
    .option('-y, --yes', 'install missing packages without asking')
    .option('--offline', 'only the part that uses recorded states');
  examples(demo, 'sudo sallyport demo', 'sallyport demo --offline');
  act(demo, async (options: { readonly yes?: boolean; readonly offline?: boolean }) =>
    (await import('../demo/demo.js')).runDemo(options, io),
  );
}
