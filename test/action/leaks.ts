/**
 * Secrets that tests give, and the scanner that looks for them in everything that comes out. The helpers that run the
 * action scan by themselves: a test cannot forget to.
 */

export const PASSPHRASE = 'correct horse battery staple';
export const PRIVATE_KEY = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE',
  'bm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQy',
  '-----END OPENSSH PRIVATE KEY-----',
].join('\n');

/** The inputs of the action that hold secrets. */
const SECRET_INPUTS = ['github-token', 'ssh-key', 'ssh-key-passphrase'];

/** What a test gives as a secret, by the name of its input. */
export const secretsIn = (inputs: Readonly<Record<string, string>>): readonly string[] =>
  SECRET_INPUTS.flatMap((name) => inputs[name] ?? []).filter((text) => text !== '');

/** Shorter ones are words that texts hold by chance. */
const SHORTEST = 8;

interface Form {
  readonly name: string;
  readonly text: string;
}

/** Each form in which a secret may appear: as it is, line by line, in Base64 at any offset, as part of a URL, as hex. */
function formsOf(secret: string): readonly Form[] {
  const lines = secret
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => !line.startsWith('-----'));
  return [...new Set([secret.trim(), ...lines])]
    .filter((text) => text.length >= SHORTEST)
    .flatMap((text) => [
      { name: 'raw', text },
      { name: 'for a URL', text: encodeURIComponent(text) },
      { name: 'as a form', text: encodeURIComponent(text).replaceAll('%20', '+') },
      { name: 'in hex', text: Buffer.from(text).toString('hex') },
      ...[0, 1, 2].map((offset) => ({ name: 'in Base64', text: inBase64(text, offset) })),
    ]);
}

/** As it stands in the Base64 of a longer text, `offset` bytes from where a group begins; without what its neighbours share. */
function inBase64(text: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]);
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 3));
  return whole.toString('base64').slice(offset === 0 ? 0 : 4);
}

/** Where secrets are seen: `summary: in Base64`, never the secret itself. Lines that mask a secret are excluded. */
export function leaksIn(
  secrets: readonly string[],
  outputs: Readonly<Record<string, string>>,
): readonly string[] {
  const forms = secrets.flatMap(formsOf);
  const seen = Object.entries(outputs).flatMap(([where, text]) => {
    const visible = text.replace(/^::add-mask::.*$/gm, '');
    return forms.filter((form) => visible.includes(form.text)).map(({ name }) => `${where}: ${name}`);
  });
  return [...new Set(seen)];
}

/** @throws when a secret is seen, with the places. */
export function scan(secrets: readonly string[], outputs: Readonly<Record<string, string>>): void {
  const leaks = leaksIn(secrets, outputs);
  if (leaks.length > 0) throw new Error(`A secret came out. ${leaks.join('; ')}.`);
}
