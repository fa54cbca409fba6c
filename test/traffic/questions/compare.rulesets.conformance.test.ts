/**
 * Every command that reads rules, as a whole process, on rulesets from elsewhere: none crashes, none hangs, and each
 * ruleset is proved equal to itself and to its canonical form.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
const FOLDER = process.env.SALLYPORT_RULESETS ?? join(ROOT, '../shared/data/rulesets');
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /\.v[46]$/.test(name)) : [];

/** Far longer than the slowest takes: a command that still runs then hangs. */
const MILLISECONDS = 60_000;

let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'sallyport-rulesets-'));
});
afterAll(() => {
  rmSync(work, { recursive: true, force: true });
});

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function sallyport(...words: readonly string[]): Result {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'dist/cli.js'), ...words],
    { cwd: work, encoding: 'utf8', timeout: MILLISECONDS, maxBuffer: 1 << 28 },
  );
  expect(signal).toBeNull();
  // An unexpected error prints a stack.
  expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  return { status, stdout, stderr };
}

const PACKETS = ['INPUT', 'FORWARD', 'OUTPUT'].flatMap((hook) =>
  [22, 53, 80, 443, 60_000].flatMap((dport) =>
    ['tcp', 'udp'].flatMap((protocol) =>
      ['10.0.0.7', '198.51.100.7', '192.168.1.20'].map((src) => ({
        hook,
        ...(hook === 'OUTPUT' ? {} : { in: 'eth0' }),
        ...(hook === 'INPUT' ? {} : { out: 'eth1' }),
        src,
        dst: '203.0.113.10',
        protocol,
        dport,
      })),
    ),
  ),
);

test(`there are ${files.length} rulesets beside the repository`, () => {
  if (files.length === 0) console.info(`no real rulesets at ${FOLDER}: nothing to read`);
  // A folder that is named must contain some.
  if (process.env.SALLYPORT_RULESETS !== undefined) expect(files).not.toEqual([]);
});

for (const name of files)
  describe(name, () => {
    const file = join(FOLDER, name);

    test('is equal to itself and to its canonical form', () => {
      expect(sallyport('compare', file, file)).toMatchObject({ status: 0 });
      const canonical = join(work, name);
      expect(sallyport('fmt', file, '--output', canonical)).toMatchObject({ status: 0 });
      const { stdout, status } = sallyport('compare', file, canonical, '--format', 'json');
      expect({ status, equal: JSON.parse(stdout).equal, proved: JSON.parse(stdout).proved }).toEqual({
        status: 0,
        equal: true,
        proved: true,
      });
      expect(sallyport('fmt', canonical).stdout).toBe(readFileSync(canonical, 'utf8'));
    });

    test('explain gives a verdict on every packet', () => {
      const packets = join(work, `${name}.packets`);
      writeFileSync(packets, PACKETS.map((packet) => `${JSON.stringify(packet)}\n`).join(''));
      const { status, stdout } = sallyport('explain', '--rules', file, '--packets', packets);
      const verdicts = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).verdict);
      expect({ status, answers: verdicts.length }).toEqual({ status: 0, answers: PACKETS.length });
      expect(verdicts.every((verdict) => /^(accept|drop|reject|unknown)$/.test(verdict))).toBe(true);
    });

    test('has a plan, or a reason why not', () => {
      const folder = join(work, `plan-${name}`);
      const [policies, states] = [join(folder, 'policies'), join(folder, 'states')];
      mkdirSync(join(policies, 'hosts'), { recursive: true });
      mkdirSync(states);
      writeFileSync(
        join(policies, 'fleet.yml'),
        'version: 1\nssh: {user: deploy}\nadmin: [203.0.113.0/24]\nownership: chains\n',
      );
      writeFileSync(
        join(policies, 'hosts/web-1.yml'),
        'addresses: [192.0.2.10]\ninput:\n  - {allow: https, from: any, reason: The site}\n',
      );
      writeFileSync(join(states, `web-1.${name.slice(-2)}`), readFileSync(file));
      const planned = sallyport('plan', '--policies', policies, '--state', states, '--format', 'json');
      const [host] = JSON.parse(planned.stdout).hosts;
      // Rules that do not load by themselves (a set is missing) have a reason instead of a plan.
      expect([0, 1]).toContain(planned.status);
      expect(host.status === 'changed' ? '' : host.reason).toEqual(expect.any(String));
      if (host.status === 'changed') expect(host.traffic).toMatchObject({ proved: true });
    });
  });

for (const [index, other] of files.slice(1).entries()) {
  const one = files[index] ?? other;
  test(`${one} against ${other}: every difference is proved`, () => {
    const { status, stdout } = sallyport(
      'compare',
      join(FOLDER, one),
      join(FOLDER, other),
      '--format',
      'json',
    );
    const { equal, proved, omitted } = JSON.parse(stdout);
    expect({ status, equal, proved, omitted }).toEqual({ status: 2, equal: false, proved: true });
  });
}
