/**
 * A repository at GitHub's API on this machine, and the runner of its workflows in the network of a lab: each step
 * checks out a commit, gets a real payload of its event, and the inputs that its workflow gives.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { Lab } from '../../src/lab/lab.js';
import { until } from '../../src/lab/shell.js';
import { EVE, type Hub, REPOSITORY, TOKEN } from '../github/hub.js';
import { payload } from './context.js';
import { scan, secretsIn } from './leaks.js';
import { node24 } from './node24.js';
import { type Ended, left, parseOutputs } from './step.js';

const REPO = `/repos/${REPOSITORY}`;

/** Path in the repository → text. */
export type Files = Readonly<Record<string, string>>;

export interface Repository {
  /** A commit on a branch, which is begun at main when it is not there; gives the new commit. */
  commit(branch: string, files: Files): Promise<string>;
  /** The same in a fork that belongs to somebody else. */
  commitInFork(branch: string, files: Files): Promise<string>;
  openPull(head: string, token?: string): Promise<number>;
  merge(pull: number): Promise<string>;
  head(branch: string, repository?: string): Promise<string>;
  /** Everything below a folder at a commit. */
  files(commit: string, folder: string, repository?: string): Promise<Files>;
  comments(issue: number): Promise<readonly { readonly id: number; readonly body: string }[]>;
}

export function repositoryAt(hub: Hub): Repository {
  const must = async (...words: Parameters<Hub['call']>) => {
    const { status, body } = await hub.call(...words);
    if (status >= 400) throw new Error(`${words[0]} ${words[1]}: ${status} ${JSON.stringify(body)}`);
    return body;
  };
  const head = async (branch: string, repository = REPOSITORY): Promise<string> =>
    (await must('GET', `/repos/${repository}/branches/${branch}`)).commit.sha;
  const commitIn = async (
    repository: string,
    token: string,
    branch: string,
    files: Files,
  ): Promise<string> => {
    const git = `/repos/${repository}/git`;
    const known = await hub.call('GET', `${git}/ref/heads/${branch}`, undefined, token);
    const parent = known.status === 404 ? await head('main', repository) : known.body.object.sha;
    const { tree } = await must('GET', `${git}/commits/${parent}`, undefined, token);
    const entries = Object.entries(files).map(([path, content]) => ({
      path,
      mode: '100644',
      type: 'blob',
      content,
    }));
    const made = await must('POST', `${git}/trees`, { base_tree: tree.sha, tree: entries }, token);
    const commit = await must(
      'POST',
      `${git}/commits`,
      { message: 'A change', tree: made.sha, parents: [parent] },
      token,
    );
    if (known.status === 404)
      await must('POST', `${git}/refs`, { ref: `refs/heads/${branch}`, sha: commit.sha }, token);
    else await must('PATCH', `${git}/refs/heads/${branch}`, { sha: commit.sha }, token);
    return commit.sha;
  };
  return {
    head,
    commit: (branch, files) => commitIn(REPOSITORY, TOKEN, branch, files),
    commitInFork: async (branch, files) => {
      await hub.call('POST', `${REPO}/forks`, {}, EVE);
      return commitIn(FORK, EVE, branch, files);
    },
    openPull: async (from, token = TOKEN) =>
      (await must('POST', `${REPO}/pulls`, { title: 'A change', head: from, base: 'main' }, token)).number,
    merge: async (pull) => (await must('PUT', `${REPO}/pulls/${pull}/merge`, {})).sha,
    files: async (commit, folder, repository = REPOSITORY) => {
      const git = `/repos/${repository}/git`;
      const { tree: root } = await must('GET', `${git}/commits/${commit}`);
      const { tree } = await must('GET', `${git}/trees/${root.sha}?recursive=1`);
      const blobs = (tree as { path: string; type: string; sha: string }[]).filter(
        ({ path, type }) => type === 'blob' && path.startsWith(`${folder}/`),
      );
      return Object.fromEntries(
        await Promise.all(
          blobs.map(async ({ path, sha }) => {
            const { content } = await must('GET', `${git}/blobs/${sha}`);
            return [path, Buffer.from(content, 'base64').toString()] as const;
          }),
        ),
      );
    },
    comments: async (issue) => must('GET', `${REPO}/issues/${issue}/comments?per_page=100`),
  };
}

export const FORK = 'eve/fleet';

/**
 * Makes the API answer inside the lab too, whose loopback is its own: by a socket that is a file, and a forwarder that
 * listens on the same port there.
 */
