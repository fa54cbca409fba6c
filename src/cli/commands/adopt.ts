/** `adopt`: what was changed on the hosts by hand, taken into the policy. */
import type { Command } from 'commander';
import type { Io } from '../io.js';
import { type Act, examples, withHosts, withSsh } from '../options.js';
import type { AdoptArguments } from './run-adopt.js';

export function defineAdopt(program: Command, act: Act, io: Io): void {
  const adopt = withSsh(
    withHosts(
      program
        .command('adopt')
        .summary('take what was changed on the hosts by hand into the policy')
        .description(
          'Reads the hosts and edits the files of the policy so that it says what they run: rules that were added or removed, policies of built-in chains, members of sets. Each edit is proved before it is made; what the policy cannot say is named and left. Nothing is changed on any host. The exit status is 1 when a host could not be read.',
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
