/** argv → a command → an exit status. */
import { Command, CommanderError } from 'commander';
import { problemsOf } from '../lib/problem.js';
import { defineAdopt } from './commands/adopt.js';
import { defineDemo } from './commands/demo.js';
import { defineFileCommands } from './commands/files.js';
import { defineHostCommands } from './commands/hosts.js';
import { defineImport } from './commands/import.js';
import { defineInit } from './commands/init.js';
import { defineMap } from './commands/map.js';
import { definePolicyCommands } from './commands/policy.js';
import { defineReader } from './commands/reader.js';
import { defineReport } from './commands/report.js';
import { complain, DONE, FAILED, type Io } from './io.js';
import type { Act } from './options.js';

const ABOUT = `Firewall changes as pull requests, with a way back in.

Keeps the iptables policy of your Linux hosts as YAML in git, shows which traffic a change opens or closes, and deploys it host by host with a rollback that only a new SSH connection can disarm.`;

const EXAMPLES = `
First steps:
  sallyport demo                    see all of it on this machine, on real hosts
  sallyport init                    write a policy to start from, and the workflows
  sallyport import web-1=USER@HOST  or write the policy of a host as it is
  sallyport check                   is the policy sound?
  sallyport plan                    what would change on the hosts? (reads only)
  sallyport deploy --hosts web-1    change one host

Exit status: 0 done; 1 failed, with every problem printed; 2 a comparison found a difference.`;

/** Width of help texts: that of the terminal, within these limits. */
const [NARROW, WIDE] = [80, 100];

/** Runs a command line. Never throws: errors are printed, and the exit status is 1. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let status = DONE;
  const act: Act = (command, action) =>
    command.action(async (...args) => {
      status = await action(...(args as never[]));
    });
  const program = new Command('sallyport')
    .description(ABOUT)
    .version(process.env.SALLYPORT_VERSION ?? 'from source', '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('See --help for the arguments and options.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => Math.min(io.stdout.columns ?? NARROW, WIDE),
    });
  for (const define of [
    defineInit,
    defineImport,
    definePolicyCommands,
    defineMap,
    defineHostCommands,
    defineAdopt,
    defineReport,
    defineReader,
    defineFileCommands,
    defineDemo,
  ])
    define(program, act, io);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? DONE : FAILED;
    complain(io, problemsOf(thrown, 'Report it with the command line.'));
    return FAILED;
  }
}