export async function bringIn(lab: Lab, hub: Hub): Promise<() => void> {
  const { port } = new URL(hub.url);
  const path = join(lab.directory, 'github.sock');
  const server = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  lab.spawn(process.execPath, ['-e', FORWARDER, path, port], { stdio: 'ignore' });
  const asks = `fetch('${hub.url}${REPO}/branches/main').then(() => process.exit(0), () => process.exit(1))`;
  await until('GitHub answers in the lab', async () =>
    (await lab.run(process.execPath, ['-e', asks])).code === 0 ? true : undefined,
  );
  return () => server.close();
}

const FORWARDER = `
const net = require('node:net');
const [path, port] = process.argv.slice(1);
net.createServer((near) => {
  const far = net.connect(path);
  near.pipe(far); far.pipe(near);
  near.on('error', () => far.destroy()); far.on('error', () => near.destroy());
}).listen(Number(port), '127.0.0.1');
`;

export interface Step {
  readonly event: 'pull_request' | 'push' | 'schedule' | 'workflow_run' | 'workflow_dispatch';
  /** What stands in the workspace: the folder of the policy at a commit. */
  readonly files: Files;
  readonly commit: string;
  readonly payload?: unknown;
  readonly inputs?: Readonly<Record<string, string>>;
}

/** Runs `dist/index.js` as the runner does, one step after the other. */
export function runnerIn(lab: Lab, hub: Hub, bundle: string): (step: Step) => Promise<Ended> {
  let count = 0;
  return async ({ event, files, commit, payload: body = {}, inputs = {} }) => {
    count += 1;
    const folder = join(lab.directory, `step-${count}`);
    const work = join(folder, 'work');
    const write = (path: string, text: string): string => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      return path;
    };
    const file = (name: string, text = ''): string => write(join(folder, name), text);
    mkdirSync(work, { recursive: true });
    for (const [path, text] of Object.entries(files)) write(join(work, path), text);
    const [output, summary] = [file('output'), file('summary')];
    const ran = await lab.run(node24(), [bundle], {
      cwd: work,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        RUNNER_TEMP: folder,
        GITHUB_ACTIONS: 'true',
        GITHUB_API_URL: hub.url,
        GITHUB_EVENT_NAME: event,
        GITHUB_EVENT_PATH: file('event.json', JSON.stringify(body)),
        GITHUB_REPOSITORY: REPOSITORY,
        GITHUB_REF: event === 'pull_request' ? 'refs/pull/1/merge' : 'refs/heads/main',
        GITHUB_SHA: commit,
        GITHUB_RUN_ID: String(count),
        GITHUB_ACTOR: 'anna',
        GITHUB_OUTPUT: output,
        GITHUB_STEP_SUMMARY: summary,
        GITHUB_STATE: file('state'),
        GITHUB_ENV: file('env'),
        ...Object.fromEntries(
          Object.entries({ 'github-token': TOKEN, ...inputs }).map(([name, value]) => [
            `INPUT_${name.toUpperCase()}`,
            value,
          ]),
        ),
      },
    });
    const outputs = parseOutputs(readFileSync(output, 'utf8'));
    const made = Object.fromEntries(
      ['json', 'html', 'patch'].flatMap((name) => {
        const path = outputs[name];
        return path === undefined ? [] : [[name, readFileSync(path, 'utf8')]];
      }),
    );
    rmSync(work, { recursive: true });
    scan(secretsIn({ 'github-token': TOKEN, ...inputs }), {
      stdout: ran.stdout,
      stderr: ran.stderr,
      ...left(folder),
    });
    const text = readFileSync(summary, 'utf8');
    return { status: ran.code, stdout: ran.stdout, stderr: ran.stderr, summary: text, outputs, files: made };
  };
}

/** Real payloads of GitHub, about this repository. */
export const payloads = {
  pull: (number: number, sha: string, from: string, action = 'opened'): unknown => {
    const example = payload('pull_request', action) as { pull_request: { head: { repo: object } } };
    const { head } = example.pull_request;
    return {
      ...example,
      number,
      repository: { default_branch: 'main', full_name: REPOSITORY },
      pull_request: {
        ...example.pull_request,
        number,
        head: { ...head, sha, repo: { ...head.repo, full_name: from } },
      },
    };
  },
  push: (): unknown => ({
    ...(payload('push') as object),
    repository: { default_branch: 'main', full_name: REPOSITORY },
  }),
  /** Of the run for a fork's pull request, whose number GitHub does not tell. */
  runEnded: (sha: string, branch: string): unknown => {
    const example = payload('workflow_run', 'completed') as { workflow_run: object };
    return {
      ...example,
      repository: { default_branch: 'main', full_name: REPOSITORY },
      workflow_run: {
        ...example.workflow_run,
        event: 'pull_request',
        head_sha: sha,
        head_branch: branch,
        head_repository: { full_name: FORK },
        pull_requests: [],
      },
    };
  },
  schedule: (): unknown => ({
    repository: { default_branch: 'main', full_name: REPOSITORY },
    schedule: '17 * * * *',
  }),
};
