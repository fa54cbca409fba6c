/**
 * Host key verification against known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): plain, hashed and bracketed names,
 * wildcards, negation, `@revoked`. Keys are compared by their bytes, since the negotiated algorithm may differ from the
 * type of the key (rsa-sha2-512, ssh-rsa). In doubt the host is rejected.
 */
import { createHash, createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import { error, type Problem } from '../../lib/problem.js';

export interface KnownHosts {
  readonly entries: readonly Entry[];
  /** Invalid lines, each with its number; they pin nothing. */
  readonly problems: readonly Problem[];
}

interface Entry {
  readonly marker: 'none' | 'revoked' | 'cert-authority';
  readonly hosts: string;
  readonly type: string;
  /** Base64. */
  readonly key: string;
}

/** The known_hosts entries for one host. */
export interface PinnedKeys {
  readonly keys: readonly { readonly type: string; readonly key: string }[];
  readonly revoked: readonly string[];
  /** A `@cert-authority` line applies to the host; only the openssh transport supports it. */
  readonly authority: boolean;
}

const MARKERS: Readonly<Record<string, Entry['marker']>> = {
  '@revoked': 'revoked',
  '@cert-authority': 'cert-authority',
};

/** Parses the texts of known_hosts files as if they were one file. */
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
          error('bad-known-hosts', `Line ${index + 1} of known_hosts is not "names type key".`, {
            hint: 'Write lines as ssh-keyscan or ssh-keygen print them.',
          }),
        );
      else entries.push({ marker, hosts, type, key });
    });
  return { entries, problems };
}

/** The bytes of a key begin with its type (RFC 4253, 6.6): a line with another type is damaged. */
function isKey(type: string, key: string | undefined): key is string {
  return key !== undefined && /^[A-Za-z0-9+/]+=*$/.test(key) && keyType(Buffer.from(key, 'base64')) === type;
}

/** The type of a public key, read from its bytes: `ssh-ed25519`; empty if they are malformed. */
export function keyType(key: Buffer): string {
  if (key.length < 4) return '';
  const length = key.readUInt32BE(0);
  return length > 64 || key.length < 4 + length ? '' : key.toString('latin1', 4, 4 + length);
}

/** The fingerprint of a public key as `ssh-keygen -l` prints it, `SHA256:…`. */
export const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;

/** Finds the entries for a host under any of its names (host names or addresses, without port). */
export function pinnedKeysFor(known: KnownHosts, names: readonly string[], port: number): PinnedKeys {
  const hostNames = names.map((name) => hostName(name, port));
  const entries = known.entries.filter(({ hosts }) => hostNames.some((name) => matches(hosts, name)));
  const of = (marker: Entry['marker']): readonly Entry[] =>
    entries.filter((entry) => entry.marker === marker);
  return {
    keys: of('none').map(({ type, key }) => ({ type, key })),
    revoked: of('revoked').map(({ key }) => key),
    authority: of('cert-authority').length > 0,
  };
}

/** The name of a host in known_hosts: lower case, and `[name]:port` on any port but 22. */
const hostName = (name: string, port: number): string =>
  port === 22 ? name.toLowerCase() : `[${name.toLowerCase()}]:${port}`;

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|1|')) return isHashOf(hosts, name);
  const patterns = hosts.split(',').map((pattern) => pattern.toLowerCase());
  const any = (list: readonly string[]): boolean => list.some((pattern) => globMatches(pattern, name));
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

function globMatches(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name;
  const source = [...pattern].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[^\w]/g, '\\$&')));
  return new RegExp(`^${source.join('')}$`, 's').test(name);
}

/** Key type → signature algorithms for such a key, strongest first (RFC 8332 for RSA). */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** The host key algorithms to offer, so that the host presents a pinned key and not another one that it has. */
export const algorithmsFor = (pinned: PinnedKeys): readonly string[] => {
  const types = new Set(pinned.keys.map(({ type }) => type));
  return Object.entries(ALGORITHMS).flatMap(([type, algorithms]) => (types.has(type) ? algorithms : []));
};

/** Checks before connecting that a usable key is pinned; `undefined` if one is. */
export function checkPinnedKeys(pinned: PinnedKeys, host: string, port: number): Problem | undefined {
  if (algorithmsFor(pinned).length > 0) return undefined;
  if (pinned.keys.length === 0 && pinned.authority)
    return error(
      'host-key-authority',
      `known_hosts trusts ${host} through a certificate authority, which the built-in SSH client does not support.`,
      { hint: 'Set "ssh: {transport: openssh}" for it, or pin its own key.' },
    );
  if (pinned.keys.length > 0)
    return error(
      'host-key-unsupported',
      `The host keys pinned for ${host} are of types that the built-in SSH client does not support: ${pinned.keys.map(({ type }) => type).join(', ')}.`,
      { hint: 'Set "ssh: {transport: openssh}" for it, or pin an ed25519, ECDSA or RSA key.' },
    );
  return unknownHostKey(host, port);
}

/** No key is pinned for a host. */
export const unknownHostKey = (host: string, port: number): Problem =>
  error('host-key-unknown', `No host key is pinned for ${host}, so its identity cannot be verified.`, {
    hint: `Compare the key with the one on the host's console, then add it to known_hosts: ssh-keyscan ${port === 22 ? '' : `-p ${port} `}${isIP(host) === 6 ? `-6 ${host}` : host}`,
  });

/** A host presented a key that is not pinned; `key` is its fingerprint, if known. */
export const changedHostKey = (host: string, key?: string): Problem =>
  error(
    'host-key-changed',
    `${host} presented a host key that is not the pinned one${inBrackets(key)}: the host was reinstalled, or the connection is intercepted.`,
    { hint: "Compare the key with the one on the host's console before you change known_hosts." },
  );

/** A host presented a revoked key; `key` is its fingerprint, if known. */
export const revokedHostKey = (host: string, key?: string): Problem =>
  error(
    'host-key-revoked',
    `${host} presented a host key that is revoked in known_hosts${inBrackets(key)}.`,
    { hint: 'Generate a new host key, and pin it.' },
  );

const inBrackets = (text: string | undefined): string => (text === undefined ? '' : ` (${text})`);

/** Checks the key that a host presented; `undefined` if it is pinned and not revoked. */
export function checkHostKey(pinned: PinnedKeys, key: Buffer, host: string): Problem | undefined {
  const presented = key.toString('base64');
  const print = `${keyType(key)} ${fingerprint(key)}`;
  if (pinned.revoked.includes(presented)) return revokedHostKey(host, print);
  return pinned.keys.some((entry) => entry.key === presented) ? undefined : changedHostKey(host, print);
}
