/** What a plan says of what real hosts are doing: a service that listens, a peer that is connected, tools that are missing. */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../../src/lab/lab.js';
import { until } from '../../../src/lab/shell.js';
import type { Finding, Plan } from '../../../src/rollout/results/model.js';
import { type Program, programIn, writePolicy } from '../../cli/lab-program.js';

jest.setTimeout(180_000);

/** Lets everything in, and tracks connections as most rulesets do. */
const TRACKED = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`;
const SERVICE =
  "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 5, LocalPort => 5432, ReuseAddr => 1) or die; while ($c = $s->accept) { push @c, $c }' >/dev/null 2>&1 &";

let lab: Lab;
let web: Host;
let bare: Host;
let program: Program;
const sockets: Socket[] = [];

beforeAll(async () => {
  lab = await openLab();
  [web, bare] = await Promise.all([
    lab.light({ name: 'web-1', rules: { v4: TRACKED, v6: TRACKED } }),
    lab.light({ name: 'web-2', rules: { v4: TRACKED, v6: TRACKED } }),
  ]);
  program = await programIn(lab);
  writePolicy(lab, [web, bare]);
  for (const host of [web, bare]) {
    await host.must(SERVICE);
    await until(
      'the service listens',
      async () => (await host.exec('ss -lnt | grep -q :5432')).code === 0 || undefined,
    );
    sockets.push(await lab.connect(host.addresses.v4, 5432, { from: lab.otherClient.v4 }));
  }
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await lab.close();
});

async function findings(host: Host, ...more: readonly string[]): Promise<readonly Finding[]> {
  const { stdout, stderr } = await program('plan', '--hosts', host.name, '--format', 'json', ...more);
  const [plan] = (JSON.parse(stdout) as Plan).hosts;
  expect(plan?.reason ?? stderr.replace(/^.*read.*$/gim, '')).not.toMatch(/activity/);
  return plan?.findings ?? [];
}
const about = (all: readonly Finding[]): readonly string[] =>
  all
    .filter(({ id }) => /flows|listens/.test(id))
    .map(({ id, message, source }) => `${id}: ${message}${source ? ` at line ${source.line}` : ''}`);

const CLOSES =
  'closes-current-flows: In use now: tcp/5432 from 1 address (1 flow); new connections will be refused.';
const IDLE = ['nothing-listens: This rule allows tcp/80 and tcp/443, where nothing listens now. at line 2'];

test('the peer of a real connection would be refused, by number and not by address; nothing listens for the site', async () => {
  const messages = about(await findings(web));
  expect(messages).toEqual([
    expect.stringMatching(
      new RegExp(`^${CLOSES.replaceAll(/[().]/g, '\\$&')} 1 established flow will stay open until it ends`),
    ),
    expect.stringMatching(
      /^listens-for-nobody-now: The host listens on tcp\/5432, which nobody can reach any more\.$/,
    ),
    ...IDLE,
  ]);
  expect(messages.join('\n')).not.toContain(lab.otherClient.v4);
});

test('it is reported from a recorded state too, which names no stranger either', async () => {
  await findings(web, '--save', 'states');
  const text = await lab.run('cat', ['states/web-1.activity'], { cwd: lab.directory });
  expect(text.stdout).toContain('"port": 5432');
  const recorded = about(await findings(web, '--state', 'states'));
  expect(recorded[0]).toContain('In use now: tcp/5432 from');
  expect(recorded).toHaveLength(3);
});

test('the connection continues after the deploy, as the plan reported', async () => {
  const { code, stderr } = await program('deploy', '--hosts', 'web-1', '--yes');
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const [socket] = sockets;
  // A socket whose packets are dropped would take them all the same; the host must have them.
  socket?.write('still here');
  await until('the host has what was sent', async () => {
    const [, line = ''] = (await web.must("ss -nt state established 'sport = :5432'")).split('\n');
    return /^10\s/.test(line) || undefined;
  });
  expect(about(await findings(web))[0]).toMatch(
    /^flows-of-refused-peers: .* tcp\/5432 from 1 address \(1 flow\)/,
  );
});

test('without conntrack and ss the kernel is read directly; without that either, nothing is reported', async () => {
  await bare.must('rm -f "$(command -v conntrack)" "$(command -v ss)"');
  expect(about(await findings(bare))[0]).toContain(CLOSES);
  await bare.must('rm -f /usr/bin/awk /usr/bin/mawk /usr/bin/gawk /etc/alternatives/awk');
  const all = await findings(bare);
  expect(about(all)).toEqual([]);
});
