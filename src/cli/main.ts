/** The entry of `dist/cli.js`. What is heavy is loaded by the command that needs it. */
import { run } from './program.js';

// `sallyport … | head` closes the pipe early. The command continues to its end without output.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
});
