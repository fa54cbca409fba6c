/** The key that a person logs in with: a file of theirs, its passphrase, or their agent. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { error, ProblemError } from '../lib/problem.js';
import { type Io, readText } from './io.js';
import { askSecret } from './prompts.js';

export interface KeyChoice {
  readonly key?: { readonly text: string; readonly passphrase?: string };
  readonly passphrase?: string;
  readonly identityFiles?: readonly string[];
  readonly agent?: string;
}

/** As OpenSSH looks for them, newest kind first. */
const DEFAULTS = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/** `--identity`, else the agent together with the default keys that need no passphrase (or have theirs in the environment). */
export async function chooseKey(io: Io, identity: string | undefined): Promise<KeyChoice> {
  const passphrase = io.env.SALLYPORT_SSH_PASSPHRASE;
  if (identity !== undefined) return namedKey(io, identity, passphrase);
  const agent = io.env.SSH_AUTH_SOCK;
  const usable: string[] = [];
  for (const name of DEFAULTS) {
    const file = join(io.env.HOME ?? homedir(), '.ssh', name);
    if (!existsSync(file)) continue;
    if (passphrase !== undefined || !isEncrypted(await readText(io, file))) usable.push(file);
  }
  return {
    identityFiles: usable,
    passphrase,
    ...(agent === undefined || agent === '' ? {} : { agent }),
  };
}

async function namedKey(io: Io, file: string, given: string | undefined): Promise<KeyChoice> {
  const text = await readText(io, file);
  if (!isEncrypted(text)) return { key: { text } };
  const passphrase = given ?? (await askSecret(io, `Passphrase of ${file}: `));
  if (passphrase === undefined)
    throw new ProblemError([
      error(
        'no-passphrase',
        `${file} is protected by a passphrase, and there is no terminal to ask for it on.`,
        { hint: 'Set SALLYPORT_SSH_PASSPHRASE, or use an ssh-agent.' },
      ),
    ]);
  return { key: { text, passphrase } };
}

/** PEM says so in its head; OpenSSH's own format names the cipher at its start (PROTOCOL.key of OpenSSH). */
export function isEncrypted(text: string): boolean {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)/.exec(text)?.[1];
  if (body === undefined) return /ENCRYPTED/.test(text);
  const bytes = Buffer.from(body, 'base64');
  const start = 'openssh-key-v1\0'.length;
  if (bytes.length < start + 4) return false;
  const length = bytes.readUInt32BE(start);
  return bytes.toString('latin1', start + 4, start + 4 + length) !== 'none';
}
