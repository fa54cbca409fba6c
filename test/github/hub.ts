/**
 * GitHub on this machine: the emulator for repositories, pull requests, comments, issues and labels; in front of it a
 * small server that knows what the emulator does not (deployments, the pull requests of a commit), writes down every
 * request, and has faults on demand.
 */
import {
  createServer,
  type IncomingMessage,
  request as open,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { createEmulator, type Emulator } from 'emulate';
import { leaksIn, PASSPHRASE, PRIVATE_KEY } from '../action/leaks.js';
import { githubDescription } from './openapi.js';

export const REPOSITORY = 'firewall-bot/fleet';
/** Tokens of the emulator: the job's own, and somebody else's. */
export const TOKEN = 'ghs_0123456789abcdefghijklmnopqrstuvwxyz';
export const EVE = 'ghp_eve0123456789abcdefghijklmnopqrstuvw';

export interface HubRequest {
  readonly method: string;
  /** Without the server: `/repos/…?page=2`. */
  readonly path: string;
  readonly body: unknown;
}

export interface Fault {
  readonly when: (request: HubRequest) => boolean;
  /** How often; default once. */
  times?: number;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
  /** Answers nothing at all: `hang` keeps the connection, `cut` closes it. */
  readonly silence?: 'hang' | 'cut';
  /** Answers well, but this many milliseconds late. */
  readonly delay?: number;
}

export interface Hub {
  readonly url: string;
  /** Everything asked since the last `forget`. */
  readonly requests: HubRequest[];
  readonly faults: Fault[];
  readonly deployments: Deployment[];
  /** Where a request of ours, or an answer, is not as GitHub describes it; `close` throws when there are any. */
  readonly violations: string[];
  /** What no request may hold; tests with secrets of their own add them. */
  readonly secrets: string[];
  /** Requests that change something. */
  writes(): readonly HubRequest[];
  call(method: string, path: string, body?: unknown, token?: string): Promise<Answer>;
  /** Opens a pull request with one commit and gives its number. */
  openPull(branch: string): Promise<number>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into the answers of an API
  readonly body: any;
}

interface Deployment {
  readonly id: number;
  readonly sha: string;
  readonly environment: string;
  readonly payload: unknown;
  readonly statuses: { readonly state: string; readonly description?: string; readonly log_url?: string }[];
}

export async function startHub(): Promise<Hub> {
  const emulator = await startEmulator();
  const requests: HubRequest[] = [];
  const faults: Fault[] = [];
  const deployments: Deployment[] = [];
  const merges = new Map<number, string>();
  const violations: string[] = [];
  const secrets = [TOKEN, PASSPHRASE, PRIVATE_KEY];
  const description = githubDescription();
  const server = createServer(async (incoming, response) => {
    const request = await read(incoming);
    requests.push(request);
    const isRest = !request.path.endsWith('/graphql');
    if (isRest) violations.push(...description.request(request));
    // What is sent to GitHub is seen by everybody who reads there.
    for (const leak of leaksIn(secrets, {
      [`${request.method} ${request.path}`]: JSON.stringify(request.body ?? ''),
    }))
      violations.push(`A secret came out. ${leak}.`);
    const fault = faults.find(({ when, times }) => times !== 0 && when(request));
    if (fault !== undefined) {
      fault.times = (fault.times ?? 1) - 1;
      if (fault.delay === undefined) return breakDown(fault, response);
      await new Promise((resolve) => setTimeout(resolve, fault.delay));
    }
    const own = await ownAnswer(request, emulator.url, deployments, merges);
    const answer = own ?? (await pass(request, incoming, response, emulator.url, url));
    const wrong = isRest ? description.answer(request, answer.status, answer.body) : [];
    violations.push(
      ...wrong.filter((words) => own !== undefined || !EMULATOR.some((form) => form.test(words))),
    );
    if (own !== undefined) send(response, own.status, own.body);
  });
  const url = await listen(server);
  const call = async (method: string, path: string, body?: unknown, token = TOKEN): Promise<Answer> => {
    const own = await ownAnswer({ method, path, body }, emulator.url, deployments, merges);
    if (own !== undefined) return own;
    const answer = await ask(emulator.url, { method, path, body }, `token ${token}`);
    return { status: answer.status, body: answer.text === '' ? null : JSON.parse(answer.text) };
  };
  return {
    url,
    requests,
    faults,
    deployments,
    violations,
    secrets,
    writes: () => requests.filter(({ method, path }) => method !== 'GET' && !path.endsWith('/graphql')),
    call,
    openPull: (branch) => openPull(call, branch),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await emulator.close();
      if (violations.length > 0)
        throw new Error(`Not as GitHub describes it:\n${[...new Set(violations)].join('\n')}`);
    },
  };
}

