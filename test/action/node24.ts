/** The Node that runs actions: this one when it is 24, else the one that npm brings, kept in `.cache`. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const VERSION = 24;

export function node24(): string {
  if (process.versions.node.startsWith(`${VERSION}.`)) return process.execPath;
  const cache = join(import.meta.dirname, '../../.cache/node24');
  const name =
    process.platform === 'darwin'
      ? `node-bin-darwin-${process.arch}`
      : `node-${process.platform}-${process.arch}`;
  const binary = join(cache, 'node_modules', name, 'bin/node');
  if (!existsSync(binary))
    execFileSync(
      'npm',
      ['install', '--no-save', '--no-package-lock', '--prefix', cache, `${name}@${VERSION}`],
      { stdio: 'pipe' },
    );
  return binary;
}
