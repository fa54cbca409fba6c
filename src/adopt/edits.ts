/** Edits of policy files that keep everything else: comments, order, spelling. */
import { diffArrays } from 'diff';
import {
  type Document,
  isMap,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
  YAMLSeq,
} from 'yaml';
import { type Entry, LISTS, type ListName, type Value } from '../import/read/entry.js';
import type { SourceLocation } from '../lib/problem.js';

/** Path, as problems show it → text. */
export type Files = ReadonlyMap<string, string>;

/** One edit. All locations are those before any edit: `host` of a host, `entry` and `after` of entries. */
export type Edit =
  /** Without `after` it becomes the first of its list. */
  | {
      readonly kind: 'add';
      readonly host: SourceLocation;
      readonly list: ListName;
      readonly entry: Entry;
      readonly after?: SourceLocation;
    }
  | { readonly kind: 'remove'; readonly entry: SourceLocation; readonly list: ListName }
  | { readonly kind: 'set'; readonly entry: SourceLocation; readonly key: string; readonly value: Value }
  | {
      readonly kind: 'baseline';
      readonly host: SourceLocation;
      readonly key: string;
      readonly value: Value;
    }
  | {
      readonly kind: 'member';
      readonly file: string;
      readonly network: string;
      readonly add: readonly string[];
      readonly remove: readonly string[];
    };

/** The path of the file that an edit changes. */
export const fileOf = (edit: Edit): string =>
  edit.kind === 'member' ? edit.file : 'host' in edit ? edit.host.file : edit.entry.file;

/** Applies the edits, in order; files that no edit names are not changed. */
export function applyEdits(files: Files, edits: readonly Edit[]): Files {
  const touched = new Set(edits.map(fileOf));
  return new Map(
    [...files].map(([path, text]) => [
      path,
      touched.has(path)
        ? applyToText(
            text,
            edits.filter((edit) => fileOf(edit) === path),
          )
        : text,
    ]),
  );
}

/** The entry at a location, as plain data; `undefined` if there is none. */
export function entryAt(text: string, location: SourceLocation): Entry | undefined {
  const found = itemAt(parsed(text), location);
  return found === undefined ? undefined : (found.item.toJSON() as Entry);
}

