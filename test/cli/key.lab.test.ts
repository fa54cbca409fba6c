/** A protected key: its passphrase from the environment, or typed at a real terminal that does not show it. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Lab, openLab } from '../../src/lab/lab.js';
import { must } from '../../src/lab/shell.js';
import { shellQuote } from '../../src/lib/text.js';
import { type Program, programIn, writePolicy } from './lab-program.js';

jest.setTimeout(120_000);

const PASSPHRASE = 'correct horse';
let lab: Lab;
let sallyport: Program;
let key: string;

beforeAll(async () => {
  lab = await openLab();
  const host = await lab.light({ name: 'web-1' });
  sallyport = await programIn(lab);
  writePolicy(lab, [host]);
  key = join(lab.directory, 'protected');
  copyFileSync(lab.identity, key);
  await must('ssh-keygen', ['-q', '-p', '-N', PASSPHRASE, '-f', key]);
});
afterAll(() => lab.close());

test('takes its passphrase from the environment', async () => {
  const ran = await lab.run(process.execPath, [sallyport.path, 'status', '-i', key], {
    cwd: lab.directory,
    env: { ...process.env, SALLYPORT_SSH_PASSPHRASE: PASSPHRASE },
  });
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('never deployed') });
});

test('says where a passphrase could come from when nobody can be asked', async () => {
  const ran = await lab.run(process.execPath, [sallyport.path, 'status', '-i', key], { cwd: lab.directory });
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('SALLYPORT_SSH_PASSPHRASE') });
});

test('asks for it at a terminal, which does not show what is typed', async () => {
  const command = [process.execPath, sallyport.path, 'status', '-i', key].map(shellQuote).join(' ');
  const { CI: _, ...env } = process.env;
  const terminal = lab.spawn('script', ['-qec', command, '/dev/null'], { cwd: lab.directory, env });
  let seen = '';
  let typed = false;
  terminal.stdout?.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
    if (typed || !seen.includes('Passphrase of ')) return;
    typed = true;
    terminal.stdin?.write(`${PASSPHRASE}\r`);
  });
  const code = await new Promise((resolve) => terminal.once('close', resolve));
  expect({ code, seen }).toEqual({ code: 0, seen: expect.stringContaining('never deployed') });
  expect(seen).not.toContain(PASSPHRASE);
});
