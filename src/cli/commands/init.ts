/** `init`: a policy to start from and the workflows, never over what is there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { count } from '../../lib/text.js';
import { DONE, type Io, writeText } from '../io.js';
import { type Act, examples, folder, shards } from '../options.js';

interface InitOptions {
  readonly policies: string;
  readonly workflows: boolean;
  readonly shards?: number;
}

/** Defines `init`. */
export function defineInit(program: Command, act: Act, io: Io): void {
  const init = program
    .command('init')
    .summary('write a policy to start from, and the workflows')
    .description(
      'Writes an example policy and the GitHub workflows (plan, plan for forks, deploy, drift, adopt) into a repository. Existing files are not changed, and nothing is added to an existing policy.',
    )
    .argument('[dir]', 'the repository', '.')
    .option('-p, --policies <dir>', 'the folder of the policy, in the repository', folder, 'policies')
    .option('--shards <n>', 'workflows that split the hosts among n jobs, for hundreds of hosts', shards)
    .option('--no-workflows', 'only the policy');
  examples(init, 'sallyport init', 'sallyport init ../firewall --no-workflows', 'sallyport init --shards 4');
  act(init, (directory: string, options: InitOptions) => runInit(directory, options, io));
}

async function runInit(directory: string, options: InitOptions, io: Io): Promise<number> {
  const { scaffold } = await import('../../commands/init.js');
  const { shardedWorkflows, WORKFLOWS } = await import('../../github/workflows.js');
  const all = options.shards === undefined ? WORKFLOWS : shardedWorkflows(options.shards);
  const { policies } = options;
  const { policy, workflows } = scaffold({ policies, workflows: options.workflows ? all : {} });
  // Example hosts are not added to an existing policy, such as one that `import` wrote.
  const own = existsSync(join(directory, policies, 'fleet.yml'));
  let written = 0;
  for (const [path, text] of [...policy, ...workflows]) {
    const file = join(directory, path);
    if (existsSync(file)) {
      io.stderr.write(`${file} already exists and was not changed.\n`);
      continue;
    }
    if (own && policy.has(path)) continue;
    await writeText(file, text);
    written += 1;
    io.stdout.write(`${file}\n`);
  }
  io.stderr.write(`Wrote ${count(written, 'file')}.\n${NEXT}`);
  return DONE;
}

const NEXT = `
Next:
  1. Put your hosts and your admin networks into the policy.
  2. Collect the host keys (ssh-keyscan HOST >> policies/known_hosts) and compare them with the hosts' own.
  3. sallyport check, then sallyport plan: both change nothing.
`;
