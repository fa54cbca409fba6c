/** The scanner finds what is leaked on purpose, in every form and every output, and nothing else. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { REPOSITORY, startHub, TOKEN } from '../github/hub.js';
import { pullEvent, runJob } from './context.js';
import { leaksIn, PASSPHRASE, PRIVATE_KEY } from './leaks.js';
import { runStep } from './step.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-leaky-'));
afterAll(() => rmSync(folder, { recursive: true }));

const inputs = { 'github-token': TOKEN, 'ssh-key': PRIVATE_KEY, 'ssh-key-passphrase': PASSPHRASE };

/** A step that runs one line of JavaScript, with `out` to write and the secrets to be careless with. */
function leaky(line: string): Promise<unknown> {
  const bundle = join(folder, 'leaky.mjs');
  writeFileSync(
    bundle,
    `import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
const { RUNNER_TEMP, GITHUB_OUTPUT, GITHUB_STEP_SUMMARY } = process.env;
const token = process.env['INPUT_GITHUB-TOKEN'], key = process.env['INPUT_SSH-KEY'], passphrase = process.env['INPUT_SSH-KEY-PASSPHRASE'];
${line}\n`,
  );
  return runStep({ bundle, inputs, event: 'push', payload: {}, env: {} });
}

describe('a step that leaks', () => {
  test.each([
    ['on standard output', "console.log('The token is ' + token)", /stdout: raw/],
    ['on standard error', 'console.error(passphrase)', /stderr: raw/],
    [
      'into the summary',
      'appendFileSync(GITHUB_STEP_SUMMARY, encodeURIComponent(passphrase))',
      /summary: for a URL/,
    ],
    [
      'into an output',
      'appendFileSync(GITHUB_OUTPUT, Buffer.from("x:" + token).toString("base64"))',
      /output: in Base64/,
    ],
    [
      'into a report',
      'mkdirSync(RUNNER_TEMP + "/sallyport"); writeFileSync(RUNNER_TEMP + "/sallyport/plan.json", JSON.stringify({ key }))',
      /sallyport\/plan\.json: raw/,
    ],
    ['one line of the key', 'console.log(key.split("\\n")[1])', /stdout: raw/],
    ['in hex', 'console.log(Buffer.from(token).toString("hex"))', /stdout: in hex/],
  ])('%s fails its test', async (_, line, says) => {
    const failed = leaky(line);
    await expect(failed).rejects.toThrow(says);
    await expect(failed).rejects.not.toThrow(TOKEN);
  });

  test('and one that only masks passes', async () => {
    await expect(leaky("console.log('::add-mask::' + token)")).resolves.toMatchObject({ status: 0 });
  });
});

test('a secret that is posted fails the test by its server', async () => {
  const hub = await startHub();
  const pull = await hub.openPull('leak');
  await fetch(`${hub.url}/repos/${REPOSITORY}/issues/${pull}/comments`, {
    method: 'POST',
    headers: { authorization: `token ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ body: `The passphrase is ${PASSPHRASE}.` }),
  });
  await expect(hub.close()).rejects.toThrow(/A secret came out. POST .*comments: raw/);
});

test('a secret in the result of a use case is removed, and would be found if it were not', async () => {
  const answers = {
    plan: { ok: false, problems: [{ id: 'x', level: 'error', message: PASSPHRASE }] },
  } as const;
  const job = await runJob({ event: pullEvent(), inputs, answers });
  expect(job.failures).toHaveLength(1);
  expect(leaksIn([PASSPHRASE], { job: `${JSON.stringify(job)} ${PASSPHRASE}` })).toEqual(['job: raw']);
});

test.each([0, 1, 2, 3, 4, 5])('Base64 is found wherever it begins (%i bytes before)', (before) => {
  const text = Buffer.from(`${'x'.repeat(before)}${TOKEN}${'y'.repeat(7)}`).toString('base64');
  expect(leaksIn([TOKEN], { text })).toEqual(['text: in Base64']);
  expect(leaksIn([TOKEN], { text: text.slice(30) })).toEqual([]);
});
