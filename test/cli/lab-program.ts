/** The program itself, bundled as it is delivered and run in the network of a lab, with a policy of the lab's hosts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Host, Lab, ProcessResult } from '../../src/lab/lab.js';
import { must } from '../../src/lab/shell.js';

const ROOT = join(import.meta.dirname, '../..');

export interface Program {
  /** `sallyport …argv` in the lab's directory, with the lab's key. */
  (...argv: readonly string[]): Promise<ProcessResult>;
  /** The path of the bundle, for those who start it themselves. */
  readonly path: string;
}

/** Builds `cli.js` into the lab's directory. */
export async function programIn(lab: Lab): Promise<Program> {
  const out = join(lab.directory, 'dist');
  await must(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--out', out]);
  const path = join(out, 'cli.js');
  writeFileSync(join(out, 'package.json'), '{"type":"module"}\n');
  const run = (...argv: readonly string[]): Promise<ProcessResult> =>
    lab.run(process.execPath, [path, ...argv, ...(needsKey(argv) ? ['--identity', lab.identity] : [])], {
      cwd: lab.directory,
    });
  return Object.assign(run, { path });
}

const REACHES = new Set(['plan', 'deploy', 'drift', 'status', 'rollback']);
const needsKey = ([command = '']: readonly string[]): boolean => REACHES.has(command);

export interface PolicyWords {
  /** Lines of `rollout:` after the canary. */
  readonly rollout?: string;
  /** Default: one second. */
  readonly soak?: string;
  /** More lines of one host's own. */
  readonly own?: Readonly<Record<string, string>>;
  /** Rules of every host, as lines of a list. */
  readonly rules?: string;
}

/** Writes `policies/` for these hosts; the first one is the canary. */
export function writePolicy(lab: Lab, hosts: readonly Host[], words: PolicyWords = {}): void {
  const { rollout = '', soak = '1s', own = {}, rules = '' } = words;
  const file = (path: string, text: string): void => {
    const file = join(lab.directory, 'policies', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  file(
    'fleet.yml',
    `version: 1
ssh: {user: deploy, known_hosts: ${lab.knownHosts}}
admin: [admin]
rollout: {canary: [${hosts[0]?.name}], soak: ${soak}, waves: [50%, 100%], confirm_within: 10s${rollout}}
`,
  );
  file('networks.yml', `networks:\n  admin: [${lab.client.v4}, "${lab.client.v6}"]\n`);
  file(
    'roles/all.yml',
    `input:
  - {allow: [http, https], from: any, reason: The public site}
${rules}`,
  );
  const lines = hosts.map(({ name, addresses, port }) => {
    const all = [addresses.v4, ...(addresses.v6 === undefined ? [] : [`"${addresses.v6}"`])];
    return `  ${name}:
    addresses: [${all.join(', ')}]
    roles: [all]
    ssh: {port: ${port}}
${own[name] ?? ''}`;
  });
  file('hosts/all.yml', `hosts:\n${lines.join('')}`);
}

/** The outcome of each host, in the order of the report. */
export const outcomesOf = ({ stdout }: ProcessResult): readonly string[] =>
  (
    JSON.parse(stdout) as { readonly hosts: readonly { readonly host: string; readonly outcome: string }[] }
  ).hosts.map(({ host, outcome }) => `${host} ${outcome}`);

/** The rules without empty tables, which the kernel keeps once they existed. */
export const meaning = (rules: { readonly v4?: string; readonly v6?: string; readonly sets?: string }) =>
  Object.fromEntries(
    Object.entries(rules).map(([kind, text]) => [
      kind,
      text?.replace(/^\*\w+\n(?::\S+ ACCEPT \S+\n)*COMMIT\n/gm, ''),
    ]),
  );
