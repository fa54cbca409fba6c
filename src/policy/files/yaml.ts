/**
 * One YAML file as plain data that still knows where each part stands. Spellings that YAML reads differently from what
 * a person sees (octal and hexadecimal numbers, YAML 1.1) are refused.
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
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { TURNING } from '../values.js';
import { type Offsets, readPlain } from './yaml-plain.js';

/** A file that was read; `value` is made of strings, numbers, booleans, null, arrays and plain objects. */
export interface Source {
  readonly file: string;
  readonly value: unknown;
  /** False when a part could not be read: then a name that seems undefined may stand in that part. */
  readonly complete: boolean;
  /** Where the value under `key` starts. `container` is an array or object inside `value`. */
  readonly at: (container: object, key: string | number) => SourceLocation;
  /** Where the key itself stands; for an array, its item. */
  readonly keyAt: (container: object, key: string | number) => SourceLocation;
  readonly start: SourceLocation;
  /** Takes out one part; the places of the others stay right. */
  readonly drop: (container: object, key: string | number) => void;
}

export interface SourceReading {
  readonly source: Source;
  readonly problems: readonly Problem[];
}

interface Walk {
  readonly file: string;
  readonly lines: LineCounter;
  readonly problems: Problem[];
  readonly offsets: Map<object, Offsets>;
  readonly anchors: Map<string, { readonly value: unknown; readonly size: number }>;
  /** How many nodes there would be with every alias written out. */
  size: number;
}

const MAX_DEPTH = 32;
/** What aliases may add up to; a file of that many lines would be no firewall policy. */
const MAX_SIZE = 2_000_000;

/** What YAML lets no file hold, and what turns the direction of text. */
const CONTROL = new RegExp(String.raw`[\0-\x08\v\f\x0e-\x1f${TURNING}]`, 'u');

/** Never throws: whatever the text is, the answer is a value with places, and all problems. */
export function readYaml(text: string, file: string): SourceReading {
  const bare = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const plain = CONTROL.test(bare) ? undefined : readPlain(bare);
  if (plain === undefined) return readAnyYaml(bare, file);
  const walk = newWalk(file, plain.offsets);
  for (const start of plain.lineStarts) walk.lines.addNewLine(start);
  return { source: source(walk, plain.value), problems: [] };
}

/** By the package `yaml`: everything that YAML has. */
export function readAnyYaml(text: string, file: string): SourceReading {
  const walk = newWalk(file, new Map());
  const document = parse(text, walk);
  const broken = walk.problems.length > 0 || document === undefined;
  const value = broken ? undefined : document.contents === null ? null : toValue(walk, document.contents, 0);
  return { source: source(walk, value), problems: walk.problems };
}

const newWalk = (file: string, offsets: Map<object, Offsets>): Walk => ({
  file,
  lines: new LineCounter(),
  problems: [],
  offsets,
  anchors: new Map(),
  size: 0,
});

const TOO_DEEP = 'Lists and mappings are nested too deep here.';
const KEEP_ONE = 'Keep one: what stands behind the line "---" would be left out.';

function parse(text: string, walk: Walk): Document.Parsed | undefined {
  const control = CONTROL.exec(text);
  if (control !== null) {
    const where = placeIn(text, control.index, walk.file);
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    refuse(walk, 'control-character', 'A control character stands here.', where, `Remove it: U+${code}.`);
    return undefined;
  }
  try {
    const document = parseDocument(text, {
      lineCounter: walk.lines,
      prettyErrors: false,
      uniqueKeys: false,
      keepSourceTokens: false,
      // With "silent" the package leaves a second document out without a word.
      logLevel: 'error',
    });
    for (const fault of [...document.errors, ...document.warnings]) {
      const where = locationOf(walk, fault.pos[0]);
      // The package meets its own limit as an error like any other.
      if (fault.message.includes('call stack')) {
        refuse(walk, 'too-deep', TOO_DEEP, where);
        return undefined;
      }
      if (fault.code === 'MULTIPLE_DOCS')
        refuse(walk, 'several-documents', 'The file holds more than one YAML document.', where, KEEP_ONE);
      else refuse(walk, 'yaml-syntax', `This is not valid YAML: ${sentence(fault.message)}`, where);
    }
    const { explicit, version } = document.directives.yaml;
    if (explicit === true && version !== '1.2')
      refuse(
        walk,
        'yaml-version',
        `YAML ${version} reads words and numbers differently.`,
        { file: walk.file, line: 1, column: 1 },
        'Remove the %YAML line; policies are YAML 1.2.',
      );
    return document;
  } catch {
    refuse(walk, 'yaml-syntax', 'This is not valid YAML.', { file: walk.file, line: 1, column: 1 });
    return undefined;
  }
}

const sentence = (text: string): string => {
  const line = (text.split('\n')[0] ?? '').trim();
  return /[.!?]$/.test(line) ? line : `${line}.`;
};

function refuse(walk: Walk, id: string, message: string, where: SourceLocation, hint?: string): undefined {
  walk.problems.push(error(id, message, where, hint));
}

