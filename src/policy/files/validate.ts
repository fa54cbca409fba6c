/** Checks a file against its shape, says what is wrong in sentences, and hands on what is sound, so that more is found. */
import * as z from 'zod';
import { nearest } from '../../lib/nearest.js';
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { list } from '../values.js';
import type { Source } from './yaml.js';

export interface Validated<T> {
  /** What is left when the faulty parts are taken out; `undefined` when too little is left. */
  readonly value: T | undefined;
  readonly problems: readonly Problem[];
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

export function validate<T>(schema: z.ZodType<T>, source: Source): Validated<T> {
  if (source.value === null)
    return {
      value: undefined,
      problems: [error('empty-file', 'The file is empty.', source.start, 'Fill it, or delete it.')],
    };
  if (fits(schema, source.value)) return { value: source.value, problems: [] };
  const issues = flatten(schema.safeParse(source.value).error?.issues ?? []);
  const problems = issues
    .filter(({ path }) => !isReported(source.value, path))
    .map((issue) => toProblem(issue, schema, source));
  for (const path of issues.flatMap(faultyPart).toSorted((a, b) => order(b, a))) remove(source, path);
  return { value: fits(schema, source.value) ? source.value : undefined, problems };
}

/** A value that the reader of YAML already refused is there, but undefined. */
function isReported(root: unknown, path: Path): boolean {
  const key = path[path.length - 1];
  const container = follow(root, path.slice(0, -1));
  return (
    key !== undefined &&
    typeof container === 'object' &&
    container !== null &&
    Object.hasOwn(container, key) &&
    follow(container, [key]) === undefined
  );
}

const fits = <T>(schema: z.ZodType<T>, value: unknown): value is T => schema.safeParse(value).success;

/** Of the alternatives of a union, the one that came furthest: what was most likely meant. */
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

/** It took the value for what it is, and found faults within. */
const isDeep = (branch: readonly { readonly path: readonly PropertyKey[] }[]): boolean =>
  branch.some(({ path }) => path.length > 0);

const keyFaults = (branch: readonly { readonly code: string }[]): number =>
  branch.filter(({ code }) => code !== 'invalid_value').length;

/** Parts in which one fault makes the whole meaningless; they are left out as a whole. */
const WHOLE = new Set(['input', 'output', 'forward', 'nat', 'raw', 'checks', 'guards', 'tests', 'accept']);

function faultyPart(issue: Issue): readonly Path[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...issue.path, key]);
  const { path } = issue;
  const item = path.findIndex((key, index) => typeof key === 'number' && WHOLE.has(String(path[index - 1])));
  if (item !== -1) return [path.slice(0, item + 1)];
  if (path[0] === 'networks' || path[0] === 'services') return [path.slice(0, 2)];
  const list = path.findIndex((key) => typeof key === 'number');
  return [list === -1 ? path : path.slice(0, list)];
}

/** Later items of a list come out first. */
function order(a: Path, b: Path): number {
  for (const [index, key] of a.entries()) {
    const other = b[index];
    if (typeof key === 'number' && typeof other === 'number' && key !== other) return key - other;
  }
  return a.length - b.length;
}

function remove(source: Source, path: Path): void {
  const key = path[path.length - 1];
  const container = follow(source.value, path.slice(0, -1));
  if (
    typeof container === 'object' &&
    container !== null &&
    (typeof key === 'string' || typeof key === 'number')
  )
    source.drop(container, key);
}

function follow(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path)
    value =
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  return value;
}

function toProblem(issue: Issue, schema: z.ZodType, source: Source): Problem {
  const { path } = issue;
  const value = follow(source.value, path);
  const where = placeOf(source, path);
  const name = nameOf(path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKey(issue.keys, path, schema, source);
    case 'invalid_key':
      return error(
        'bad-name',
        `"${String(path[path.length - 1])}" cannot be a name here.`,
        placeOf(source, path, 'keyAt'),
        'Names start with a letter and hold letters, digits, "-" and "_"; host names may hold ".".',
      );
    case 'invalid_type':
    case 'invalid_union':
      return wrongType(issue, value, where, name, schema);
    case 'invalid_value':
      return unknownValue(issue.values, value, where, name);
    case 'too_small':
    case 'too_big':
      return Array.isArray(value)
        ? error('empty-list', `${name} is an empty list.`, where, 'Fill it, or remove the key.')
        : error(
            'out-of-range',
            `${name} cannot be ${show(value)}.`,
            where,
            issue.code === 'too_small' ? `The least is ${issue.minimum}.` : `The most is ${issue.maximum}.`,
          );
    default:
      return error('bad-value', `${name} cannot be ${show(value)}.`, where, descriptionAt(schema, path));
  }
}

