import { describe, expect, test } from '@jest/globals';
import { sallyport } from './terminal.js';

const COMMANDS = [
  'init',
  'check',
  'render',
  'plan',
  'deploy',
  'drift',
  'status',
  'rollback',
  'explain',
  'compare',
  'fmt',
  'demo',
];

describe('help', () => {
  test('names every command, first steps and exit statuses, on standard output', async () => {
    const { status, stdout, stderr } = await sallyport(['--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    expect(stdout).toContain('First steps:');
    expect(stdout).toContain('Exit status:');
  });

  test.each(COMMANDS)('%s has one with examples that start with the program', async (command) => {
    const { status, stdout } = await sallyport([command, '--help']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Examples:\n {2}(?:sudo )?sallyport |^Examples:\n {2}iptables-save \|/m);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
    expect(stdout).not.toContain('default: []');
  });

  test.each(COMMANDS)('the description of %s fills its lines', async (command) => {
    const { stdout } = await sallyport([command, '--help']);
    const [, about = ''] = stdout.split('\n\n');
    const lines = about.split('\n');
    for (const [index, line] of lines.slice(0, -1).entries()) {
      const [next = ''] = lines[index + 1]?.split(' ') ?? [];
      expect(`${line} ${next}`.length).toBeGreaterThan(80);
    }
  });
});

describe('a mistyped command line', () => {
  test.each([
    [['deplyo'], "unknown command 'deplyo'"],
    [['plan', '--hots', 'web-1'], "unknown option '--hots'"],
    [['plan', '--format', 'yaml'], 'Allowed choices are text, markdown, json'],
    [['rollback'], "missing required argument 'host'"],
    [['rollback', 'web-1', '--to', '0'], 'Expected a whole number from 1.'],
  ])('%j is refused with status 1, on standard error', async (argv, words) => {
    const { status, stdout, stderr } = await sallyport(argv);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(words);
  });
});

test('the version is printed', async () => {
  expect(await sallyport(['--version'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/\S\n$/) });
});
