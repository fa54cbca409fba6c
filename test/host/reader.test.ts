/** The script for keys that may only read: what is in it, and what is not. The lab runs it behind a real sshd. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { AGENT } from '../../src/host/agent/agent.js';
import { READER } from '../../src/host/reader.js';

const code = READER.split('\n')
  .filter((line) => !/^\s*#/.test(line))
  .join('\n');

test('it contains every function that it calls, and is valid syntax for each shell', () => {
  const defined = new Set([...code.matchAll(/^(\w+)\(\) \{/gm)].map(([, name]) => name));
  const sections = [...code.matchAll(/\bsection [\w-]+ (\w+)/g)].map(([, name]) => name);
  const known = [...AGENT.matchAll(/^(\w+)\(\) \{/gm)].map(([, name]) => name);
  expect(sections.filter((name) => known.includes(name) && !defined.has(name))).toEqual([]);
  for (const shell of [['dash'], ['bash', '--posix'], ['busybox', 'sh']]) {
    const [command = '', ...args] = shell;
    const ran = spawnSync(command, [...args, '-n'], { input: READER, encoding: 'utf8' });
    if (ran.error === undefined) expect({ shell, stderr: ran.stderr }).toEqual({ shell, stderr: '' });
  }
});

test('it reports current activity, unless that is disabled on the host', () => {
  const sections = (script: string): readonly string[] => {
    const ran = spawnSync('sh', ['-c', script, 'reader', '192.0.2.1 1 192.0.2.2 22'], {
      input: "SP_MARK='sallyport-0a1b'\n",
      encoding: 'utf8',
    });
    return [...ran.stdout.matchAll(/^sallyport-0a1b > (\S+)$/gm)].map(([, name = '']) => name);
  };
  expect(sections(READER)).toEqual(expect.arrayContaining(['version', 'facts', 'activity']));
  const withoutActivity = sections(READER.replace('SP_ACTIVITY=yes', "SP_ACTIVITY=''"));
  expect(withoutActivity).toContain('facts');
  expect(withoutActivity).not.toContain('activity');
});

describe('it contains nothing that changes a host', () => {
  test.each([
    'iptables-restore',
    'ip6tables-restore',
    'ipset',
    'nft',
    'systemctl',
    'mv',
    'rm',
    'cp',
    'mkdir',
    'chmod',
    'kill',
    'eval',
    'sh',
  ])('%s', (tool) => {
    const reads: Readonly<Record<string, string>> = {
      ipset: 'ipset version|ipset save|has ipset',
      nft: 'has nft|nft -j list|nft list|nft --debug=netlink list|nft_listing|iptables-nft|tables-nft-save|section nft',
    };
    const rest = code
      .replace(new RegExp(reads[tool] ?? '$.', 'g'), '')
      .replace(/^ +for tool in .*$/gm, '')
      .replace(/has ip6tables-restore|missing ip6tables-restore/g, '');
    expect(rest).not.toMatch(new RegExp(`(?:^|[;&|({]|then|do|else|!)\\s*${tool}\\s`, 'm'));
  });

  test('a file that is written to', () => {
    // Quoted text is a format string or an awk program.
    const bare = code.replaceAll("\\'", '').replace(/'[^']*'/g, "''");
    const written = [...bare.matchAll(/\d?>+\s*(\S+)/g)].map(([, target = '']) =>
      target.replace(/[;)]+$/, ''),
    );
    expect(written.length).toBeGreaterThan(5);
    expect(written.filter((target) => !['/dev/null', '&1', '&2'].includes(target))).toEqual([]);
  });
});

test('it does not answer without a mark', () => {
  const asked = spawnSync('sh', ['-c', READER, 'reader', ''], {
    input: "SP_MARK='other'\nSP_MARK='sallyport-XYZ'\n",
    encoding: 'utf8',
  });
  expect(asked).toMatchObject({
    status: 1,
    stdout: '',
    stderr: 'This key is read-only: it can be used for sallyport plan.\n',
  });
});
