/** Every extension that the installed iptables brings has a row in the table, or a reason why it has none. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES, type Family } from '../../../src/lib/family.js';
import { findExtension } from '../../../src/netfilter/extensions/index.js';

/** Kept as they stand, and why; `docs/policy.md` names them. */
const VERBATIM: Readonly<Record<string, string>> = {
  CLUSTERIP: 'gone from the kernel since 6.3; the match cluster does its work',
  ULOG: 'gone from the kernel since 3.17; NFLOG took its place',
  standard: 'no extension: the verdicts themselves',
  NAT: 'the library of DNAT, SNAT, MASQUERADE, REDIRECT and NETMAP, which have rows',
};

const LIBRARY = /^lib(xt|ipt|ip6t)_(.+)\.so$/;
const FAMILIES_OF: Readonly<Record<string, readonly Family[]>> = { xt: FAMILIES, ipt: ['v4'], ip6t: ['v6'] };

/** /usr/lib/xtables, or below the name of the machine's kind (Debian). */
const FOLDERS = ['', ...readdirSync('/usr/lib')].map((kind) => join('/usr/lib', kind, 'xtables'));
const libraries = FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) => readdirSync(folder));

test('the libraries are found', () => {
  expect(libraries.length).toBeGreaterThan(80);
});

test.each(libraries.filter((name) => LIBRARY.test(name)))('%s', (library) => {
  const [, kind = '', name = ''] = LIBRARY.exec(library) ?? [];
  if (VERBATIM[name] !== undefined) return;
  // A library for both may hold an extension of one family alone, such as osf.
  const found = (FAMILIES_OF[kind] ?? []).some((family) =>
    (['match', 'target'] as const).some((each) => findExtension(each, family, name) !== undefined),
  );
  expect(found).toBe(true);
});
