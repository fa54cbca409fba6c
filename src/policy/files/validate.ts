/** Validates a file against its schema: problems with locations, and the valid rest, so that later checks run too. */
import * as z from 'zod';
import { nearest } from '../../lib/nearest.js';
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { NAME_HINT } from '../names.js';
import type { Source } from './yaml.js';

export interface Validated<T> {
  /** The value without its invalid parts; `undefined` when too little is left. */
  readonly value: T | undefined;
  readonly problems: readonly Problem[];
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Validates a file and removes its invalid parts from `source`, so that the rest can be checked further. */
export function validate<T>(schema: z.ZodType<T>, source: Source): Validated<T> {
  if (source.value === null) {
    const problem = error('empty-file', 'The file is empty.', {
      location: source.start,
      hint: 'Add settings, or delete it.',
    });
    return { value: undefined, problems: [problem] };
  }
  if (fits(schema, source.value)) return { value: source.value, problems: [] };
  const issues = flatten(schema.safeParse(source.value).error?.issues ?? []);
  const problems = issues
    .filter(({ path }) => !isReported(source.value, path))
    .map((issue) => toProblem(issue, schema, source));
  for (const path of issues.flatMap(invalidParts).toSorted((a, b) => order(b, a))) remove(source, path);
  return { value: fits(schema, source.value) ? source.value : undefined, problems };
}

/** The YAML reader has already reported a value whose key is present with `undefined`. */
function isReported(root: unknown, path: Path): boolean {
  const key = path.at(-1);
  const container = follow(root, path.slice(0, -1));
  return (
    key !== undefined &&
    isContainer(container) &&
    Object.hasOwn(container, key) &&
    follow(container, [key]) === undefined
  );
}

const isContainer = (value: unknown): value is Record<PropertyKey, unknown> =>
  typeof value === 'object' && value !== null;

const fits = <T>(schema: z.ZodType<T>, value: unknown): value is T => schema.safeParse(value).success;

/** For a union, the issues of the alternative that was most likely intended: the one that matched furthest. */
function flatten(issues: readonly Issue[], prefix: Path = []): readonly Issue[] {
  return issues.flatMap((issue): readonly Issue[] => {
    const path = [...prefix, ...issue.path] as PropertyKey[];
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ ...issue, path, keys: [key] }));
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ ...issue, path }];
    const furthest = issue.errors
      .filter((branch) => branch.some((inner) => inner.path.length > 0 || inner.code !== 'invalid_type'))
      .toSorted((a, b) => Number(isDeep(b)) - Number(isDeep(a)) || keyFaults(a) - keyFaults(b))[0];
    return furthest === undefined ? [{ ...issue, path }] : flatten(furthest as Issue[], path);
  });
}

/** Whether the type matched and the issues are inside the value. */
const isDeep = (branch: readonly { readonly path: readonly PropertyKey[] }[]): boolean =>
  branch.some(({ path }) => path.length > 0);

const keyFaults = (branch: readonly { readonly code: string }[]): number =>
  branch.filter(({ code }) => code !== 'invalid_value').length;

/** Lists whose items are removed as a whole when any part of them is invalid. */
const ATOMIC = new Set(['input', 'output', 'forward', 'nat', 'raw', 'checks', 'guards', 'tests', 'accept']);

function invalidParts(issue: Issue): readonly Path[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...issue.path, key]);
  const { path } = issue;
  const item = path.findIndex((key, index) => typeof key === 'number' && ATOMIC.has(String(path[index - 1])));
  if (item !== -1) return [path.slice(0, item + 1)];
  if (path[0] === 'networks' || path[0] === 'services') return [path.slice(0, 2)];
  const index = path.findIndex((key) => typeof key === 'number');
  return [index === -1 ? path : path.slice(0, index)];
}

/** Sorts so that, in reverse, later items of a list are removed first. */
function order(a: Path, b: Path): number {
  for (const [index, key] of a.entries()) {
    const other = b[index];
    if (typeof key === 'number' && typeof other === 'number' && key !== other) return key - other;
  }
  return a.length - b.length;
}

function remove(source: Source, path: Path): void {
  const key = path.at(-1);
  const container = follow(source.value, path.slice(0, -1));
  if (isContainer(container) && (typeof key === 'string' || typeof key === 'number'))
    source.drop(container, key);
}

function follow(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) value = isContainer(value) ? value[key] : undefined;
  return value;
}

function toProblem(issue: Issue, schema: z.ZodType, source: Source): Problem {
  const { path } = issue;
  const value = follow(source.value, path);
  const location = locationOf(source, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKey(issue.keys[0] ?? '', path, schema, source);
    case 'invalid_key': {
      const message = `"${String(path.at(-1))}" is not a valid name.`;
      return error('bad-name', message, { location: locationOf(source, path, 'keyAt'), hint: NAME_HINT });
    }
    case 'invalid_type':
    case 'invalid_union':
      return wrongType(issue, value, location, schema);
    case 'invalid_value':
      return unknownValue(issue.values, value, location, path);
    case 'too_small':
    case 'too_big': {
      if (Array.isArray(value))
        return error('empty-list', `Empty list${forName(path)}.`, {
          location,
          hint: 'Add an item, or remove the key.',
        });
      const hint =
        issue.code === 'too_small' ? `Use ${issue.minimum} or more.` : `Use ${issue.maximum} or less.`;
      return error('out-of-range', `${show(value)} is out of range${forName(path)}.`, { location, hint });
    }
    default:
      return error('bad-value', invalid(value, path), { location, hint: descriptionAt(schema, path) });
  }
}

