/** `report`: the plans, or the outcomes, of many jobs as one. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { error, type Problem, type Result } from '../lib/problem.js';
import { mergeOutcomes, mergePlans, type ReportFile } from '../rollout/results/merge.js';
import type { Outcomes, Plan } from '../rollout/results/model.js';
import { readOutcomes, readPlan } from '../rollout/results/read.js';

export type Report =
  | { readonly kind: 'plan'; readonly value: Plan }
  | { readonly kind: 'outcomes'; readonly value: Outcomes };

interface Text {
  readonly file: string;
  readonly text: string;
}

/** Nobody's reports are larger, and a job has memory for these. */
const MOST_FILES = 1000;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Reads and merges reports. Problems may stand beside the value: what a shard did not deliver is an error, and what the
 * others did is still worth reading.
 * @param paths Files, and folders that are searched for `*.json`.
 */
export async function report(paths: readonly string[]): Promise<Result<Report>> {
  const searched = await Promise.all(paths.map(found));
  const absent = searched.flatMap((one) => (one.ok ? [] : one.problems));
  if (absent.length > 0) return failed(absent);
  const files = searched.flatMap((one) => (one.ok ? one.value : [])).toSorted();
  if (files.length === 0)
    return failed([
      error('no-reports', `No report found in ${paths.join(', ')}.`, {
        hint: 'Check why the jobs of the shards failed.',
      }),
    ]);
  if (files.length > MOST_FILES)
    return failed([
      error('too-many-reports', `There are more than ${MOST_FILES} files in ${paths.join(', ')}.`),
    ]);
  const texts: Text[] = [];
  for (const file of files) {
    if ((await stat(file)).size > MOST_BYTES)
      return failed([error('report-too-large', `${file} is larger than ${MOST_BYTES / 1024 / 1024} MiB.`)]);
    texts.push({ file, text: await readFile(file, 'utf8') });
  }
  return merge(texts);
}

function merge(files: readonly Text[]): Result<Report> {
  const plans = files.filter((file) => hasKey(file, 'digest'));
  if (plans.length === 0) return as('outcomes', files, readOutcomes, mergeOutcomes);
  if (files.every((file) => hasKey(file, 'digest') || !hasKey(file, 'outcome')))
    return as('plan', files, readPlan, mergePlans);
  return failed([
    error('reports-unlike', 'These reports are of plans and of deploys.', {
      hint: 'Give only plans, or only deploy reports.',
    }),
  ]);
}

/** Near its start, where reports have it; escaped quotes keep what hosts say from looking like a key. */
const hasKey = ({ text }: Text, key: string): boolean => text.slice(0, 4096).includes(`"${key}":`);

/** A file that cannot be read is a problem of its shard; the others still count. */
function as<K extends Report['kind'], T>(
  kind: K,
  files: readonly Text[],
  read: (text: string, file: string) => Result<T>,
  mergeAll: (delivered: readonly ReportFile<T>[]) => Result<T>,
): Result<{ readonly kind: K; readonly value: T }> {
  const delivered: ReportFile<T>[] = [];
  const unreadable: Problem[] = [];
  for (const { file, text } of files) {
    const one = read(text, file);
    unreadable.push(...one.problems);
    if (one.ok) delivered.push({ file, value: one.value });
  }
  if (delivered.length === 0) return failed(unreadable);
  const merged = mergeAll(delivered);
  const problems = [...unreadable, ...merged.problems];
  return merged.ok ? { ok: true, value: { kind, value: merged.value }, problems } : failed(problems);
}

const failed = (problems: readonly Problem[]) => ({ ok: false, problems }) as const;

/** What is named may be a link; in a folder none is followed: whoever made the folder may have put them there. */
async function found(path: string): Promise<Result<readonly string[]>> {
  try {
    if (!(await stat(path)).isDirectory()) return { ok: true, value: [path], problems: [] };
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
      .map((entry) => join(entry.parentPath, entry.name));
    return { ok: true, value: files, problems: [] };
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    return failed([
      error(
        'cannot-read',
        code === 'ENOENT' ? `No such file or folder: ${path}.` : `${path} cannot be read: ${message}.`,
        { hint: 'Check the path, and that the artifacts were downloaded.' },
      ),
    ]);
  }
}
