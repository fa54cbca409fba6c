/** applyEdits() changes only the lines of the edits, whatever the style of the file. */
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { applyEdits, type Edit } from '../../src/adopt/edits.js';

const FILE = 'policies/hosts/a.yml';
const at = (line: number, column: number) => ({ kind: 'policy' as const, file: FILE, line, column });
const edit = (text: string, ...edits: readonly Edit[]): string =>
  applyEdits(new Map([[FILE, text]]), edits).get(FILE) ?? '';

const add = (line: number, column: number, after?: readonly [number, number]): Edit => ({
  kind: 'add',
  host: at(line, column),
  list: 'input',
  entry: { allow: 'tcp/9443', reason: 'New' },
  ...(after && { after: at(...after) }),
});
const NEW = '{ allow: tcp/9443, reason: New }';

describe('applyEdits() adds a rule', () => {
  test('to a host without rules, at the end', () => {
    expect(edit('address: 192.0.2.1   # office\nroles:   [web]\n', add(1, 1))).toBe(
      'address: 192.0.2.1   # office\nroles:   [web]\ninput:\n  - {allow: tcp/9443, reason: New}\n',
    );
  });

  test('after its anchor, several in their order', () => {
    const text =
      'address: 192.0.2.1\ninput:\n    - { allow: http, reason: "a" }\n    - { allow: ssh, reason: "b" }\n';
    const second: Edit = {
      ...add(1, 1, [3, 9]),
      kind: 'add',
      list: 'input',
      host: at(1, 1),
      entry: { deny: 'any' },
    };
    expect(edit(text, add(1, 1, [3, 9]), second)).toBe(
      `address: 192.0.2.1\ninput:\n    - { allow: http, reason: "a" }\n    - ${NEW}\n    - { deny: any }\n    - { allow: ssh, reason: "b" }\n`,
    );
  });

  test('to one of many hosts; the others keep their style', () => {
    const text =
      'hosts:\n  a-1:   { address: 192.0.2.1 }   # one\n  a-2: { address: 192.0.2.2 }\n  a-3:   { address: 192.0.2.3 }\n';
    const after = edit(text, add(3, 3));
    expect(after).toContain('  a-1:   { address: 192.0.2.1 }   # one\n');
    expect(after).toContain('  a-3:   { address: 192.0.2.3 }\n');
    expect(after).toContain(`  a-2:\n    address: 192.0.2.2\n    input:\n      - ${NEW}\n`);
  });

  test('in a file with CRLF line ends, which stay', () => {
    const after = edit('address: 192.0.2.1\r\nroles: [web]\r\n', add(1, 1));
    expect(after).toBe(
      'address: 192.0.2.1\r\nroles: [web]\r\ninput:\r\n  - {allow: tcp/9443, reason: New}\r\n',
    );
  });
});

describe('applyEdits() removes a rule', () => {
  const text = `# head
input:
- allow: http # the site
  reason: a

# about ssh
- allow: ssh
  from:    admin
  reason: b
# the end
`;
  const remove = (line: number, column: number): Edit => ({
    kind: 'remove',
    entry: at(line, column),
    list: 'input',
  });

  test('with the comment above it, and nothing else', () => {
    expect(edit(text, remove(7, 3))).toBe(
      '# head\ninput:\n- allow: http # the site\n  reason: a\n\n# the end\n',
    );
  });

  test('that is the first one', () => {
    const after = edit(text, remove(3, 3));
    expect(after).not.toContain('http');
    expect(after).toContain('# about ssh\n- allow: ssh\n  from:    admin\n  reason: b\n');
  });

  test('and its list, if it is the only one', () => {
    expect(edit('address: 192.0.2.1\ninput:\n  - deny: any\n', remove(3, 5))).toBe('address: 192.0.2.1\n');
  });
});

test('applyEdits() reformats a file with two indentations rather than break it', () => {
  const text =
    'hosts:\n      a-1:\n        address: 192.0.2.1\n        input:\n        - deny: any\n      a-2: {address: 192.0.2.2}\n';
  const after = edit(text, {
    ...add(2, 7, [5, 11]),
    kind: 'add',
    list: 'input',
    host: at(2, 7),
    entry: { deny: 'any' },
  });
  expect(parse(after)).toEqual({
    hosts: {
      'a-1': { address: '192.0.2.1', input: [{ deny: 'any' }, { deny: 'any' }] },
      'a-2': { address: '192.0.2.2' },
    },
  });
});

test('applyEdits() ignores a location without an entry', () => {
  const text = 'address: 192.0.2.1\ninput: &shared\n  - deny: any\n';
  expect(edit(text, { kind: 'remove', entry: at(9, 1), list: 'input' })).toBe(text);
  expect(edit('- a\n- b\n', add(1, 1))).toBe('- a\n- b\n');
});
