/** Credentials for SSH logins: private keys as text and files, and an ssh-agent. */
import { readFileSync } from 'node:fs';
import ssh2, { type AgentAuthMethod, type ParsedKey, type PublicKeyAuthMethod } from 'ssh2';
import { error, type Problem, type Result } from '../../lib/problem.js';

export interface KeyOptions {
  readonly key?: { readonly text: string; readonly passphrase?: string };
  /** For encrypted identity files; default: the one of `key`. */
  readonly passphrase?: string;
  /** Private key files, tried in order. */
  readonly identityFiles?: readonly string[];
  /** The socket of an ssh-agent. */
  readonly agent?: string;
}

export interface Credentials {
  readonly keys: readonly ParsedKey[];
  readonly agent?: string;
}

/** Reads the keys. A key that cannot be read is an error, not skipped. */
export function readCredentials({
  key,
  identityFiles = [],
  passphrase,
  agent,
}: KeyOptions): Result<Credentials> {
  const problems: Problem[] = [];
  const keys: ParsedKey[] = [];
  const take = (text: string, name: string, passphrase: string | undefined): void => {
    const parsed = ssh2.utils.parseKey(text, passphrase);
    const found = Array.isArray(parsed) ? parsed[0] : parsed;
    if (found instanceof Error || found === undefined || !found.isPrivateKey())
      problems.push(unreadable(name, found instanceof Error ? found.message : 'it is not a private key'));
    else keys.push(found);
  };
  if (key !== undefined) take(key.text, 'The private key', key.passphrase);
  for (const file of identityFiles) {
    try {
      take(readFileSync(file, 'utf8'), file, passphrase ?? key?.passphrase);
    } catch {
      problems.push(
        error('key-unreadable', `${file} cannot be read.`, { hint: 'Give the path of a private key file.' }),
      );
    }
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: { keys, agent }, problems: [] };
}

/** Messages of ssh2 when a key cannot be parsed: pattern, reason, hint. */
const CAUSES: readonly (readonly [RegExp, string, string])[] = [
  [
    /no passphrase given/i,
    'it is encrypted, and no passphrase was given',
    'Give the passphrase, or use an ssh-agent.',
  ],
  [
    /integrity check failed|bad decrypt|malformed/i,
    'the passphrase is wrong, or the key is damaged',
    'Check the passphrase.',
  ],
  [
    /unsupported/i,
    'the built-in SSH client does not support this type of key',
    'Use an ed25519, ECDSA or RSA key, or set "ssh: {transport: openssh}".',
  ],
];

function unreadable(name: string, message: string): Problem {
  const [, why = 'it is not a private key', hint = 'Give the complete private key, from BEGIN to END.'] =
    CAUSES.find(([pattern]) => pattern.test(message)) ?? [];
  return error('key-unreadable', `${name} cannot be used: ${why}.`, { hint });
}

/** The methods that ssh2 tries in turn: each key, then the agent. */
export function authMethods(
  login: Credentials,
  username: string,
): readonly (PublicKeyAuthMethod | AgentAuthMethod)[] {
  return [
    ...login.keys.map((key): PublicKeyAuthMethod => ({ type: 'publickey', username, key })),
    ...(login.agent === undefined
      ? []
      : [{ type: 'agent', username, agent: login.agent } satisfies AgentAuthMethod]),
  ];
}
