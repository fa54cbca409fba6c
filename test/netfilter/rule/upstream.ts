/**
 * The cases that iptables itself is tested with (`extensions/*.t`), taken from Debian's source package at test time
 * and kept in the cache folder: they are GPL and no part of this project.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../../.cache/iptables-source');

export interface UpstreamCase {
  readonly file: string;
  readonly table: string;
  readonly chain: string;
  readonly rule: string;
  /** The saved text that upstream expects; `undefined` when the rule must be refused. */
  readonly expected: string | undefined;
}

/** The folder of the cases, or why they cannot be had. */
export function fetchCases(): { readonly folder: string } | { readonly missing: string } {
  const found = casesFolder();
  if (found !== undefined) return { folder: found };
  try {
    download();
  } catch (problem) {
    return { missing: `the source package cannot be fetched: ${String(problem).slice(0, 200)}` };
  }
  const fetched = casesFolder();
  return fetched === undefined
    ? { missing: 'the source package has no extensions/*.t' }
    : { folder: fetched };
}

function casesFolder(): string | undefined {
  const source = existsSync(CACHE)
    ? readdirSync(CACHE).find((name) => /^iptables-[\d.]+$/.test(name))
    : undefined;
  const folder = source && join(CACHE, source, 'extensions');
  return folder && existsSync(folder) ? folder : undefined;
}

/** Through apt with a list of sources of its own, so that the machine's configuration stays as it is. */
function download(): void {
  mkdirSync(join(CACHE, 'lists/partial'), { recursive: true });
  const release = readFileSync('/etc/os-release', 'utf8').match(/VERSION_CODENAME=(\w+)/)?.[1] ?? 'bookworm';
  const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(
    join(CACHE, 'sources.list'),
    `deb-src [signed-by=${key}] http://deb.debian.org/debian ${release} main\n`,
  );
  const options = [
    `Dir::Etc::sourcelist=${CACHE}/sources.list`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${CACHE}/lists`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const run = (program: string, ...args: readonly string[]): unknown =>
    execFileSync(program, args, { cwd: CACHE, stdio: 'ignore', timeout: 120_000 });
  run('apt-get', ...options, 'update');
  run('apt-get', ...options, 'source', '--download-only', 'iptables');
  const archive = readdirSync(CACHE).find((name) => /\.orig\.tar\.\w+$/.test(name));
  if (archive === undefined) throw new Error('no archive came');
  run('tar', 'xf', archive);
}

/** Lines such as `rule;expected;result`, after lines that say chains and table; `@` and `%` lines prepare the host. */
export function readCases(folder: string): readonly UpstreamCase[] {
  const files = readdirSync(folder).filter((name) => /^(libxt|libipt|libip6t|iptables).*\.t$/.test(name));
  return files.flatMap((file) => {
    let chain = 'INPUT';
    let table = 'filter';
    return readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .flatMap((line): UpstreamCase[] => {
        if (line.startsWith(':')) chain = line.slice(1).split(',')[0] ?? chain;
        if (line.startsWith('*')) table = line.slice(1);
        const [rule = '', expected = '', result] = line.split(';');
        if (/^[#@%:*]|^$/.test(line) || result === undefined) return [];
        const ok = result === 'OK' ? (expected === '=' ? rule : expected) : undefined;
        return [{ file, table, chain, rule, expected: ok }];
      });
  });
}
