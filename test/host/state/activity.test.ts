/**
 * Flows and listeners of a host, from what tools of a real one printed (Linux 6.18, conntrack 1.4.7, iproute2 6.1):
 * a peer at 10.9.0.2 and 2001:db8:9::2 with connections to tcp/8080 and tcp/9090 and an answered question to udp/53.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import activity from '../../../src/host/agent/activity.sh';
import { readActivity } from '../../../src/host/state/activity.js';

const OWN = ['10.9.0.1', '2001:db8:9::1'];
const captured = (name: string): string => readFileSync(join(import.meta.dirname, 'activity', name), 'utf8');

const SHELLS: readonly (readonly string[])[] = [['dash'], ['busybox', 'sh']];

/** What a function of the agent makes of a text, in every shell alike. */
function counted(command: string, input: string): string {
  const answers = SHELLS.map(([shell = '', ...words]) => {
    const { stdout, stderr } = spawnSync(shell, [...words, '-c', `${activity}\n${command}`], {
      input,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    return stdout.split('\n').sort().join('\n');
  });
  // Which ones are reported, if not all, is unspecified.
  const lines = (text: string): number => text.split('\n').length;
  if (answers.some((text) => lines(text) > 1000)) expect(new Set(answers.map(lines)).size).toBe(1);
  else expect(new Set(answers).size).toBe(1);
  return answers[0] ?? '';
}

const LISTENING = [
  { protocol: 'udp', port: 53, families: ['v4'] },
  { protocol: 'udp', port: 123, families: ['v4', 'v6'] },
  { protocol: 'tcp', port: 8080, families: ['v4'] },
  { protocol: 'tcp', port: 9090, families: ['v4', 'v6'] },
];
const TCP = [
  { direction: 'in', protocol: 'tcp', peer: '10.9.0.2', port: 8080, count: 1 },
  { direction: 'in', protocol: 'tcp', peer: '2001:db8:9::2', port: 9090, count: 1 },
];
const DNS = { direction: 'in', protocol: 'udp', peer: '10.9.0.2', port: 53, count: 1 };

test('the script is clean under shellcheck', () => {
  const { status, stdout } = spawnSync('shellcheck', ['-s', 'sh', '-e', 'SC2154', '-'], {
    input: activity,
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
});

describe('of connection tracking', () => {
  test.each(['nf_conntrack', 'conntrack'])('%s: both families, and answered UDP flows', (name) => {
    const text = `tracked\n${counted('count_tracked', captured(name))}\n${counted('count_sockets', captured('ss-listening'))}`;
    const read = readActivity(text, OWN);
    expect(read).toMatchObject({ tracked: true, more: false, flows: [...TCP, DNS] });
    expect(read?.listening).toHaveLength(4);
    expect(read?.listening).toEqual(expect.arrayContaining(LISTENING));
  });

  const entry = (words: string, answer: string, more = ''): string =>
    `tcp 6 431998 ESTABLISHED ${words} ${answer} [ASSURED] mark=0 ${more}use=1`;
  const read = (lines: string) =>
    readActivity(`tracked\nlisten tcp *:80\n${counted('count_tracked', lines)}`, OWN)?.flows;

  test('flows with the same peer and port are counted together, whatever their source port', () => {
    const flows = [1, 2, 3].map((port) =>
      entry(
        `src=198.51.100.7 dst=10.9.0.1 sport=${port} dport=80`,
        `src=10.9.0.1 dst=198.51.100.7 sport=80 dport=${port}`,
      ),
    );
    expect(read(flows.join('\n'))).toEqual([
      { direction: 'in', protocol: 'tcp', peer: '198.51.100.7', port: 80, count: 3 },
    ]);
  });

  test('outgoing flows are reported; new, closing, unanswered, forwarded, NATed and local ones are not', () => {
    const lines = [
      entry(
        'src=10.9.0.1 dst=198.51.100.7 sport=9 dport=443',
        'src=198.51.100.7 dst=10.9.0.1 sport=443 dport=9',
      ),
      'tcp 6 60 SYN_RECV src=198.51.100.8 dst=10.9.0.1 sport=9 dport=80 src=10.9.0.1 dst=198.51.100.8 sport=80 dport=9 mark=0 use=1',
      'tcp 6 60 TIME_WAIT src=198.51.100.8 dst=10.9.0.1 sport=9 dport=80 src=10.9.0.1 dst=198.51.100.8 sport=80 dport=9 [ASSURED] mark=0 use=1',
      'udp 17 20 src=10.9.0.1 dst=198.51.100.9 sport=9 dport=53 [UNREPLIED] src=198.51.100.9 dst=10.9.0.1 sport=53 dport=9 mark=0 use=1',
      'icmp 1 29 src=198.51.100.9 dst=10.9.0.1 type=8 code=0 id=1 src=10.9.0.1 dst=198.51.100.9 type=0 code=0 id=1 mark=0 use=1',
      entry(
        'src=172.17.0.2 dst=198.51.100.7 sport=9 dport=443',
        'src=198.51.100.7 dst=10.9.0.1 sport=443 dport=9',
      ),
      entry(
        'src=198.51.100.7 dst=10.9.0.1 sport=9 dport=8080',
        'src=172.17.0.2 dst=198.51.100.7 sport=80 dport=9',
      ),
      entry('src=127.0.0.1 dst=127.0.0.1 sport=9 dport=80', 'src=127.0.0.1 dst=127.0.0.1 sport=80 dport=9'),
    ];
    expect(read(lines.join('\n'))).toEqual([
      { direction: 'out', protocol: 'tcp', peer: '198.51.100.7', port: 443, count: 1 },
    ]);
  });

  test('at most 20,000 entries are examined and 1,000 kinds reported; more is set beyond that', () => {
    const many = (count: number): string =>
      Array.from({ length: count }, (_, index) =>
        entry(
          `src=10.${index >> 16}.${(index >> 8) & 255}.${index & 255} dst=10.9.0.1 sport=9 dport=80`,
          'src=10.9.0.1 dst=10.0.0.1 sport=80 dport=9',
        ),
      ).join('\n');
    const some = readActivity(`tracked\nlisten tcp *:80\n${counted('count_tracked', many(1200))}`, OWN);
    expect(some?.flows).toHaveLength(1000);
    expect(some?.more).toBe(true);
    const all = counted('count_tracked', many(20_001));
    expect(all).toContain('cut');
    expect(all.split('\n').length).toBeLessThan(1010);
  });
});

describe('of sockets', () => {
  test('ss: flows to a listening port are incoming', () => {
    const read = readActivity(counted('count_sockets', captured('ss-listening') + captured('ss')), OWN);
    expect(read).toMatchObject({ tracked: false, flows: TCP });
    expect(read?.listening).toEqual(expect.arrayContaining(LISTENING));
  });

  test('the files of /proc give the same result', () => {
    const files = ['tcp', 'tcp6', 'udp', 'udp6'].map((name) =>
      join(import.meta.dirname, `activity/proc-${name}`),
    );
    const there = activity.replaceAll(
      '/proc/net/$file',
      `${join(import.meta.dirname, 'activity')}/proc-$file`,
    );
    const { stdout } = spawnSync('dash', ['-c', `${there}\nproc_sockets | count_sockets`], {
      encoding: 'utf8',
    });
    expect(files).toHaveLength(4);
    const read = readActivity(stdout, OWN);
    expect(read).toMatchObject({ tracked: false, flows: TCP });
    expect(read?.listening).toEqual(expect.arrayContaining(LISTENING));
  });

  test.each([
    ['*:443', { port: 443, families: ['v4', 'v6'] }],
    ['[::]:443', { port: 443, families: ['v6'] }],
    ['0.0.0.0:443', { port: 443, families: ['v4'] }],
    ['192.0.2.1%eth0:68', { port: 68, families: ['v4'] }],
    ['[fe80::1]%eth0:546', { port: 546, families: ['v6'] }],
    ['[::ffff:192.0.2.1]:80', { port: 80, families: ['v4'] }],
  ])('%s listens', (end, listener) => {
    expect(readActivity(`listen tcp ${end}`, OWN)?.listening).toEqual([{ protocol: 'tcp', ...listener }]);
  });

  test.each(['127.0.0.1:25', '127.0.0.53%lo:53', '[::1]:25', '0100007F:0019', 'nonsense', '*:*'])(
    '%s cannot be reached by others',
    (end) => {
      expect(readActivity(`listen tcp ${end}`, OWN)?.listening).toEqual([]);
    },
  );

  test('undefined if the host cannot list listening ports', () => {
    expect(readActivity('', OWN)).toBeUndefined();
    expect(readActivity('tracked\nflow 1 tcp 10.9.0.2 10.9.0.1 80 10.9.0.1\nleft 0\n', OWN)).toBeUndefined();
  });
});