/** What the emulator is known to answer otherwise than GitHub. */
const EMULATOR = [
  /branches\/\{branch\} answer 200: .*_links/,
  /issues\S* answer \d+: \S*state_reason must be/,
];

/** A port that was free a moment ago may be taken now: the emulator needs one named, so another is tried. */
async function startEmulator(): Promise<Emulator> {
  for (let tries = 0; ; tries += 1) {
    const probe = createServer();
    const port = Number(new URL(await listen(probe)).port);
    await new Promise((resolve) => probe.close(resolve));
    try {
      return await createEmulator({ service: 'github', port, seed: SEED });
    } catch (thrown) {
      if (tries === 5) throw thrown;
    }
  }
}

const SEED = {
  tokens: { [TOKEN]: { login: 'firewall-bot', scopes: ['repo'] }, [EVE]: { login: 'eve', scopes: ['repo'] } },
  github: {
    users: [{ login: 'firewall-bot' }, { login: 'eve' }],
    repos: [{ owner: 'firewall-bot', name: 'fleet', auto_init: true }],
  },
};

function listen(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
}

async function read(incoming: IncomingMessage): Promise<HubRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    body: text === '' ? undefined : JSON.parse(text),
  };
}

function breakDown(fault: Fault, response: ServerResponse): void {
  if (fault.silence === 'hang') return;
  if (fault.silence === 'cut') {
    response.destroy();
    return;
  }
  for (const [name, value] of Object.entries(fault.headers ?? {})) response.setHeader(name, value);
  send(response, fault.status, { message: fault.message ?? 'broken for a test' });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** A connection of its own for each request: one kept alive may have been closed while a step was running. */
function ask(
  server: string,
  { method, path, body }: HubRequest,
  authorization: string,
): Promise<{ readonly status: number; readonly link: string | undefined; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization, 'content-type': 'application/json' };
    const asked = open(server + path, { method, headers, agent: false }, async (answer) => {
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      const link = answer.headers.link;
      resolve({
        status: answer.statusCode ?? 0,
        link: Array.isArray(link) ? link[0] : link,
        text: Buffer.concat(chunks).toString(),
      });
    });
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Links to further pages lead back through this server. */
async function pass(
  request: HubRequest,
  incoming: IncomingMessage,
  response: ServerResponse,
  emulator: string,
  self: string,
): Promise<Answer> {
  const answer = await ask(emulator, request, incoming.headers.authorization ?? '');
  if (answer.link !== undefined)
    response.setHeader('link', answer.link.replace(/http:\/\/(?:localhost|127\.0\.0\.1):\d+/g, self));
  response.writeHead(answer.status, { 'content-type': 'application/json' });
  response.end(answer.status === 204 ? undefined : answer.text);
  return { status: answer.status, body: answer.text === '' ? null : JSON.parse(answer.text) };
}

async function ownAnswer(
  request: HubRequest,
  emulator: string,
  deployments: Deployment[],
  merges: Map<number, string>,
): Promise<Answer | undefined> {
  const [, merged] = /^\/repos\/[^/]+\/[^/]+\/pulls\/(\d+)\/merge$/.exec(request.path) ?? [];
  if (merged !== undefined && request.method === 'PUT') return mergeAnswer(Number(merged), emulator, merges);
  const [, sha] = /^\/repos\/[^/]+\/[^/]+\/commits\/(\w+)\/pulls/.exec(request.path) ?? [];
  if (sha !== undefined) {
    const path = `/repos/${REPOSITORY}/pulls?state=all`;
    const pulls = await ask(emulator, { method: 'GET', path, body: undefined }, `token ${TOKEN}`);
    const all = JSON.parse(pulls.text) as {
      number: number;
      merge_commit_sha: string | null;
      closed_at: string | null;
      head: { sha: string };
    }[];
    const known = all.map((pull) => {
      const commit = merges.get(pull.number);
      return commit === undefined ? pull : { ...pull, merge_commit_sha: commit, merged_at: pull.closed_at };
    });
    return {
      status: 200,
      body: known.filter((pull) => pull.merge_commit_sha === sha || pull.head.sha === sha),
    };
  }
  const [, rest] = /^\/repos\/[^/]+\/[^/]+\/deployments(.*)$/.exec(request.path) ?? [];
  return rest === undefined ? undefined : deploymentAnswer(request, rest, deployments);
}

/** The emulator would merge the commit at which a pull request was opened, whatever came to its branch since. */
async function mergeAnswer(number: number, emulator: string, merges: Map<number, string>): Promise<Answer> {
  const repo = `/repos/${REPOSITORY}`;
  const api = async (method: string, path: string, body?: unknown): Promise<Answer['body']> =>
    JSON.parse((await ask(emulator, { method, path: repo + path, body }, `token ${TOKEN}`)).text);
  const pull = await api('GET', `/pulls/${number}`);
  const [base, head] = await Promise.all(
    [pull.base.ref, pull.head.ref].map((branch) => api('GET', `/branches/${branch}`)),
  );
  const { tree } = await api('GET', `/git/commits/${head.commit.sha}`);
  const message = `Merge pull request #${number}`;
  const parents = [base.commit.sha, head.commit.sha];
  const { sha } = await api('POST', '/git/commits', { message, tree: tree.sha, parents });
  await api('PATCH', `/git/refs/heads/${pull.base.ref}`, { sha });
  await api('PATCH', `/pulls/${number}`, { state: 'closed' });
  merges.set(number, sha);
  return { status: 200, body: { sha, merged: true, message: 'Pull Request successfully merged' } };
}

function deploymentAnswer(
  { method, path, body }: HubRequest,
  rest: string,
  deployments: Deployment[],
): Answer {
  const [, id] = /^\/(\d+)\/statuses$/.exec(rest) ?? [];
  if (id !== undefined) {
    const deployment = deployments.find((one) => one.id === Number(id));
    if (deployment === undefined) return { status: 404, body: { message: 'Not Found' } };
    const status = body as Deployment['statuses'][number];
    deployment.statuses.push(status);
    return { status: 201, body: statusBody(deployment, status) };
  }
  if (method === 'GET') {
    const { searchParams } = new URL(path, 'http://x');
    return {
      status: 200,
      body: deployments
        .filter(
          (one) => one.sha === searchParams.get('sha') && one.environment === searchParams.get('environment'),
        )
        .map(deploymentBody),
    };
  }
  const { ref, environment, payload } = body as { ref: string; environment: string; payload: unknown };
  const deployment = { id: deployments.length + 1, sha: ref, environment, payload, statuses: [] };
  deployments.push(deployment);
  return { status: 201, body: deploymentBody(deployment) };
}

const API = `https://api.github.com/repos/${REPOSITORY}`;
const WHEN = '2027-01-01T00:00:00Z';

const deploymentBody = ({ id, sha, environment, payload }: Deployment) => ({
  id,
  node_id: `D_${id}`,
  url: `${API}/deployments/${id}`,
  statuses_url: `${API}/deployments/${id}/statuses`,
  repository_url: API,
  sha,
  ref: sha,
  task: 'deploy:firewall',
  environment,
  creator: null,
  payload,
  description: null,
  created_at: WHEN,
  updated_at: WHEN,
});

const statusBody = (
  { id, statuses }: Deployment,
  { state, description, log_url }: Deployment['statuses'][number],
) => ({
  id: statuses.length,
  node_id: `S_${id}_${statuses.length}`,
  url: `${API}/deployments/${id}/statuses/${statuses.length}`,
  deployment_url: `${API}/deployments/${id}`,
  repository_url: API,
  state,
  creator: null,
  description: description ?? '',
  target_url: log_url ?? '',
  log_url: log_url ?? '',
  created_at: WHEN,
  updated_at: WHEN,
});

async function openPull(call: Hub['call'], branch: string): Promise<number> {
  const repo = `/repos/${REPOSITORY}`;
  const main = await call('GET', `${repo}/branches/main`);
  await call('POST', `${repo}/git/refs`, { ref: `refs/heads/${branch}`, sha: main.body.commit.sha });
  await call('PUT', `${repo}/contents/${branch}.txt`, {
    message: 'A change',
    content: Buffer.from(branch).toString('base64'),
    branch,
  });
  const pull = await call('POST', `${repo}/pulls`, { title: 'A change', head: branch, base: 'main' });
  return pull.body.number;
}
