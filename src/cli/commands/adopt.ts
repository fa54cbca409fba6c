/** `adopt`: takes changes made by hand on the hosts into the policy. */
import type { Command } from 'commander';
import type { Io } from '../io.js';
import { type Act, examples, withHosts, withSsh } from '../options.js';
import type { AdoptArguments } from './run-adopt.js';

/** Defines the command `adopt`. */
export function defineAdopt(program: Command, act: Act, io: Io): void {
  const adopt = withSsh(
    withHosts(
      program
        .command('adopt')
        .summary('take changes made by hand on the hosts into the policy')
        .description(
          'Reads the hosts and edits the files of the policy to match them: added and removed rules, policies of built-in chains, members of sets. Each edit is proved first; differences that the policy cannot express are reported and left. No host is changed. The exit status is 1 if a host could not be read.',
        )
        .option(
          '--state <dir>',
          'a folder of recorded states (HOST.v4, HOST.v6, HOST.sets), read instead of the hosts',
        )
        .option('--patch', 'print the change for `git apply` instead of making it'),
    ),
  );
  examples(
    adopt,
    'sallyport adopt',
    'sallyport adopt --hosts web-1',
    'sallyport adopt --patch > adopt.patch',
  );
  act(adopt, async (options: AdoptArguments) => (await import('./run-adopt.js')).runAdopt(options, io));
}
