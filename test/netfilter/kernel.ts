/** The installed iptables as a judge: texts loaded and saved in throw-away network namespaces. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Family } from '../../src/lib/family.js';
import { formatProblem } from '../../src/lib/problem.js';
import type { TableName } from '../../src/netfilter/model.js';
import { withBuiltIns } from '../../src/netfilter/tables.js';
import { formatRules } from '../../src/netfilter/text/fmt.js';
import { stripVolatile } from '../../src/netfilter/text/normalise.js';
import { printTables } from '../../src/netfilter/text/print.js';

export type Backend = 'nft' | 'legacy';

export interface Judge {
  readonly backend: Backend;
  readonly family: Family;
}

export const judges: readonly Judge[] = (['nft', 'legacy'] as const).flatMap((backend) =>
  (['v4', 'v6'] as const).map((family) => ({ backend, family })),
);

/** What iptables-save printed after the text was loaded, without comments and counters; or why it was refused. */
export type Verdict = { readonly saved: string } | { readonly refused: string };

const PROGRAM: { readonly [family in Family]: string } = { v4: 'iptables', v6: 'ip6tables' };
const TABLES: readonly TableName[] = ['raw', 'mangle', 'nat', 'filter', 'security'];

/** A folder with another Debian in it, whose iptables is asked instead of the installed one. */
const ROOT = process.env.SALLYPORT_IPTABLES_ROOT ?? '';

/** Runs a script in network and mount namespaces of its own. */
const run = (script: string): string => {
  const elsewhere = `mount --bind /proc '${ROOT}/proc' && exec chroot '${ROOT}' sh -c "$1"`;
  return execFileSync(
    'unshare',
    ['-n', '-m', 'sh', '-c', ROOT === '' ? 'eval "$1"' : elsewhere, 'sh', script],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
    },
  );
};

/** `1.8.9` */
export const VERSION = /v([\d.]+)/.exec(run('iptables --version'))?.[1] ?? 'unknown';

/** Sets that generated rules may name. */
const SETS: { readonly [family in Family]: string } = {
  v4: 'ipset create set4 hash:net family inet; ipset create set-a hash:ip,port family inet',
  v6: 'ipset create set4 hash:net family inet6; ipset create set-a hash:ip,port family inet6',
};

/** Loads each text into one namespace, which has the sets, saves it, and empties the tables that it named. */
export function judgeAll(judge: Judge, texts: readonly string[]): readonly Verdict[] {
  const folder = mkdtempSync(join(ROOT, tmpdir(), 'sallyport-judge-'));
  const tool = `${PROGRAM[judge.family]}-${judge.backend}`;
  try {
    for (const [index, text] of texts.entries()) {
      writeFileSync(join(folder, `${index}.in`), text);
      const used = TABLES.filter((table) => text.includes(`*${table}`));
      writeFileSync(join(folder, `${index}.clear`), printTables(withBuiltIns([], used)));
    }
    const script = `
      ${SETS[judge.family]}
      cd '${folder.slice(ROOT.length)}'
      for file in *.in; do
        if ${tool}-restore < $file > /dev/null 2> \${file%.in}.err; then ${tool}-save > \${file%.in}.out 2> /dev/null; fi
        ${tool}-restore < \${file%.in}.clear
      done`;
    if (texts.length > 0) run(script);
    return texts.map((_, index): Verdict => {
      const saved = join(folder, `${index}.out`);
      // Before 1.8.8 a rule without a target ends in a space.
      if (existsSync(saved))
        return { saved: stripVolatile(readFileSync(saved, 'utf8')).replace(/ +$/gm, '') };
      return {
        refused: readFileSync(join(folder, `${index}.err`), 'utf8')
          .trim()
          .replace(/\s+/g, ' '),
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `fmt` makes of the text, in the same words as a verdict. */
export function format(family: Family, text: string): Verdict {
  const formatted = formatRules(text, family, 'rules');
  return formatted.ok
    ? { saved: formatted.value }
    : { refused: formatted.problems.map(formatProblem).join('\n') };
}

/**
 * A saved text table by table, without tables that hold nothing: the order of tables and whether empty ones are
 * shown differ between backends and mean nothing.
 */
export function byTable(saved: string): ReadonlyMap<string, string> {
  const tables = saved.split(/^(?=\*)/m).filter((part) => /^-A |^:\S+ (-|DROP) /m.test(part));
  return new Map(tables.map((part) => [part.slice(1, part.indexOf('\n')), part]));
}

/** One line for a person: the rules of a verdict, or why there are none. */
export const inWords = (verdict: Verdict): string =>
  'refused' in verdict
    ? `refused: ${verdict.refused.slice(0, 200)}`
    : (verdict.saved.match(/^(-A|:\S+ (-|DROP)) .*$/gm) ?? []).join(' | ');

const sameTables = (a: string, b: string): boolean => {
  const [left, right] = [byTable(a), byTable(b)];
  return left.size === right.size && [...left].every(([name, text]) => right.get(name) === text);
};

/** Both refuse, or both accept and print the same. */
export const agree = (a: Verdict, b: Verdict): boolean =>
  'refused' in a || 'refused' in b ? 'refused' in a && 'refused' in b : sameTables(a.saved, b.saved);

/** Words by which iptables-nft says that the kernel lacks something. */
export const LACKING =
  /missing kernel module|Couldn't load |RULE_APPEND failed \(No such file or directory\)/;
