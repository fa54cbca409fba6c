/** What `adopt` does at a terminal. */
import { adopt, adoptionPatch } from '../../commands/adopt.js';
import { type StateFolders, toRead } from '../../commands/inputs/open-hosts.js';
import { adoptionText } from '../../report/terminal/adoption.js';
import { adoptionTotals } from '../../report/view/totals.js';
import { eventReporter } from '../events.js';
import { hostsOverSsh } from '../hosts.js';
import { DONE, FAILED, type Io, mustBeWritable, reportProblems, textOptions, writeText } from '../io.js';
import type { PolicyOptions, SshOptions } from '../options.js';

export type AdoptArguments = PolicyOptions &
  SshOptions &
  Pick<StateFolders, 'state'> & { readonly patch?: boolean };

export async function runAdopt(options: AdoptArguments, io: Io): Promise<number> {
  const { onEvent, end } = eventReporter(io, 'reading');
  const made = await adopt({ ...options, onEvent }, toRead(options, hostsOverSsh(io, options)));
  end();
  const adoption = reportProblems(io, made)?.value;
  if (adoption === undefined) return FAILED;
  if (options.patch) {
    // The patch alone goes to the pipe; what it leaves out must be seen all the same.
    io.stderr.write(adoptionText(adoption, textOptions(io.stderr, io.env)));
    io.stdout.write(adoptionPatch(adoption));
  } else {
    // Half of it would be a policy that nobody has proved.
    await mustBeWritable(...adoption.files.map(({ path }) => path));
    for (const { path, after } of adoption.files) await writeText(path, after);
    io.stdout.write(adoptionText(adoption, textOptions(io.stdout, io.env)));
  }
  return adoptionTotals(adoption).unread > 0 ? FAILED : DONE;
}