function locationOf(source: Source, path: Path, kind: 'at' | 'keyAt' = 'at'): SourceLocation {
  for (let length = path.length; length > 0; length--) {
    const container = follow(source.value, path.slice(0, length - 1));
    const key = path[length - 1];
    if (isContainer(container) && typeof key !== 'symbol' && key !== undefined)
      if (Object.hasOwn(container, key)) return source[kind](container, key);
  }
  return source.start;
}

/** `"from"`, or `item 2 of "from"`. */
function nameOf(path: Path): string {
  const last = path.at(-1);
  if (typeof last !== 'number') return `"${String(last)}"`;
  return `item ${last + 1}${path.length < 2 ? '' : ` of "${String(path.at(-2))}"`}`;
}

/** ` for "from"`, or nothing for the whole file. */
const forName = (path: Path): string => (path.length === 0 ? '' : ` for ${nameOf(path)}`);

const invalid = (value: unknown, path: Path, more = ''): string =>
  `${show(value)} is not a valid value${forName(path)}${more}.`;

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

/** Keys whose value names services, where a bare number is a port without a protocol. */
const SERVICES = new Set([
  'allow',
  'deny',
  'reject',
  'log',
  'service',
  'masquerade',
  'snat',
  'dnat',
  'redirect',
]);

const namesServices = (path: Path): boolean =>
  path[0] === 'services' || SERVICES.has(String(path.findLast((key) => typeof key === 'string')));

function wrongType(issue: Issue, value: unknown, location: SourceLocation, schema: z.ZodType): Problem {
  const { path } = issue;
  const description = descriptionAt(schema, path);
  if (value === undefined)
    return error('missing-key', `Missing key ${nameOf(path)}.`, { location, hint: description });
  if (value === null) {
    const hint = 'Write a value, or remove the key.';
    return error('empty-value', `No value${forName(path)}.`, { location, hint });
  }
  const kinds = [...new Set(expected(issue))];
  const unquoted = kinds.includes('a string') && (typeof value === 'number' || typeof value === 'boolean');
  if (unquoted && namesServices(path)) {
    const hint = `Write tcp/${value} or udp/${value}.`;
    return error('port-without-protocol', `Port ${value} has no protocol.`, { location, hint });
  }
  const message =
    kinds.length === 0
      ? invalid(value, path)
      : `Expected ${kinds.join(' or ')}${forName(path)}, found ${show(value)}.`;
  const valid =
    unquoted && schemasAt(schema, path).some((found) => z.safeParse(found, String(value)).success);
  return error('wrong-type', message, {
    location,
    hint: valid ? `Put it in quotes: "${value}".` : description,
  });
}

function expected(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_union')
    return issue.errors.flatMap((branch) => branch.flatMap(expected as (i: unknown) => string[]));
  return issue.code === 'invalid_type' ? [KINDS[issue.expected] ?? issue.expected] : [];
}

function show(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `"${value.slice(0, 60)}…"` : `"${value}"`;
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a mapping' : String(value);
}

/** Hints for a key whose value is false or a mapping. */
const SWITCH_HINTS: Readonly<Record<string, string>> = {
  off: 'Write false: YAML 1.2 reads off as a string.',
  no: 'Write false: YAML 1.2 reads no as a string.',
  true: 'Remove the key for the default, or write a mapping.',
};

function unknownValue(
  values: readonly unknown[],
  value: unknown,
  location: SourceLocation,
  path: Path,
): Problem {
  const texts = values.map(String);
  if (value === undefined) {
    const only = texts.length === 1 ? `Write ${String(path.at(-1))}: ${texts[0]}.` : undefined;
    return error('missing-key', `Missing key ${nameOf(path)}.`, { location, hint: only });
  }
  const near = nearest(String(value), texts);
  const hint =
    near === String(value)
      ? `Write ${near} without quotes.`
      : near !== undefined
        ? `Did you mean ${near}?`
        : undefined;
  const allowed = texts.join(', ').replace(/, ([^,]*)$/, ' or $1');
  const message = invalid(value, path, `: expected ${allowed}`);
  const switchHint = values.includes(false) ? SWITCH_HINTS[String(value)] : undefined;
  return error('unknown-value', message, { location, hint: switchHint ?? hint });
}

function unknownKey(key: string, path: Path, schema: z.ZodType, source: Source): Problem {
  const known = keysAt(schema, path);
  const near = nearest(key, known);
  const inside = path.length === 0 ? '' : ` in ${nameOf(path)}`;
  const hint = near === undefined ? `Use one of: ${known.join(', ')}.` : `Did you mean ${near}?`;
  const location = locationOf(source, [...path, key], 'keyAt');
  return error('unknown-key', `Unknown key "${key}"${inside}.`, { location, hint });
}

/** The schemas that apply at a path; several where there are alternatives. */
function schemasAt(schema: z.core.$ZodType, path: Path): readonly z.core.$ZodType[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'optional')
    return [...(path.length === 0 ? [schema] : []), ...schemasAt(def.innerType, path)];
  if (def.type === 'union')
    return [
      ...(path.length === 0 ? [schema] : []),
      ...def.options.flatMap((option) => schemasAt(option, path)),
    ];
  const [key, ...rest] = path;
  if (key === undefined) return [schema];
  const inner =
    def.type === 'object'
      ? def.shape[String(key)]
      : def.type === 'array'
        ? def.element
        : def.type === 'record'
          ? def.valueType
          : undefined;
  return inner === undefined ? [] : schemasAt(inner, rest);
}

function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  return schemasAt(schema, path).flatMap((found) => {
    const { def } = (found as z.core.$ZodTypes)._zod;
    return def.type === 'object' ? Object.keys(def.shape) : [];
  });
}

function descriptionAt(schema: z.ZodType, path: Path): string | undefined {
  for (const found of schemasAt(schema, path)) {
    const { description } = z.globalRegistry.get(found) ?? {};
    if (description !== undefined) return description;
  }
  return undefined;
}
