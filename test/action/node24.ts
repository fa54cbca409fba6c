/** The Node that runs actions: this one when it is 24, else the one that npm brings, kept in `.cache`. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const VERSION = 24;
const CACHE = join(import.meta.dirname, '../../.cache');

export function node24(cache = CACHE): string {
  if (process.versions.node.startsWith(`${VERSION}.`)) return process.execPath;
  const name =
    process.platform === 'darwin'
      ? `node-bin-darwin-${process.arch}`
      : `node-${process.platform}-${process.arch}`;
  const binary = join(cache, 'node24/node_modules', name, 'bin/node');
  if (!existsSync(binary)) install(cache, `${name}@${VERSION}`);
  return binary;
}

/** Installed aside and moved into place: tests side by side ask at once, and half a binary cannot be run (ETXTBSY). */
function install(cache: string, wanted: string): void {
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'node24-'));
  try {
    execFileSync('npm', ['install', '--no-save', '--no-package-lock', '--prefix', aside, wanted], {
      stdio: 'pipe',
    });
    renameSync(aside, join(cache, 'node24'));
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(join(cache, 'node24/node_modules'))) throw error;
  }
}
