/** Commands over files alone: compare and explain. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { sallyport } from '../terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-files-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, text: string): string => {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
};
const rules = (...lines: readonly string[]): string =>
  `*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n${lines.map((line) => `${line}\n`).join('')}COMMIT\n`;

const WEB = '-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT';
const SSH = '-A INPUT -s 203.0.113.0/28 -p tcp -m tcp --dport 22 -j ACCEPT';

describe('compare', () => {
  test('ends with 2 and names what opens', async () => {
    const [old, next] = [file('old.v4', rules(SSH)), file('new.v4', rules(SSH, WEB))];
    const { status, stdout, stderr } = await sallyport(['compare', old, next]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    expect(stdout).toMatch(/^Opens 1\.\n/);
    expect(stdout).toContain('+ https (tcp/443) from anywhere');
    expect(stdout).toContain(`+ ${WEB}`);
  });

  test('answers in JSON as documented', async () => {
    const [old, next] = [file('old.v4', rules(SSH, WEB)), file('new.v4', rules(SSH))];
    const { status, stdout } = await sallyport(['compare', old, next, '--format', 'json']);
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      equal: false,
      opened: [],
      closed: [{ family: 'v4', hook: 'INPUT', protocol: 'tcp', dport: ['443'] }],
      possiblyOpened: [],
      possiblyClosed: [],
    });
  });

  test('ends with 0 when the same traffic passes, whatever the order of the rules', async () => {
    const [old, next] = [file('old.v4', rules(SSH, WEB)), file('new.v4', rules(WEB, SSH))];
    expect(await sallyport(['compare', old, next])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^The same traffic, proved for every packet; the rules differ\.\n/),
    });
    expect(await sallyport(['compare', old, old])).toMatchObject({
      status: 0,
      stdout: 'The same traffic, proved for every packet; the rules are the same.\n',
    });
  });

  test('takes folders with both families', async () => {
    for (const [name, v6] of [
      ['a', rules()],
      ['b', rules('-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT')],
    ] as const) {
      file(`${name}/rules.v4`, rules(SSH));
      file(`${name}/rules.v6`, v6);
    }
    const { status, stdout } = await sallyport([
      'compare',
      join(directory, 'a'),
      join(directory, 'b'),
      '--format',
      'json',
    ]);
    expect(status).toBe(2);
    expect(JSON.parse(stdout).opened).toMatchObject([{ family: 'v6', dport: ['443'] }]);
  });

  test('reports a file that does not load, with its location', async () => {
    const bad = file('bad.v4', '*filter\n-A INPUT -p tcp --dport x -j ACCEPT\nCOMMIT\n');
    const { status, stderr } = await sallyport(['compare', bad, bad]);
    expect(status).toBe(1);
    expect(stderr).toContain(`${bad}:2:`);
  });
});

describe('explain --rules', () => {
  const packet = ['--src', '198.51.100.7', '--dst', '203.0.113.10'];

  test('answers with the rule that decides, one line of JSON', async () => {
    const path = file('rules.v4', rules(SSH, WEB));
    const { status, stdout } = await sallyport(['explain', '--rules', path, ...packet, '--dport', '443']);
    expect(status).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'accept',
      rule: {
        table: 'filter',
        chain: 'INPUT',
        number: 2,
        text: WEB.replace('-A INPUT ', ''),
        source: { line: 6 },
      },
      assumptions: [],
    });
  });

  test('answers many packets in their order', async () => {
    const path = file('rules.v4', rules(SSH, WEB));
    const one = (dport: number) =>
      JSON.stringify({ hook: 'INPUT', src: '198.51.100.7', dst: '203.0.113.10', protocol: 'tcp', dport });
    const { stdout } = await sallyport(['explain', '--rules', path, '--packets', '-'], {
      stdin: `${one(443)}\n${one(22)}\n`,
    });
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).verdict),
    ).toEqual(['accept', 'drop']);
  });

  test('asks for what is missing', async () => {
    const path = file('rules.v4', rules(SSH));
    expect(await sallyport(['explain', '--rules', path])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('Missing field "src".'),
    });
    expect(await sallyport(['explain'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--rules'),
    });
  });
});
