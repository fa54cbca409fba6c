/** `demo`: the whole main job on this machine. */
import type { Command } from 'commander';
import type { Act } from '../act.js';
import type { Io } from '../io.js';
import { examples } from '../options.js';

export function defineDemo(program: Command, act: Act, io: Io): void {
  const demo = program
    .command('demo')
    .summary('see all of it on this machine, on real hosts')
    .description(
      'Brings up three real hosts in network namespaces of this machine (Linux, root), shows a plan, deploys it, tries a policy that locks SSH out, watches the host take itself back, and finds what someone opened by hand. It takes about a minute and leaves nothing behind. Where real hosts cannot be had it shows the part that needs none.',
    )
    .option('-y, --yes', 'install missing packages without asking')
    .option('--offline', 'the part on recorded state alone');
  examples(demo, 'sudo sallyport demo', 'sallyport demo --offline');
  act(demo, async (options: { readonly yes?: boolean; readonly offline?: boolean }) =>
    (await import('../demo/demo.js')).runDemo(options, io),
  );
}
