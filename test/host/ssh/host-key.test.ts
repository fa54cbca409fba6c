/** Host keys as the tools of OpenSSH write them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  algorithmsFor,
  checkHostKey,
  checkPinnedKeys,
  fingerprint,
  keyType,
  parseKnownHosts,
  pinnedKeysFor,
} from '../../../src/host/ssh/host-key.js';

let directory: string;
const keys: Record<string, string> = {};
const keygen = (...words: string[]): string => {
  const ran = spawnSync('ssh-keygen', words, { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  return ran.stdout;
};

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'known-hosts-'));
  for (const [name, type] of Object.entries({
    one: 'ed25519',
    other: 'ed25519',
    ecdsa: 'ecdsa',
    rsa: 'rsa',
  })) {
    keygen('-q', '-t', type, '-N', '', '-C', '', '-f', join(directory, name));
    keys[name] = readFileSync(join(directory, `${name}.pub`), 'utf8').trim();
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

const blob = (name: string): Buffer => Buffer.from(keys[name]?.split(' ')[1] ?? '', 'base64');
const pins = (text: string, name: string, port = 22) => pinnedKeysFor(parseKnownHosts([text]), [name], port);
const trusts = (text: string, name: string, port = 22): boolean => {
  const found = pins(text, name, port);
  return (
    checkPinnedKeys(found, name, port) === undefined && checkHostKey(found, blob('one'), name) === undefined
  );
};

describe('a name in known_hosts', () => {
  test.each([
    ['web-1', 'web-1', 22, true],
    ['web-1', 'WEB-1', 22, true],
    ['web-1', 'web-2', 22, false],
    ['web-1,203.0.113.10', '203.0.113.10', 22, true],
    ['web-1', 'web-1', 2222, false],
    ['[web-1]:2222', 'web-1', 2222, true],
    ['[web-1]:2222', 'web-1', 22, false],
    ['[2001:db8::1]:2222', '2001:db8::1', 2222, true],
    ['2001:db8::1', '2001:db8::1', 22, true],
    ['*.example.org', 'web-1.example.org', 22, true],
    ['*.example.org', 'example.org', 22, false],
    ['web-?', 'web-1', 22, true],
    ['web-?', 'web-10', 22, false],
    ['*.example.org,!web-1.example.org', 'web-1.example.org', 22, false],
    ['*.example.org,!web-1.example.org', 'web-2.example.org', 22, true],
    ['!web-1', 'web-2', 22, false],
    ['203.0.113.1?', '203.0.113.10', 22, true],
    ['203.0.113.10', '203a0b113c10', 22, false],
  ])('%s matches %s on port %d: %s', (hosts, name, port, expected) => {
    expect(trusts(`${hosts} ${keys.one}\n`, name, port)).toBe(expected);
  });

  test('matches when hashed by ssh-keygen -H', () => {
    const file = join(directory, 'hashed');
    writeFileSync(
      file,
      `web-1,203.0.113.10 ${keys.one}\n[203.0.113.10]:2222 ${keys.one}\n2001:db8::1 ${keys.one}\n`,
    );
    keygen('-q', '-H', '-f', file);
    const text = readFileSync(file, 'utf8');
    expect(text).not.toContain('web-1');
    expect(trusts(text, 'web-1')).toBe(true);
    expect(trusts(text, '203.0.113.10')).toBe(true);
    expect(trusts(text, '203.0.113.10', 2222)).toBe(true);
    expect(trusts(text, '2001:db8::1')).toBe(true);
    expect(trusts(text, 'web-1', 2222)).toBe(false);
    expect(trusts(text, '203.0.113.11')).toBe(false);
  });
});

describe('a key', () => {
  test('has the type and the fingerprint that ssh-keygen prints', () => {
    expect(keyType(blob('ecdsa'))).toBe('ecdsa-sha2-nistp256');
    expect(keygen('-l', '-f', join(directory, 'one.pub'))).toContain(fingerprint(blob('one')));
  });

  test('that is not pinned is distinguished from an unknown host', () => {
    const known = `web-1 ${keys.one}\n`;
    expect(checkHostKey(pins(known, 'web-1'), blob('other'), 'web-1')).toMatchObject({
      id: 'host-key-changed',
    });
    expect(checkPinnedKeys(pins(known, 'web-2'), 'web-2', 22)).toMatchObject({ id: 'host-key-unknown' });
    expect(checkPinnedKeys(pins(known, 'web-1'), 'web-1', 22)).toBeUndefined();
  });

  test('that is revoked is refused, even if another line pins it and only a wildcard revokes it', () => {
    const known = `web-1 ${keys.one}\n@revoked * ${keys.one}\n`;
    expect(checkHostKey(pins(known, 'web-1'), blob('one'), 'web-1')).toMatchObject({
      id: 'host-key-revoked',
    });
  });

  test('algorithms: only those of pinned types are offered', () => {
    expect(algorithmsFor(pins(`web-1 ${keys.ecdsa}\nweb-1 ${keys.rsa}\n`, 'web-1'))).toEqual([
      'ecdsa-sha2-nistp256',
      'rsa-sha2-512',
      'rsa-sha2-256',
    ]);
  });

  test('can be in any of several texts', () => {
    const known = parseKnownHosts([`web-1 ${keys.other}`, `web-1 ${keys.one}`]);
    const both = pinnedKeysFor(known, ['web-1'], 22);
    expect(checkHostKey(both, blob('one'), 'web-1')).toBeUndefined();
    expect(checkHostKey(both, blob('other'), 'web-1')).toBeUndefined();
  });

  test('pinned by a certificate authority alone is not supported', () => {
    expect(checkPinnedKeys(pins(`@cert-authority * ${keys.one}\n`, 'web-1'), 'web-1', 22)).toMatchObject({
      id: 'host-key-authority',
    });
  });

  test('on a damaged line pins nothing, and the line is reported', () => {
    const known = parseKnownHosts([
      [
        '# a comment',
        '',
        `web-1 ssh-rsa ${keys.one?.split(' ')[1]}`,
        'web-1',
        `@else web-1 ${keys.one}`,
      ].join('\r\n'),
    ]);
    expect(known.entries).toEqual([]);
    expect(known.problems.map(({ message }) => message)).toEqual([
      'Line 3 of known_hosts is not "names type key".',
      'Line 4 of known_hosts is not "names type key".',
      'Line 5 of known_hosts is not "names type key".',
    ]);
  });
});
