/** Runs `adopt` at a terminal. */
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

/** Edits the files of the policy, or prints the patch; returns the exit status. */
export async function runAdopt(options: AdoptArguments, io: Io): Promise<number> {
  const { onEvent, end } = eventReporter(io, 'reading');
  const made = await adopt({ ...options, onEvent }, toRead(options, hostsOverSsh(io, options)));
  end();
  const adoption = reportProblems(io, made)?.value;
  if (adoption === undefined) return FAILED;
  if (options.patch) {
    // Standard output has only the patch; the report of what is left goes to standard error.
    io.stderr.write(adoptionText(adoption, textOptions(io.stderr, io.env)));
    io.stdout.write(adoptionPatch(adoption));
  } else {
    // All files or none: only the whole edit is proved.
    await mustBeWritable(...adoption.files.map(({ path }) => path));
    for (const { path, after } of adoption.files) await writeText(path, after);
    io.stdout.write(adoptionText(adoption, textOptions(io.stdout, io.env)));
  }
  return adoptionTotals(adoption).unread > 0 ? FAILED : DONE;
}
