/**
 * Which key a host must show, out of texts in the form of OpenSSH's known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT):
 * plain, hashed and bracketed names, wildcards, negation, `@revoked`. Keys are compared by their bytes: with
 * rsa-sha2-512 agreed upon the key's own type still reads `ssh-rsa`. Whatever is in doubt counts against the host.
 */
import { createHash, createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import { error, type Problem } from '../../lib/problem.js';

export interface KnownHosts {
  readonly entries: readonly Entry[];
  /** Lines that cannot be read, each with its number; they pin nothing. */
  readonly problems: readonly Problem[];
}

interface Entry {
  readonly marker: 'none' | 'revoked' | 'cert-authority';
  readonly hosts: string;
  readonly type: string;
  /** base64 of the key's bytes. */
  readonly key: string;
}

/** What is pinned for one host. */
export interface PinnedKeys {
  readonly keys: readonly { readonly type: string; readonly key: string }[];
  readonly revoked: readonly string[];
  /** A `@cert-authority` line speaks for the host; only OpenSSH's own client can follow it. */
  readonly authority: boolean;
}

const MARKERS: Readonly<Record<string, Entry['marker']>> = {
  '@revoked': 'revoked',
  '@cert-authority': 'cert-authority',
};

/** Reads known_hosts texts; several count as one. */
export function parseKnownHosts(texts: readonly string[]): KnownHosts {
  const entries: Entry[] = [];
  const problems: Problem[] = [];
  for (const text of texts)
    text.split(/\r?\n/).forEach((line, index) => {
      const words = line.trim().split(/[ \t]+/);
      if (words[0] === '' || words[0]?.startsWith('#')) return;
      const marked = words[0]?.startsWith('@') === true;
      const marker = marked ? MARKERS[words[0] ?? ''] : 'none';
      const [hosts, type, key] = marked ? words.slice(1) : words;
      if (marker === undefined || hosts === undefined || type === undefined || !isKey(type, key))
        problems.push(
          error(
            'bad-known-hosts',
            `Line ${index + 1} of known_hosts is not "names type key".`,
            undefined,
            'Write lines as ssh-keyscan or ssh-keygen print them.',
          ),
        );
      else entries.push({ marker, hosts, type, key });
    });
  return { entries, problems };
}

/** The key's own bytes begin with its type (RFC 4253, 6.6): a line whose two parts disagree is damaged. */
function isKey(type: string, key: string | undefined): key is string {
  return key !== undefined && /^[A-Za-z0-9+/]+=*$/.test(key) && keyType(Buffer.from(key, 'base64')) === type;
}

/** The type that a public key's bytes name, such as `ssh-ed25519`. */
export function keyType(key: Buffer): string {
  if (key.length < 4) return '';
  const length = key.readUInt32BE(0);
  return length > 64 || key.length < 4 + length ? '' : key.toString('latin1', 4, 4 + length);
}

/** `SHA256:…`, as ssh-keygen -l prints it. */
export const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;

/** Everything that is pinned for a host under any of its names. */
export function pinnedKeysFor(known: KnownHosts, names: readonly string[], port: number): PinnedKeys {
  const asked = names.map((name) => hostName(name, port));
  const about = known.entries.filter((entry) => asked.some((name) => matches(entry.hosts, name)));
  const of = (marker: Entry['marker']): readonly Entry[] => about.filter((entry) => entry.marker === marker);
  return {
    keys: of('none').map(({ type, key }) => ({ type, key })),
    revoked: of('revoked').map(({ key }) => key),
    authority: of('cert-authority').length > 0,
  };
}

/** OpenSSH's way to name a host: lower case, and `[name]:port` on any port but 22. */
const hostName = (name: string, port: number): string =>
  port === 22 ? name.toLowerCase() : `[${name.toLowerCase()}]:${port}`;

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|1|')) return isHashOf(hosts, name);
  const patterns = hosts.split(',').map((pattern) => pattern.toLowerCase());
  const any = (list: readonly string[]): boolean => list.some((pattern) => like(pattern, name));
  return (
    any(patterns.filter((pattern) => !pattern.startsWith('!'))) &&
    !any(patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1)))
  );
}

/** `|1|salt|HMAC-SHA1(salt, name)`, both in base64. */
function isHashOf(hashed: string, name: string): boolean {
  const [, , salt, hash] = hashed.split('|');
  if (salt === undefined || hash === undefined) return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

function like(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name;
  const source = [...pattern].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[^\w]/g, '\\$&')));
  return new RegExp(`^${source.join('')}$`, 's').test(name);
}

/** Key types of known_hosts → the algorithms that prove such a key, strongest first (RFC 8332 for RSA). */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** What to ask a host for, so that it shows a key that is pinned and not another one it also has. */
export const algorithmsFor = (pins: PinnedKeys): readonly string[] => {
  const types = new Set(pins.keys.map(({ type }) => type));
  return Object.entries(ALGORITHMS).flatMap(([type, algorithms]) => (types.has(type) ? algorithms : []));
};

/** Why a host cannot be trusted before it has said anything; `undefined` when it may be asked. */
export function checkPinnedKeys(pins: PinnedKeys, host: string, port: number): Problem | undefined {
  if (algorithmsFor(pins).length > 0) return undefined;
  if (pins.keys.length === 0 && pins.authority)
    return error(
      'host-key-authority',
      `known_hosts trusts ${host} through a certificate authority, which the built-in SSH client does not support.`,
      undefined,
      'Set "ssh: {transport: openssh}" for it, or pin its own key.',
    );
  if (pins.keys.length > 0)
    return error(
      'host-key-unsupported',
      `The host keys pinned for ${host} are of types that the built-in SSH client does not support: ${pins.keys.map(({ type }) => type).join(', ')}.`,
      undefined,
      'Set "ssh: {transport: openssh}" for it, or pin an ed25519, ECDSA or RSA key.',
    );
  return unknownHost(host, port);
}

const unknownHost = (host: string, port: number): Problem =>
  error(
    'host-key-unknown',
    `No host key is pinned for ${host}, so there is no telling who answers.`,
    undefined,
    `Compare the key with the host's own console, then add it to known_hosts: ssh-keyscan ${port === 22 ? '' : `-p ${port} `}${isIP(host) === 6 ? `-6 ${host}` : host}`,
  );

/** `undefined` when the key is the pinned one. */
export function checkHostKey(pins: PinnedKeys, key: Buffer, host: string): Problem | undefined {
  const shown = key.toString('base64');
  const print = `${keyType(key)} ${fingerprint(key)}`;
  if (pins.revoked.includes(shown))
    return error(
      'host-key-revoked',
      `${host} showed a host key that known_hosts marks as revoked (${print}).`,
      undefined,
      'Give the host a new key and pin that one.',
    );
  if (pins.keys.some((pinned) => pinned.key === shown)) return undefined;
  return error(
    'host-key-changed',
    `${host} showed another host key than the one that is pinned (${print}): it was reinstalled, or someone is in between.`,
    undefined,
    "Compare the key with the host's own console before you change known_hosts.",
  );
}
