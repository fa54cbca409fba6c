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
  return [token, ssh.passphrase ?? '', ssh.key?.trim() ?? '', ...keyLines].filter((text) => text !== '');
}

/** The last thing that happens to a text before it leaves. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const longestFirst = secrets.toSorted((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}
