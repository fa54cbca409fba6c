/** Keeps secrets out of whatever leaves the action. The runner masks its log; comments and files it does not. */
import type { Inputs } from './inputs.js';

/** Shorter lines of a key are its frame and its padding, and would mask ordinary words. */
const SHORTEST_LINE = 12;

/** Every text that must never be seen: tokens, passphrases, keys, and each line of a key. */
export function secretsOf({ ssh, token }: Pick<Inputs, 'ssh' | 'token'>): readonly string[] {
  const keyLines = (ssh.key ?? '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----'));
  return [token, ssh.passphrase ?? '', ssh.key?.trim() ?? '', ...keyLines]
    .filter((text) => text !== '')
    .flatMap((text) => [text, ...otherForms(text)]);
}

/** As URLs and authorizations carry it: what echoes a request may show these. A short word is not looked for so. */
function otherForms(secret: string): readonly string[] {
  if (secret.length < SHORTEST_LINE) return [];
  const forUrl = encodeURIComponent(secret);
  return [...(forUrl === secret ? [] : [forUrl]), Buffer.from(secret).toString('base64')];
}

/** Takes secrets out of a text. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const longestFirst = secrets.toSorted((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

/**
 * Takes secrets out of every text of a value. Done before anything is rendered: escaping, clipping and wrapping make
 * pieces of a secret that no search for the whole would find.
 */
export function redactAll<T>(value: T, redact: (text: string) => string): T {
  return deep(value) as T;

  function deep(part: unknown): unknown {
    if (typeof part === 'string') return redact(part);
    if (Array.isArray(part)) return part.map(deep);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, deep(inner)]));
  }
}
