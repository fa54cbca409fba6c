/** Runs scripts in a temporary network namespace of the real kernel, with files beside them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVolatile } from '../../src/netfilter/text/normalise.js';

export type Backend = 'nft' | 'legacy';
export const BACKENDS: readonly Backend[] = ['nft', 'legacy'];

/**
 * Runs a script where `$v4` and `$v6` are the tools of a backend (`$v4-restore`), in a folder that has the files, and
 * gives back what it wrote into files of the names asked for.
 * @throws with what the script printed, when it fails.
 */
export function inKernel(
  backend: Backend,
  files: { readonly [name: string]: string },
  script: string,
  wanted: readonly string[],
): { readonly [name: string]: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-compile-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const head = `set -e; cd '${folder}'; v4=iptables-${backend}; v6=ip6tables-${backend}\n`;
    execFileSync('unshare', ['-n', 'sh', '-c', head + script], {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    return Object.fromEntries(wanted.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A saved text as it can be compared: by table, without counters, comments and tables that hold nothing (which of
 * those are shown, and in which order, differs between backends).
 */
export const tablesOf = (saved: string): readonly string[] =>
  stripVolatile(saved)
    .split(/^(?=\*)/m)
    .filter((part) => /^-A |^:\S+ (-|DROP) /m.test(part))
    .toSorted();

/** A set as `ipset save` prints it, without the seed and the order of its hash table, which are the kernel's own. */
export const setLines = (saved: string): readonly string[] =>
  saved
    .replace(/ bucketsize \d+| initval \S+/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .toSorted();
