/** Runs the bundled action as the runner does: Node 24, inputs and files by the environment, an event, nothing else. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scan, secretsIn } from './leaks.js';
import { node24 } from './node24.js';

export interface Step {
  readonly bundle: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly event: string;
  readonly payload: unknown;
  readonly env: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly summary: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** What stands in the files that the outputs name. */
  readonly files: Readonly<Record<string, string>>;
}

export async function runStep(step: Step): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-step-'));
  const file = (name: string, text = ''): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  try {
    const [output, summary] = [file('output'), file('summary')];
    const ended = await execute(node24(), step.bundle, {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      GITHUB_ACTIONS: 'true',
      GITHUB_EVENT_NAME: step.event,
      GITHUB_EVENT_PATH: file('event.json', JSON.stringify(step.payload)),
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_STATE: file('state'),
      GITHUB_ENV: file('env'),
      RUNNER_TEMP: folder,
      ...Object.fromEntries(
        Object.entries(step.inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
      ),
      ...step.env,
    });
    const outputs = parseOutputs(readFileSync(output, 'utf8'));
    const files = Object.fromEntries(
      ['json', 'html'].flatMap((name) => {
        const path = outputs[name];
        return path === undefined ? [] : [[name, readFileSync(path, 'utf8')]];
      }),
    );
    scan(secretsIn(step.inputs), { stdout: ended.stdout, stderr: ended.stderr, ...left(folder) });
    return { ...ended, summary: readFileSync(summary, 'utf8'), outputs, files };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whatever a step leaves behind: outputs, summary, reports, temporary files. */
export const left = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  );

function execute(
  node: string,
  bundle: string,
  env: Record<string, string>,
): Promise<Pick<Ended, 'status' | 'stdout' | 'stderr'>> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [bundle], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** `name<<ghadelimiter_…`, the value, the delimiter again. */
export const parseOutputs = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/^([\w-]+)<<(ghadelimiter_\S+)\r?\n([\s\S]*?)\r?\n\2$/gm)].map(([, name, , value]) => [
      name,
      value,
    ]),
  );
