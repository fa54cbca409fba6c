/** `reader`: the script for hosts on which a key shall only read. */
import type { Command } from 'commander';
import { DONE, emit, type Io } from '../io.js';
import { type Act, examples } from '../options.js';

/** Defines `reader`. */
export function defineReader(program: Command, act: Act, io: Io): void {
  const reader = program
    .command('reader')
    .summary('print a script that makes an SSH key read-only')
    .description(
      'Prints a shell script for /usr/local/sbin/sallyport-read on a host. An SSH key that authorized_keys ties to it can do what "plan", "drift" and "status" need, and nothing else: whatever is sent is not run. The lines for sudoers and authorized_keys stand at its head. Without it, plans need no script on a host.',
    )
    .option('-o, --output <file>', 'write it to a file instead of standard output');
  examples(reader, 'sallyport reader | ssh root@web-1 "cat >/usr/local/sbin/sallyport-read"');
  act(reader, async ({ output }: { readonly output?: string }) => {
    const { READER } = await import('../../host/reader.js');
    await emit(io, READER, output);
    return DONE;
  });
}
