/**
 * GitHub's own description of its API, as far as it is used here: every request of ours and every answer of the test
 * server is held against it. The description comes from npm once, and only the operations below are kept, in `.cache`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';

const VERSION = '23.0.2';

/** All that is ever asked of GitHub: what a token must be allowed to do follows from these. */
const OPERATIONS = [
  'GET /user',
  'GET /repos/{owner}/{repo}/actions/runs',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts',
  'GET /repos/{owner}/{repo}/branches/{branch}',
  // Before the next one, whose ref may have slashes in it.
  'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls',
  'GET /repos/{owner}/{repo}/commits/{ref}',
  'GET /repos/{owner}/{repo}/deployments',
  'POST /repos/{owner}/{repo}/deployments',
  'POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses',
  'GET /repos/{owner}/{repo}/git/commits/{commit_sha}',
  'POST /repos/{owner}/{repo}/git/commits',
  'POST /repos/{owner}/{repo}/git/trees',
  'GET /repos/{owner}/{repo}/git/ref/{ref}',
  'POST /repos/{owner}/{repo}/git/refs',
  'PATCH /repos/{owner}/{repo}/git/refs/{ref}',
  'GET /repos/{owner}/{repo}/issues',
  'POST /repos/{owner}/{repo}/issues',
  'PATCH /repos/{owner}/{repo}/issues/{issue_number}',
  'GET /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}',
  'DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}',
  'GET /repos/{owner}/{repo}/issues/{issue_number}/labels',
  'POST /repos/{owner}/{repo}/issues/{issue_number}/labels',
  'DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}',
  'GET /repos/{owner}/{repo}/pulls',
  'POST /repos/{owner}/{repo}/pulls',
  'PATCH /repos/{owner}/{repo}/pulls/{pull_number}',
] as const;

interface Operation {
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema?: object }[];
  readonly body?: object;
  /** Status → the schema of the answer; `null` where there is no body. */
  readonly answers: Readonly<Record<string, object | null>>;
}

interface Extract {
  readonly operations: Readonly<Record<string, Operation>>;
  readonly schemas: Readonly<Record<string, object>>;
}

export interface Exchange {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: unknown;
}

export interface Description {
  /** What is wrong with a request; empty when nothing is. */
  request(exchange: Exchange): readonly string[];
  /** What is wrong with an answer to it. */
  answer(exchange: Exchange, status: number, body: unknown): readonly string[];
}

let loaded: Description | undefined;

export function githubDescription(): Description {
  loaded ??= describe(extract());
  return loaded;
}

function describe({ operations, schemas }: Extract): Description {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: false });
  ajv.addSchema({ $id: 'github', components: { schemas } });
  const compiled = new Map<object, ValidateFunction>();
  const faults = (schema: object, value: unknown, what: string): readonly string[] => {
    const check = compiled.get(schema) ?? ajv.compile(schema);
    compiled.set(schema, check);
    return check(value) ? [] : [`${what}: ${ajv.errorsText(check.errors)}`];
  };
  const patterns = OPERATIONS.map((name) => {
    const [method, path = ''] = name.split(' ');
    // A ref is the one parameter that has slashes in it.
    const form = path.replace(/\{(\w+)\}/g, (_, parameter) => (parameter === 'ref' ? '(.+)' : '([^/]+)'));
    return { name, method, form: new RegExp(`^${form}$`), operation: operations[name] };
  });
  const find = ({ method, path }: Exchange) => {
    const bare = path.split('?')[0] ?? '';
    return patterns.find((one) => one.method === method && one.form.test(bare));
  };
  return {
    request: (exchange) => {
      const found = find(exchange);
      if (found?.operation === undefined)
        return [`${exchange.method} ${exchange.path} is none of the operations in test/github/openapi.ts`];
      const { parameters, body } = found.operation;
      const query = [...new URL(exchange.path, 'http://x').searchParams];
      return [
        ...query.flatMap(([name, value]) => {
          const parameter = parameters.find((one) => one.in === 'query' && one.name === name);
          if (parameter === undefined) return [`${found.name} takes no ?${name}`];
          return faults(parameter.schema ?? {}, typed(parameter.schema, value), `${found.name} ?${name}`);
        }),
        ...(body === undefined ? [] : faults(body, exchange.body ?? {}, `${found.name} request`)),
      ];
    },
    answer: (exchange, status, body) => {
      const found = find(exchange);
      if (found?.operation === undefined) return [];
      const schema = found.operation.answers[status];
      // What every operation may answer is described nowhere in full: 401, 403 and 5xx above all.
      if (schema === undefined) return status >= 400 ? [] : [`${found.name} never answers ${status}`];
      return schema === null ? [] : faults(schema, body, `${found.name} answer ${status}`);
    },
  };
}

