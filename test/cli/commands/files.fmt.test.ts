import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { sallyport } from '../terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-fmt-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

const LOOSE = '*filter\n-A INPUT -p tcp --dport ssh -j ACCEPT\nCOMMIT\n';
const CANONICAL = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
`;

describe('fmt', () => {
  test('prints the canonical form of a file, and of standard input', async () => {
    const path = file('rules.v4', LOOSE);
    expect(await sallyport(['fmt', path])).toEqual({ status: 0, stdout: CANONICAL, stderr: '' });
    expect(await sallyport(['fmt', '-'], { stdin: LOOSE })).toEqual({
      status: 0,
      stdout: CANONICAL,
      stderr: '',
    });
  });

  test('takes IPv6 from the name of the file, its content, or --family', async () => {
    const text = LOOSE.replace('-p', '-s 2001:db8::/32 -p');
    for (const argv of [
      ['fmt', file('rules.v6', text)],
      ['fmt', file('any.txt', text)],
      ['fmt', file('other.txt', text), '--family', 'v6'],
    ])
      expect(await sallyport(argv)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('-A INPUT -s 2001:db8::/32 -p tcp -m tcp --dport 22 -j ACCEPT'),
      });
  });

  test('reports what would not load with file, line and column, and prints nothing else', async () => {
    const path = file(
      'bad.v4',
      '*filter\n-A INPUT -p tcp --dport 99999 -j ACCEPT\n-A INPUT -j MISSING\nCOMMIT\n',
    );
    const { status, stdout, stderr } = await sallyport(['fmt', path]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^${path}:2:\\d+: `, 'm'));
  });

  test('writes into a file, with the folders above it', async () => {
    const output = join(directory, 'deep/er/out.v4');
    expect(await sallyport(['fmt', file('in.v4', LOOSE), '-o', output])).toMatchObject({
      status: 0,
      stdout: '',
    });
    expect(readFileSync(output, 'utf8')).toBe(CANONICAL);
  });

  test('says in a sentence that a file is not there', async () => {
    const path = join(directory, 'absent');
    expect(await sallyport(['fmt', path])).toEqual({
      status: 1,
      stdout: '',
      stderr: `${path} cannot be read: no such file.\n`,
    });
  });
});

describe('colour', () => {
  const wrong = () => file('colour.v4', 'nonsense\n');
  const isColoured = async (env: Readonly<Record<string, string>>, tty: boolean): Promise<boolean> =>
    (await sallyport(['fmt', wrong()], { env, tty })).stderr.includes('\u001b[3');

  test.each([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
  ] as const)('with %j on a terminal (%s): %s', async (env, tty, expected) => {
    expect(await isColoured(env, tty)).toBe(expected);
  });
});
