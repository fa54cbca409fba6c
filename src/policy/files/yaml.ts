/**
 * Reads one YAML file as plain data and keeps the location of each part. Spellings that YAML reads differently from
 * what a person sees (octal and hexadecimal numbers, YAML 1.1) are errors.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { error, type Problem, type SourceLocation, startOf } from '../../lib/problem.js';
import { BIDI_CONTROLS } from '../values.js';
import { type Offsets, readPlain } from './yaml-plain.js';

/** A file as read; `value` consists of strings, numbers, booleans, null, arrays and plain objects. */
export interface Source {
  readonly file: string;
  readonly value: unknown;
  /** False when a part could not be read: a name that seems undefined may be defined in that part. */
  readonly complete: boolean;
  /** Location of the value under `key`. `container` is an array or object inside `value`. */
  readonly at: (container: object, key: string | number) => SourceLocation;
  /** Location of the key itself; in an array, of the item. */
  readonly keyAt: (container: object, key: string | number) => SourceLocation;
  readonly start: SourceLocation;
  /** Removes one part; the locations of the others stay correct. */
  readonly drop: (container: object, key: string | number) => void;
}

export interface SourceReading {
  readonly source: Source;
  readonly problems: readonly Problem[];
}

interface ReadState {
  readonly file: string;
  readonly lines: LineCounter;
  readonly problems: Problem[];
  readonly offsets: Map<object, Offsets>;
  readonly anchors: Map<string, { readonly value: unknown; readonly size: number }>;
  /** Number of nodes with every alias expanded. */
  size: number;
}

const MAX_DEPTH = 32;
/** Limit for the nodes with every alias expanded; no firewall policy is that large. */
const MAX_SIZE = 2_000_000;

/** Characters that YAML forbids, and those that change the direction of text. */
const CONTROL = new RegExp(String.raw`[\0-\x08\v\f\x0e-\x1f${BIDI_CONTROLS}]`, 'u');

/** The first character of a file. */
export const fileStart = (file: string): SourceLocation => startOf('policy', file);