function placeOf(source: Source, path: Path, kind: 'at' | 'keyAt' = 'at'): SourceLocation {
  for (let length = path.length; length > 0; length--) {
    const container = follow(source.value, path.slice(0, length - 1));
    const key = path[length - 1];
    if (typeof container === 'object' && container !== null && typeof key !== 'symbol' && key !== undefined)
      if (Object.hasOwn(container, key)) return source[kind](container, key);
  }
  return source.start;
}

/** `"from"`, or `Item 2 of "from"`. */
function nameOf(path: Path): string {
  const last = path[path.length - 1];
  const before = path[path.length - 2];
  if (typeof last === 'number')
    return before === undefined ? `Item ${last + 1}` : `Item ${last + 1} of "${String(before)}"`;
  return last === undefined ? 'The file' : `"${String(last)}"`;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

/** Where a bare number is a port that lacks its protocol. */
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

function wrongType(
  issue: Issue,
  value: unknown,
  where: SourceLocation,
  name: string,
  schema: z.ZodType,
): Problem {
  if (value === undefined)
    return error('missing-key', `${name} is missing.`, where, descriptionAt(schema, issue.path));
  if (value === null)
    return error('empty-value', `${name} is empty.`, where, 'Write a value, or remove the key.');
  const kinds = [...new Set(expected(issue))];
  const wanted = kinds.length === 0 ? '' : ` must be ${kinds.join(' or ')}, not ${show(value)}.`;
  const message = wanted === '' ? `${name} cannot be ${show(value)}.` : `${name}${wanted}`;
  const isText = kinds.includes('a text') && (typeof value === 'number' || typeof value === 'boolean');
  if (isText && namesServices(issue.path))
    return error(
      'port-without-protocol',
      `The port ${value} has no protocol.`,
      where,
      `Write tcp/${value} or udp/${value}.`,
    );
  const quoted =
    isText && schemasAt(schema, issue.path).some((found) => isText && fitsText(found, String(value)));
  const hint = quoted ? `Put it in quotes: "${value}".` : descriptionAt(schema, issue.path);
  return error('wrong-type', message, where, hint);
}

const fitsText = (schema: z.core.$ZodType, text: string): boolean => z.safeParse(schema, text).success;

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

/** Where a key takes false or a mapping. */
const ALONE: Readonly<Record<string, string>> = {
  off: 'Write false: YAML 1.2 reads off as a text.',
  no: 'Write false: YAML 1.2 reads no as a text.',
  true: 'Remove the key for the default, or write a mapping.',
};

function unknownValue(
  values: readonly unknown[],
  value: unknown,
  where: SourceLocation,
  name: string,
): Problem {
  const texts = values.map(String);
  if (value === undefined) {
    const only = texts.length === 1 ? `Write ${name.replaceAll('"', '')}: ${texts[0]}.` : undefined;
    return error('missing-key', `${name} is missing.`, where, only);
  }
  const near = nearest(String(value), texts);
  const hint =
    near === String(value)
      ? `Write ${near} without quotes.`
      : near !== undefined
        ? `Did you mean ${near}?`
        : undefined;
  const alone = values.includes(false) ? ALONE[String(value)] : undefined;
  return error(
    'unknown-value',
    `${name} must be ${texts.join(', ').replace(/, ([^,]*)$/, ' or $1')}, not ${show(value)}.`,
    where,
    alone ?? hint,
  );
}

function unknownKey(keys: readonly string[], path: Path, schema: z.ZodType, source: Source): Problem {
  const [key = ''] = keys;
  const known = keysAt(schema, path);
  const near = nearest(key, known);
  const inside = path.length === 0 ? 'in this file' : `in ${nameOf(path)}`;
  return error(
    'unknown-key',
    `There is no key "${key}" ${inside}.`,
    placeOf(source, [...path, key], 'keyAt'),
    near === undefined ? `The keys here are ${list(known)}.` : `Did you mean ${near}?`,
  );
}

/** The schemas that may stand at a path; several where there are alternatives. */
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
