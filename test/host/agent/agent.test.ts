/** The agent's script and answers, without a host. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { AGENT, commandLine, readAnswer, script } from '../../../src/host/agent/agent.js';
import type { CommandResult } from '../../../src/host/ssh/transport.js';
import type { Host } from '../../../src/policy/fleet.js';

const host = { name: 'web-1', address: '203.0.113.10', ssh: { user: 'deploy' } } as Host;
const ran = (stdout: string, rest: Partial<CommandResult> = {}): CommandResult => ({
  stdout,
  stderr: '',
  code: 0,
  lost: false,
  ...rest,
});

describe('the script', () => {
  test('reads the wall clock for its records only, not for deadlines', () => {
    const reads = AGENT.split('\n').filter((line) => /\bdate\b/.test(line.replace(/#.*/, '')));
    expect(reads.length).toBeGreaterThan(0);
    for (const line of reads) expect(line).toContain('fact time "$(date -u ');
  });

  test('is clean under shellcheck, as POSIX sh', () => {
    const { status, stdout } = spawnSync('shellcheck', ['-s', 'sh', '-'], { input: AGENT, encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  test.each([['dash'], ['busybox']])('is valid syntax for %s', (shell) => {
    const words = shell === 'busybox' ? ['sh', '-n'] : ['-n'];
    expect(spawnSync(shell, words, { input: AGENT, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  test('is run as root, with sudo for other users', () => {
    expect(commandLine(host)).toBe('sudo -n sh -s -- "$SSH_CONNECTION"');
    expect(commandLine({ ...host, ssh: { ...host.ssh, user: 'root' } })).toBe('sh -s -- "$SSH_CONNECTION"');
  });

  test('passes any text unchanged', () => {
    const text = `it's "quoted" $HOME \`id\` \\ back\nnext\ttab 'twice' ''\n\n€`;
    const sent = script('MARK', { verb: 'probe', variables: { TEXT: text } });
    const shown = sent.replace(AGENT, 'printf %s "$SP_TEXT"\n');
    for (const shell of [['dash'], ['busybox', 'sh']]) {
      const [command = '', ...words] = shell;
      expect(spawnSync(command, [...words, '-s'], { input: shown, encoding: 'utf8' }).stdout).toBe(text);
    }
  });

  test('does nothing when it is truncated at any position', () => {
    // `echo boom` replaces the agent: its output shows whether it runs.
    const begin = script('MARK', { verb: 'begin' }).replace(AGENT.replaceAll("'", `'\\''`), 'echo boom');
    expect(spawnSync('dash', ['-s'], { input: begin, encoding: 'utf8' }).stdout).toBe('boom\n');
    for (let length = 0; length < begin.length - 1; length++) {
      const cut = begin.slice(0, length);
      if (length % 7 !== 0 && length < begin.length - 24) continue;
      const { stdout } = spawnSync('dash', ['-s'], { input: cut, encoding: 'utf8' });
      expect([length, stdout]).toEqual([length, '']);
    }
    // Other requests contain the agent unquoted.
    const asked = script('MARK', { verb: 'probe' }).replace(
      '\n  probe) probe ;;\n',
      '\n  probe) echo boom && exit ;;\n',
    );
    expect(spawnSync('dash', ['-s'], { input: asked, encoding: 'utf8' }).stdout).toBe('boom\n');
    for (let length = 0; length < asked.length - 1; length++) {
      if (length % 1009 !== 0 && length < asked.length - 40) continue;
      const { stdout } = spawnSync('dash', ['-s'], { input: asked.slice(0, length), encoding: 'utf8' });
      expect([length, stdout]).toEqual([length, '']);
    }
  });
});

describe('an answer', () => {
  const section = (name: string, out: string, code = 0): string => `M > ${name}\n${out}\nM < ${code}\n`;

  test('has each section byte for byte, with its stderr and status', () => {
    const answer = readAnswer(
      'M',
      ran(`${section('v4', '*filter\nCOMMIT\n')}${section('v6', '', 3)}M done\n`, {
        stderr: 'M > v4\nM > v6\nno such table\n',
      }),
      host,
    );
    expect(answer).toEqual({
      kind: 'answer',
      lines: ['done'],
      sections: new Map([
        ['v4', { out: '*filter\nCOMMIT\n', err: '', code: 0 }],
        ['v6', { out: '', err: 'no such table\n', code: 3 }],
      ]),
    });
  });

  test('ignores text that looks like the frame of another request', () => {
    const text = 'N > v6\n# M < 0\n M done\n';
    const answer = readAnswer('M', ran(`${section('v4', text)}M done\n`), host);
    expect(answer.kind === 'answer' && answer.sections.get('v4')?.out).toBe(text);
  });

  test('without its last line is lost, or failed with the cause', () => {
    expect(readAnswer('M', ran(section('v4', ''), { lost: true }), host)).toEqual({ kind: 'lost' });
    const failed = (stderr: string, code = 1) => readAnswer('M', ran('', { stderr, code }), host);
    expect(failed('sudo: a password is required\n')).toMatchObject({ problem: { id: 'sudo-asks' } });
    expect(failed('sudo: sorry, you must have a tty to run sudo\n')).toMatchObject({
      problem: { id: 'sudo-asks' },
    });
    expect(failed('sh: 1: sudo: not found\n', 127)).toMatchObject({ problem: { id: 'sudo-missing' } });
    expect(failed('anna is not in the sudoers file.\n')).toMatchObject({ problem: { id: 'sudo-refuses' } });
    expect(failed('This account is currently not available.\n')).toMatchObject({
      problem: { id: 'agent-failed', message: expect.stringContaining('currently not available') },
    });
  });
});
