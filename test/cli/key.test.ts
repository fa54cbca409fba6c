import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, test } from '@jest/globals';
import { chooseKey, isEncrypted } from '../../src/cli/key.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-key-'));
afterAll(() => rmSync(directory, { recursive: true }));

function keyFile(name: string, passphrase: string, ...more: readonly string[]): string {
  const path = join(directory, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', passphrase, '-f', path, ...more]);
  return path;
}
const io = (env: Readonly<Record<string, string>> = {}) => {
  const stream = { write: () => true };
  return { stdout: stream, stderr: stream, stdin: Readable.from(['']), env };
};

describe('a passphrase is needed', () => {
  test.each([
    ['OpenSSH', []],
    ['PEM', ['-m', 'PEM']],
    ['PKCS8', ['-m', 'PKCS8']],
  ] as const)('by protected keys in the %s form alone', (form, more) => {
    expect(isEncrypted(readFileSync(keyFile(`${form}-open`, '', ...more), 'utf8'))).toBe(false);
    expect(isEncrypted(readFileSync(keyFile(`${form}-shut`, 'secret', ...more), 'utf8'))).toBe(true);
  });
});

describe('the key of a run', () => {
  test('is the named one, with the passphrase from the environment', async () => {
    const path = keyFile('named', 'secret');
    expect(await chooseKey(io({ SALLYPORT_SSH_PASSPHRASE: 'secret' }), path)).toEqual({
      key: { text: readFileSync(path, 'utf8'), passphrase: 'secret' },
    });
    await expect(chooseKey(io(), path)).rejects.toThrow('SALLYPORT_SSH_PASSPHRASE');
  });

  test('is else the agent with the default keys that can be used', async () => {
    const home = join(directory, 'home');
    execFileSync('mkdir', ['-p', join(home, '.ssh')]);
    const open = keyFile('home/.ssh/id_ed25519', '');
    keyFile('home/.ssh/id_rsa', 'secret');
    expect(await chooseKey(io({ HOME: home, SSH_AUTH_SOCK: '/run/agent' }), undefined)).toEqual({
      identityFiles: [open],
      agent: '/run/agent',
    });
  });
});