function locationOf({ file, lines }: Walk, offset: number): SourceLocation {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

function placeIn(text: string, offset: number, file: string): SourceLocation {
  const before = text.slice(0, offset);
  return { file, line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

const offsetOf = (node: Node | null | undefined): number => node?.range?.[0] ?? 0;

function toValue(walk: Walk, node: Node, depth: number): unknown {
  if (isAlias(node)) return aliasOf(walk, node);
  if (depth > MAX_DEPTH) return refuse(walk, 'too-deep', TOO_DEEP, locationOf(walk, offsetOf(node)));
  const before = walk.size++;
  const value = isScalar(node)
    ? scalarOf(walk, node)
    : isMap(node)
      ? mappingOf(walk, node, depth)
      : isSeq(node)
        ? listOf(walk, node, depth)
        : undefined;
  const { anchor } = node as { anchor?: string };
  if (anchor !== undefined) walk.anchors.set(anchor, { value, size: walk.size - before });
  return value;
}

function aliasOf(walk: Walk, alias: Alias): unknown {
  const found = walk.anchors.get(alias.source);
  const where = locationOf(walk, offsetOf(alias));
  if (found === undefined)
    return refuse(walk, 'unknown-anchor', `No anchor &${alias.source} ends before this place.`, where);
  walk.size += found.size;
  if (walk.size > MAX_SIZE)
    return refuse(walk, 'too-many-aliases', 'The aliases in this file add up to too much.', where);
  return found.value;
}

/** What people write; `010`, `0x10`, `1e3` and `.inf` are other numbers than they look like. */
const PLAIN_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;

function scalarOf(walk: Walk, node: Scalar): unknown {
  const { value } = node;
  if (typeof value === 'number' && !PLAIN_NUMBER.test(node.source ?? '')) {
    refuse(
      walk,
      'number-trap',
      `YAML reads ${node.source} as the number ${value}.`,
      locationOf(walk, offsetOf(node)),
      Number.isFinite(value)
        ? `Write ${value} if that is meant, or put it in quotes.`
        : 'Write a number, or put it in quotes.',
    );
    return value;
  }
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
  return refuse(
    walk,
    'yaml-tag',
    'A policy holds text, numbers, true and false, lists and mappings only.',
    locationOf(walk, offsetOf(node)),
  );
}

function mappingOf(walk: Walk, node: YAMLMap, depth: number): object {
  const value: Record<string, unknown> = {};
  const keys: string[] = [];
  const keyOffsets: number[] = [];
  const values: number[] = [];
  const seen = new Map<string, number>();
  for (const pair of node.items) {
    const keyNode = pair.key as Node | null;
    const keyOffset = offsetOf(keyNode);
    const key = isScalar(keyNode) ? String(keyNode.source ?? keyNode.value) : undefined;
    if (key === '<<') {
      const instead = 'Write the keys out, or put what rules share into a role.';
      refuse(walk, 'bad-key', 'YAML 1.2 has no merge keys.', locationOf(walk, keyOffset), instead);
      continue;
    }
    if (key === undefined || key === '' || key === '__proto__') {
      refuse(
        walk,
        'bad-key',
        'This cannot be a key here.',
        locationOf(walk, keyOffset),
        'Write a plain name.',
      );
      continue;
    }
    const first = seen.get(key);
    if (first !== undefined) {
      refuse(
        walk,
        'duplicate-key',
        `"${key}" stands twice in this mapping.`,
        locationOf(walk, keyOffset),
        `It stands in line ${locationOf(walk, first).line} already: keep one of them.`,
      );
      continue;
    }
    seen.set(key, keyOffset);
    const inner = pair.value as Node | null;
    value[key] = inner === null ? null : toValue(walk, inner, depth + 1);
    keys.push(key);
    keyOffsets.push(keyOffset);
    values.push(inner?.range === undefined || inner === null ? keyOffset : offsetOf(inner));
  }
  walk.offsets.set(value, { keys, keyOffsets, values });
  return value;
}

function listOf(walk: Walk, node: YAMLSeq, depth: number): readonly unknown[] {
  const items = node.items as (Node | null)[];
  const value = items.map((item) => (item === null ? null : toValue(walk, item, depth + 1)));
  const values = items.map((item) => (item === null ? offsetOf(node) : offsetOf(item)));
  walk.offsets.set(value, { keyOffsets: values, values });
  return value;
}

function source(walk: Walk, value: unknown): Source {
  const { file, offsets } = walk;
  const start = { file, line: 1, column: 1 };
  const find = (container: object, key: string | number, kind: 'keyOffsets' | 'values'): SourceLocation => {
    const found = offsets.get(container);
    const index = typeof key === 'number' ? key : (found?.keys?.indexOf(key) ?? -1);
    const offset = found?.[kind][index];
    return offset === undefined ? start : locationOf(walk, offset);
  };
  return {
    file,
    value,
    complete: walk.problems.length === 0,
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
