/** The runner of GitHub Actions, over `@actions/core`: the only place that knows its files and commands. */
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as core from '@actions/core';
import type { Level, Problem } from '../lib/problem.js';
import type { Runner } from './context.js';

const ANNOTATE: { readonly [level in Level]: typeof core.error } = {
  error: core.error,
  warning: core.warning,
  note: core.notice,
};

/** GitHub drops all of a step's summary past 1 MiB (1024k); the line ends that are added are in the rest. */
const SUMMARY_LIMIT = 1024 * 1024 - 4096;

/** @param env The environment of the step. */
export function openRunner(env: Readonly<Record<string, string | undefined>>): Runner {
  const folder = join(env.RUNNER_TEMP ?? tmpdir(), 'sallyport');
  let left = SUMMARY_LIMIT;
  return {
    input: (name) => core.getInput(name),
    output: (name, value) => core.setOutput(name, value),
    mask: (secret) => core.setSecret(secret),
    log: (text) => core.info(text),
    annotate: (problem) => ANNOTATE[problem.level](sentence(problem), properties(problem)),
    summary: async (markdown) => {
      if (env.GITHUB_STEP_SUMMARY === undefined) return;
      const bytes = Buffer.byteLength(markdown);
      if (bytes > left) {
        core.info(`The job summary is full. The rest of it:\n${markdown}`);
        return;
      }
      left -= bytes;
      try {
        await core.summary.addRaw(markdown, true).write();
      } catch (thrown) {
        // The work is done, and is reported elsewhere too.
        core.warning(`The job summary could not be written: ${(thrown as Error).message}`);
      }
    },
    file: async (name, text) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, name);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    },
    fail: (message) => core.setFailed(message),
  };
}

const sentence = ({ message, hint }: Problem): string =>
  hint === undefined ? message : `${message} ${hint}`;

const properties = ({ id, location }: Problem) => ({
  title: id,
  ...(location && { file: location.file, startLine: location.line, startColumn: location.column }),
});