/** Line and column of an offset in a text, counted from 1. */
export function textPosition(text: string, offset: number): Omit<SourceLocation, 'file'> {
  const before = text.slice(0, offset);
  return { kind: 'policy', line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

/** Reads a YAML file with the fast reader if it can, otherwise with the package `yaml`. Never throws. */
export function readYaml(text: string, file: string): SourceReading {
  const bare = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const plain = CONTROL.test(bare) ? undefined : readPlain(bare);
  if (plain === undefined) return readAnyYaml(bare, file);
  const state = newState(file, plain.offsets);
  for (const start of plain.lineStarts) state.lines.addNewLine(start);
  return { source: source(state, plain.value), problems: [] };
}

/** Reads a YAML file with the package `yaml`, which knows the whole language. Never throws. */
export function readAnyYaml(text: string, file: string): SourceReading {
  const state = newState(file, new Map());
  const document = parse(text, state);
  const broken = state.problems.length > 0 || document === undefined;
  const value = broken ? undefined : document.contents === null ? null : toValue(state, document.contents, 0);
  return { source: source(state, value), problems: state.problems };
}

const newState = (file: string, offsets: Map<object, Offsets>): ReadState => ({
  file,
  lines: new LineCounter(),
  problems: [],
  offsets,
  anchors: new Map(),
  size: 0,
});

const TOO_DEEP = 'Lists and mappings are nested too deeply.';
const KEEP_ONE = 'Keep one: everything after the line "---" would be ignored.';

function parse(text: string, state: ReadState): Document.Parsed | undefined {
  const control = CONTROL.exec(text);
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    const location = { file: state.file, ...textPosition(text, control.index) };
    return refuse(
      state,
      'control-character',
      `Control character U+${code} is not allowed.`,
      location,
      'Remove it.',
    );
  }
  try {
    const document = parseDocument(text, {
      lineCounter: state.lines,
      prettyErrors: false,
      uniqueKeys: false,
      keepSourceTokens: false,
      // With "silent" the package ignores a second document without an error.
      logLevel: 'error',
    });
    for (const found of [...document.errors, ...document.warnings]) {
      const location = locationOf(state, found.pos[0]);
      // The package reports its own stack overflow as a syntax error.
      if (found.message.includes('call stack')) return refuse(state, 'too-deep', TOO_DEEP, location);
      if (found.code === 'MULTIPLE_DOCS')
        refuse(
          state,
          'several-documents',
          'The file contains more than one YAML document.',
          location,
          KEEP_ONE,
        );
      else refuse(state, 'yaml-syntax', `Invalid YAML: ${sentence(found.message)}`, location);
    }
    const { explicit, version } = document.directives.yaml;
    if (explicit === true && version !== '1.2') {
      const message = `YAML ${version} is not supported: it reads words and numbers differently.`;
      const hint = 'Remove the %YAML line: policies are YAML 1.2.';
      refuse(state, 'yaml-version', message, fileStart(state.file), hint);
    }
    return document;
  } catch {
    return refuse(state, 'yaml-syntax', 'Invalid YAML.', fileStart(state.file));
  }
}

const sentence = (text: string): string => {
  const line = (text.split('\n')[0] ?? '').trim();
  return /[.!?]$/.test(line) ? line : `${line}.`;
};

function refuse(
  state: ReadState,
  id: string,
  message: string,
  location: SourceLocation,
  hint?: string,
): undefined {
  state.problems.push(error(id, message, { location, hint }));
}

function locationOf({ file, lines }: ReadState, offset: number): SourceLocation {
  const { line, col } = lines.linePos(offset);
  return { kind: 'policy', file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

const offsetOf = (node: Node | null | undefined): number => node?.range?.[0] ?? 0;

function toValue(state: ReadState, node: Node, depth: number): unknown {
  if (isAlias(node)) return aliasOf(state, node);
  if (depth > MAX_DEPTH) return refuse(state, 'too-deep', TOO_DEEP, locationOf(state, offsetOf(node)));
  const before = state.size++;
  const value = isScalar(node)
    ? scalarOf(state, node)
    : isMap(node)
      ? mappingOf(state, node, depth)
      : isSeq(node)
        ? listOf(state, node, depth)
        : undefined;
  const { anchor } = node as { anchor?: string };
  if (anchor !== undefined) state.anchors.set(anchor, { value, size: state.size - before });
  return value;
}

function aliasOf(state: ReadState, alias: Alias): unknown {
  const found = state.anchors.get(alias.source);
  const location = locationOf(state, offsetOf(alias));
  if (found === undefined)
    return refuse(
      state,
      'unknown-anchor',
      `No complete anchor &${alias.source} before this alias.`,
      location,
    );
  state.size += found.size;
  if (state.size > MAX_SIZE)
    return refuse(state, 'too-many-aliases', 'The aliases of this file expand to too many nodes.', location);
  return found.value;
}

/** Decimal numbers; `010`, `0x10`, `1e3` and `.inf` are different numbers from what they look like. */
const PLAIN_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;

function scalarOf(state: ReadState, node: Scalar): unknown {
  const { value } = node;
  const location = locationOf(state, offsetOf(node));
  if (typeof value === 'number' && !PLAIN_NUMBER.test(node.source ?? '')) {
    const hint = `Write ${Number.isFinite(value) ? value : 'a number'}, or put it in quotes.`;
    refuse(state, 'number-trap', `YAML reads ${node.source} as the number ${value}.`, location, hint);
    return value;
  }
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
  const hint = 'Use strings, numbers, true and false, lists and mappings only.';
  return refuse(state, 'yaml-tag', 'Unsupported YAML type.', location, hint);
}

function mappingOf(state: ReadState, node: YAMLMap, depth: number): object {
  const value: Record<string, unknown> = {};
  const keys: string[] = [];
  const keyOffsets: number[] = [];
  const values: number[] = [];
  const seen = new Map<string, number>();
  for (const pair of node.items) {
    const keyNode = pair.key as Node | null;
    const keyOffset = offsetOf(keyNode);
    const key = isScalar(keyNode) ? String(keyNode.source ?? keyNode.value) : undefined;
    const location = locationOf(state, keyOffset);
    if (key === '<<') {
      const hint = 'Write the keys out, or move shared rules to a role.';
      refuse(state, 'bad-key', 'Merge keys are not supported in YAML 1.2.', location, hint);
      continue;
    }
    if (key === undefined || key === '' || key === '__proto__') {
      refuse(state, 'bad-key', 'Invalid key.', location, 'Write a plain name.');
      continue;
    }
    const first = seen.get(key);
    if (first !== undefined) {
      const hint = `Keep one of them: the first is in line ${locationOf(state, first).line}.`;
      refuse(state, 'duplicate-key', `Duplicate key "${key}".`, location, hint);
      continue;
    }
    seen.set(key, keyOffset);
    const inner = pair.value as Node | null;
    value[key] = inner === null ? null : toValue(state, inner, depth + 1);
    keys.push(key);
    keyOffsets.push(keyOffset);
    values.push(inner?.range === undefined || inner === null ? keyOffset : offsetOf(inner));
  }
  state.offsets.set(value, { keys, keyOffsets, values });
  return value;
}

function listOf(state: ReadState, node: YAMLSeq, depth: number): readonly unknown[] {
  const items = node.items as (Node | null)[];
  const value = items.map((item) => (item === null ? null : toValue(state, item, depth + 1)));
  const values = items.map((item) => (item === null ? offsetOf(node) : offsetOf(item)));
  state.offsets.set(value, { keyOffsets: values, values });
  return value;
}

function source(state: ReadState, value: unknown): Source {
  const { file, offsets } = state;
  const start = fileStart(file);
  const find = (container: object, key: string | number, kind: 'keyOffsets' | 'values'): SourceLocation => {
    const found = offsets.get(container);
    const index = typeof key === 'number' ? key : (found?.keys?.indexOf(key) ?? -1);
    const offset = found?.[kind][index];
    return offset === undefined ? start : locationOf(state, offset);
  };
  return {
    file,
    value,
    complete: state.problems.length === 0,
    at: (container, key) => find(container, key, 'values'),
    keyAt: (container, key) => find(container, key, 'keyOffsets'),
    start,
    drop: (container, key) => {
      if (!Array.isArray(container)) {
        delete (container as Record<string, unknown>)[key];
        return;
      }
      container.splice(Number(key), 1);
      offsets.get(container)?.values.splice(Number(key), 1);
    },
  };
}