interface ParsedFile {
  readonly text: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

function parsed(text: string): ParsedFile {
  const lines = new LineCounter();
  return { text, document: parseDocument(text, { lineCounter: lines, keepSourceTokens: true }), lines };
}

function applyToText(text: string, edits: readonly Edit[]): string {
  if (text.includes('\r\n'))
    return applyToText(text.replaceAll('\r\n', '\n'), edits).replaceAll('\n', '\r\n');
  const file = parsed(text);
  const asWritten = file.document.toString(styleOf(text));
  // Locations are resolved before the first edit moves anything.
  for (const apply of edits.map((edit) => prepare(file, edit))) apply();
  return keepUntouchedLines(text, asWritten, file.document.toString(styleOf(text)));
}

/** How this file is written, as far as the printer can keep it. */
function styleOf(text: string) {
  const count = (form: RegExp): number => text.match(form)?.length ?? 0;
  return {
    lineWidth: 0,
    indent: /^( +)[^\s#]/m.exec(text)?.[1]?.length ?? 2,
    indentSeq: !/^( *)[\w-]+:[^\n]*\n\1- /m.test(text),
    flowCollectionPadding: count(/[[{] /g) > count(/[[{][^\s\]}]/g),
  };
}

/**
 * The printer may respell lines that no edit changed: only changed lines are taken from its output, all others from the
 * text.
 */
function keepUntouchedLines(text: string, before: string, after: string): string {
  if (before === text) return after;
  const lines = before.split('\n');
  const [own, made] = [changesOf(before, text), changesOf(before, after)];
  const kept = own.filter((one) => !made.some((other) => overlap(one, other)));
  const merged = [...kept, ...made]
    .toSorted((a, b) => b.start - a.start)
    .reduce((all, { start, end, to }) => all.toSpliced(start, end - start, ...to), lines)
    .join('\n');
  // If the lines do not fit together, the printer's output is used whole.
  return contentOf(merged) === contentOf(after) ? merged : after;
}

const contentOf = (text: string): string => {
  const document = parseDocument(text);
  return document.errors.length > 0 ? '' : JSON.stringify(document.toJSON());
};

/** Lines from `start` up to `end` become others. */
interface LineChange {
  readonly start: number;
  readonly end: number;
  readonly to: readonly string[];
}

const overlap = (a: LineChange, b: LineChange): boolean => a.start < b.end && b.start < a.end;

function changesOf(from: string, to: string): readonly LineChange[] {
  const [old, now] = [from.split('\n'), to.split('\n')];
  const changes: LineChange[] = [];
  let [at, there] = [0, 0];
  // Lines that differ only in white space are the same line.
  const comparator = (a: string, b: string): boolean => a.replace(/\s+/g, '') === b.replace(/\s+/g, '');
  for (const { count, added, removed } of diffArrays(old, now, { comparator })) {
    const [start, end] = [at, added ? at : at + count];
    const to = removed ? [] : now.slice(there, there + count);
    const last = changes.at(-1);
    if (!added && !removed) {
      for (const [index, line] of to.entries())
        if (line !== old[at + index]) changes.push({ start: at + index, end: at + index + 1, to: [line] });
    } else if (added && last?.end === at && last.to.length === 0)
      changes[changes.length - 1] = { ...last, to };
    else changes.push({ start, end, to });
    if (!added) at += count;
    if (!removed) there += count;
  }
  return changes;
}

type ApplyEdit = () => void;

function prepare(file: ParsedFile, edit: Edit): ApplyEdit {
  switch (edit.kind) {
    case 'add': {
      const host = mapAt(file, edit.host);
      const anchor = edit.after === undefined ? undefined : itemAt(file, edit.after)?.item;
      return () => add(file.document, host, edit.list, edit.entry, anchor);
    }
    case 'remove': {
      const found = itemAt(file, edit.entry);
      const above = commentLinesAbove(file, found?.item);
      return () => {
        if (found === undefined) return;
        removeItem(found, above);
        if (found.list.items.length === 0) found.owner.delete(edit.list);
      };
    }
    case 'set': {
      const found = itemAt(file, edit.entry);
      return () => found?.item.set(edit.key, edit.value);
    }
    case 'baseline': {
      const host = mapAt(file, edit.host);
      return () => {
        const baseline = host?.get('baseline');
        if (isMap(baseline)) baseline.set(edit.key, edit.value);
        else host?.set('baseline', flow(file.document, { [edit.key]: edit.value }));
      };
    }
    case 'member':
      return () => members(file.document, edit.network, edit.add, edit.remove);
  }
}

/** Removes an entry and the comment above it, which the yaml package attaches to the list if the entry is the first. */
function removeItem({ item, list }: FoundEntry, above: number): void {
  const index = list.items.indexOf(item);
  list.items.splice(index, 1);
  if (index > 0) return;
  const lines = list.commentBefore?.split('\n') ?? [];
  if (above > 0) list.commentBefore = lines.slice(0, -above).join('\n') || null;
  const [next] = list.items;
  if (isMap(next)) next.spaceBefore = false;
}

function commentLinesAbove({ text, lines }: ParsedFile, item: Node | undefined): number {
  const offset = item?.range?.[0];
  if (offset === undefined) return 0;
  const above = text.split('\n').slice(0, lines.linePos(offset).line - 1);
  const other = above.findLastIndex((line) => !/^\s*#/.test(line));
  return above.length - 1 - other;
}

/** The last entry added after an anchor: a further one goes after it, so that added entries keep their order. */
const ADDED = new WeakMap<object, object>();

function add(
  document: Document,
  host: YAMLMap | undefined,
  list: ListName,
  entry: Entry,
  anchor: Node | undefined,
): void {
  if (host === undefined) return;
  const node = flow(document, entry);
  const present = host.get(list);
  if (!isSeq(present)) {
    const made = new YAMLSeq();
    made.items.push(node);
    // A block list cannot be in a flow mapping.
    host.flow = false;
    host.set(list, made);
    ADDED.set(made, node);
    return;
  }
  const start = anchor ?? present;
  const last = ADDED.get(start) ?? anchor;
  present.items.splice(last === undefined ? 0 : present.items.indexOf(last) + 1, 0, node);
  ADDED.set(start, node);
}

/** A mapping, on one line if it is short. */
function flow(document: Document, value: Entry): YAMLMap {
  const node = document.createNode(value) as YAMLMap;
  const short = JSON.stringify(value).length <= 100;
  node.flow = short;
  if (!short) for (const { value: inner } of node.items) if (isSeq(inner)) inner.flow = true;
  return node;
}

function members(
  document: Document,
  network: string,
  add: readonly string[],
  remove: readonly string[],
): void {
  const networks = document.get('networks');
  if (!isMap(networks)) return;
  const present = networks.get(network);
  const gone = new Set(remove);
  if (isSeq(present)) {
    present.items = present.items.filter((item) => !gone.has(String((item as Node).toJSON())));
    for (const member of add) present.add(document.createNode(member));
    return;
  }
  const kept = gone.has(String(present)) ? [] : [String(present)];
  const made = document.createNode([...kept, ...add]) as YAMLSeq;
  made.flow = true;
  networks.set(network, made);
}

const contains = (node: Node | undefined | null, offset: number): boolean => {
  const range = node?.range;
  return range !== undefined && range !== null && range[0] <= offset && offset < range[2];
};

const offsetOf = ({ lines }: ParsedFile, { line, column }: SourceLocation): number =>
  (lines.lineStarts[line - 1] ?? 0) + column - 1;

interface FoundEntry {
  readonly item: YAMLMap;
  readonly list: YAMLSeq;
  /** The host or role whose list it is. */
  readonly owner: YAMLMap;
}

/** The entry of a list of rules that contains the location. */
function itemAt(file: ParsedFile, location: SourceLocation): FoundEntry | undefined {
  const offset = offsetOf(file, location);
  for (const owner of owners(file.document))
    for (const name of LISTS) {
      const list = owner.get(name);
      if (!isSeq(list)) continue;
      const item = list.items.find((one): one is YAMLMap => isMap(one) && contains(one, offset));
      if (item !== undefined) return { item, list, owner };
    }
  return undefined;
}

/** The mappings that have lists of rules: the hosts of a file with `hosts`, else the whole file. */
function owners({ contents }: Document.Parsed): readonly YAMLMap[] {
  if (!isMap(contents)) return [];
  const hosts = contents.get('hosts');
  return isMap(hosts)
    ? hosts.items.flatMap(({ value }) => (isMap(value) ? [value] : []))
    : [contents as YAMLMap];
}

/** The host at a location: that of its name in a file with `hosts`, else the whole file. */
function mapAt(file: ParsedFile, location: SourceLocation): YAMLMap | undefined {
  const { contents } = file.document;
  if (!isMap(contents)) return undefined;
  const hosts = contents.get('hosts');
  if (!isMap(hosts)) return contents as YAMLMap;
  const offset = offsetOf(file, location);
  const pair = hosts.items.find(
    ({ key, value }) => contains(key as Node, offset) || contains(value as Node, offset),
  );
  return isMap(pair?.value) ? pair.value : undefined;
}