const typed = (schema: object | undefined, text: string): unknown =>
  (schema as { readonly type?: string } | undefined)?.type === 'integer' ? Number(text) : text;

function extract(): Extract {
  const folder = join(import.meta.dirname, '../../.cache/openapi');
  const file = join(folder, `extract-${VERSION}.json`);
  if (existsSync(file)) {
    const known = JSON.parse(readFileSync(file, 'utf8')) as Extract;
    if (OPERATIONS.every((name) => name in known.operations)) return known;
  }
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, 'work-'));
  try {
    execFileSync('npm', ['pack', `@octokit/openapi@${VERSION}`, '--pack-destination', work, '--silent'], {
      cwd: work,
    });
    const inside = 'package/generated/api.github.com.json';
    execFileSync('tar', ['-xzf', `octokit-openapi-${VERSION}.tgz`, inside], { cwd: work });
    const made = used(JSON.parse(readFileSync(join(work, inside), 'utf8')));
    // Another process may read it in this moment.
    writeFileSync(join(work, 'extract'), JSON.stringify(made));
    renameSync(join(work, 'extract'), file);
    return made;
  } finally {
    rmSync(work, { recursive: true });
  }
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> } & Readonly<
    Record<string, Readonly<Record<string, object>>>
  >;
}

interface RawOperation {
  readonly parameters?: readonly object[];
  readonly requestBody?: { readonly content?: Content };
  readonly responses: Readonly<Record<string, object>>;
}

type Content = Readonly<Record<string, { readonly schema: object }>>;

/** The operations, and the schemas that they lead to. */
function used(whole: OpenApi): Extract {
  const resolve = <T>(value: object): T => {
    const { $ref } = value as { readonly $ref?: string };
    if ($ref === undefined) return value as T;
    const [, , kind = '', name = ''] = $ref.split('/');
    return whole.components[kind]?.[name] as T;
  };
  const operations = Object.fromEntries(
    OPERATIONS.map((operation) => {
      const [method = '', path = ''] = operation.split(' ');
      // The description calls one parameter by several names.
      const at = whole.paths[path];
      const raw = at?.[method.toLowerCase()];
      if (raw === undefined) throw new Error(`GitHub describes no ${operation}.`);
      const body = raw.requestBody?.content?.['application/json']?.schema;
      const answers = Object.entries(raw.responses).map(([status, response]) => {
        const { content } = resolve<{ readonly content?: Content }>(response);
        const schema = content?.['application/json']?.schema;
        return [status, schema === undefined ? null : pointed(schema)] as const;
      });
      const parameters = (raw.parameters ?? []).map((one) => resolve<Operation['parameters'][number]>(one));
      return [
        operation,
        {
          parameters: parameters.map((one) => ({
            ...one,
            ...(one.schema && { schema: pointed(one.schema) }),
          })),
          ...(body === undefined ? {} : { body: pointed(body) }),
          answers: Object.fromEntries(answers),
        },
      ];
    }),
  );
  const schemas: Record<string, object> = {};
  const follow = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/#\/components\/schemas\/([^"]+)"/g))
      if (schemas[name] === undefined && whole.components.schemas[name] !== undefined) {
        schemas[name] = pointed(whole.components.schemas[name]);
        follow(schemas[name]);
      }
  };
  follow(operations);
  return { operations, schemas };
}

/**
 * As JSON Schema: references lead into the one document that holds all schemas, `nullable` beside a reference becomes a
 * choice. Words and examples say nothing that is checked.
 */
function pointed<T>(schema: T): T {
  return plain(schema) as T;

  function plain(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).flatMap(([key, inner]): readonly [string, unknown][] => {
      if (key === 'example' || key === 'examples') return [];
      if (key === 'description' && typeof inner === 'string') return [];
      if (key === '$ref' && typeof inner === 'string') return [[key, inner.replace(/^#/, 'github#')]];
      return [[key, plain(inner)]];
    });
    const { nullable, ...rest } = Object.fromEntries(entries);
    if (nullable === undefined || 'type' in rest)
      return nullable === undefined ? rest : { ...rest, nullable };
    return nullable === true ? { anyOf: [rest, { type: 'null' }] } : rest;
  }
}
