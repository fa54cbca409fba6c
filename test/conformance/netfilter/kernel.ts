/** The installed iptables as a judge: texts loaded and saved in throw-away network namespaces. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Family } from '../../../src/netfilter/model.js';
import { stripVolatile } from '../../../src/netfilter/normalise.js';

export type Backend = 'nft' | 'legacy';
export const BACKENDS: readonly Backend[] = ['nft', 'legacy'];

const PROGRAM: { readonly [family in Family]: string } = { v4: 'iptables', v6: 'ip6tables' };

/** What iptables-save printed after the text was loaded, without comments and counters; or why it was refused. */
export type Verdict = { readonly saved: string } | { readonly refused: string };

export interface Judge {
  readonly backend: Backend;
  readonly family: Family;
}

export const judges: readonly Judge[] = BACKENDS.flatMap((backend) => [
  { backend, family: 'v4' as const },
  { backend, family: 'v6' as const },
]);

/** Loads each text into a fresh state of one namespace and saves it. `setup` runs first (ipset, devices). */
export function judgeAll(judge: Judge, texts: readonly string[], setup = ''): readonly Verdict[] {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-judge-'));
  try {
    for (const [index, text] of texts.entries()) writeFileSync(join(folder, `${index}.in`), text);
    const tool = `${PROGRAM[judge.family]}-${judge.backend}`;
    const script = `
      ${setup}
      cd '${folder}'
      for file in $(ls | sed -n 's/\\.in$//p'); do
        if ${tool}-restore < $file.in > /dev/null 2> $file.err; then ${tool}-save > $file.out 2> /dev/null; fi
        ${EMPTY[judge.family]} | ${tool}-restore > /dev/null 2>&1
      done`;
    execFileSync('unshare', ['-n', 'sh', '-c', script], { maxBuffer: 1 << 28 });
    return texts.map((_, index) => {
      const saved = join(folder, `${index}.out`);
      if (existsSync(saved)) return { saved: stripVolatile(readFileSync(saved, 'latin1')) };
      return { refused: readFileSync(join(folder, `${index}.err`), 'utf8').trim() };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const tables = ['raw', 'mangle', 'nat', 'filter', 'security'];
const emptying = `printf '${tables.map((table) => `*${table}\\nCOMMIT\\n`).join('')}'`;
const EMPTY: { readonly [family in Family]: string } = { v4: emptying, v6: emptying };

/** One text; see `judgeAll`. */
export const judge = (by: Judge, text: string, setup = ''): Verdict =>
  judgeAll(by, [text], setup)[0] ?? { refused: 'nothing was run' };

/** Words by which iptables says that the kernel lacks the module of an extension. */
const MISSING =
  /missing kernel module|No chain\/target\/match by that name|not supported|RULE_APPEND failed \(No such file or directory\)/;

export const lacksModule = (verdict: Verdict): boolean =>
  'refused' in verdict && MISSING.test(verdict.refused);

/** The lines `-A CHAIN …` of one table of a saved text. */
export function rulesOf(saved: string, table: string): readonly string[] {
  const lines = saved.split('\n');
  const start = lines.indexOf(`*${table}`);
  const end = lines.indexOf('COMMIT', start);
  return start === -1 ? [] : lines.slice(start, end).filter((line) => line.startsWith('-A '));
}

/** A saved text table by table, so that the order of tables, which differs between backends, means nothing. */
export function byTable(saved: string): ReadonlyMap<string, string> {
  const tables = saved.split(/^(?=\*)/m).filter((part) => part !== '');
  return new Map(tables.map((part) => [part.slice(1, part.indexOf('\n')), part]));
}
