import { expect, test } from '@jest/globals';
import { familyOfName, readRulesFile } from '../../../src/commands/inputs/rules-file.js';

test.each([
  ['rules.v4', 'v4'],
  ['/etc/iptables/rules.v6', 'v6'],
  ['ip6tables.save', 'v6'],
  ['iptables.save', 'v4'],
  ['v6/rules', 'v4'],
] as const)('%s is %s by its name', (path, family) => {
  expect(familyOfName(path)).toBe(family);
});

test('a folder has both families and the sets', () => {
  const read = readRulesFile({
    kind: 'folder',
    path: 'build/web-1',
    v4: '*filter\nCOMMIT\n',
    v6: '*mangle\nCOMMIT\n',
    sets: 'create s hash:net family inet hashsize 1024 maxelem 65536\n',
  });
  expect(read).toMatchObject({
    ok: true,
    value: { v4: [{ name: 'filter' }], v6: [{ name: 'mangle' }], sets: [{ name: 's' }] },
  });
});

test('problems of a file carry its own path', () => {
  const read = readRulesFile({ kind: 'file', path: 'my rules', text: '*filter\n-A INPUT -j\nCOMMIT\n' });
  expect(read.ok).toBe(false);
  expect(read.problems[0]?.location).toMatchObject({ file: 'my rules', line: 2 });
});
