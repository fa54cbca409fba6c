import { describe, expect, test } from '@jest/globals';
import { applyPatch, parsePatch } from 'diff';
import { parse } from 'yaml';
import { adoptFleet } from '../../src/commands/adopt/adopt-fleet.js';
import { adoptionPatch } from '../../src/commands/adopt.js';
import { checkHost } from '../../src/commands/check.js';
import { compileHost } from '../../src/compile/compile.js';
import { renderHost } from '../../src/compile/render.js';
import type { RulesText } from '../../src/netfilter/model.js';
import { readFleet } from '../../src/policy/read.js';
import { formatProblem } from '../../src/problem.js';
import type { Adoption } from '../../src/rollout/adoption.js';
import { deployFleet } from '../../src/rollout/deploy.js';
import type { Plan } from '../../src/rollout/model.js';
import { planFleet } from '../../src/rollout/plan.js';
import { modelFleet, modelHost } from '../rollout/model-host.js';

const FILES: Readonly<Record<string, string>> = {
  'policies/fleet.yml': `version: 1
ssh: {user: deploy, known_hosts: known_hosts}
admin: [admin]
sets_from: 3
`,
  'policies/networks.yml': `networks:
  admin: [203.0.113.0/28, "2001:db8:a::/48"]
  office: [198.51.100.1, 198.51.100.3, 198.51.100.5] # three desks
`,
  'policies/roles/web.yml': `# What every web server lets in.
input:
  # the site
  - {allow: [http, https], from: any, reason: The public site}
  - {allow: tcp/9100, from: office, reason: Metrics}
`,
  'policies/hosts/web-1.yml': `# The first one.
addresses: [192.0.2.1, "2001:db8::1"]
roles: [web]

input: # its own
  - allow: tcp/8443   # the preview
    from: any
    reason: Staging preview

  - allow: udp/60000-61000
    from: any
    reason: mosh
`,
  'policies/hosts/others.yml': `hosts:
  web-2: { addresses: [192.0.2.2, "2001:db8::2"], roles: [web] }
  db-1: { addresses: [192.0.2.9] } # no role
`,
};

type Change = (text: string) => string;
interface Hands {
  readonly v4?: Change;
  readonly v6?: Change;
  readonly sets?: Change;
}

function fleetOf(files: Readonly<Record<string, string>>) {
  const read = readFleet(new Map(Object.entries(files)), 'policies', { today: '2027-01-01' });
  if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
  return read.value;
}

/** What every host runs after a deploy. */
function deployed(files = FILES): Readonly<Record<string, RulesText>> {
  const fleet = fleetOf(files);
  return Object.fromEntries(
    fleet.hosts.map((host) => {
      const compiled = compileHost(fleet, host);
      if (!compiled.ok) throw new Error('The policy does not compile.');
      return [host.name, renderHost(compiled.value)];
    }),
  );
}

/** What every host runs after somebody's hands were on some of them. */
const touched = (
  hands: Readonly<Record<string, Hands>>,
  files = FILES,
): Readonly<Record<string, RulesText>> =>
  Object.fromEntries(
    Object.entries(deployed(files)).map(([name, text]) => {
      const { v4 = same, v6 = same, sets = same } = hands[name] ?? {};
      return [name, { v4: v4(text.v4), v6: v6(text.v6), sets: sets(text.sets) }];
    }),
  );

/** Hosts that run the policy, but for what was done to some of them by hand. */
async function adopted(hands: Readonly<Record<string, Hands>>, files = FILES): Promise<Adoption> {
  const fleet = fleetOf(files);
  const saved = deployed(files);
  const hosts = Object.fromEntries(
    Object.entries(touched(hands, files)).map(([name, live]) => [
      name,
      modelHost({ live, ...(saved[name] && { saved: saved[name] }) }),
    ]),
  );
  return adoptFleet(fleet, new Map(Object.entries(files)), fleet.hosts, modelFleet(hosts), {
    date: '2027-01-01',
  });
}
const same: Change = (text) => text;

/** `iptables -I CHAIN 1`. */
const first =
  (chain: string, rule: string): Change =>
  (text) =>
    text.replace(new RegExp(`^-A ${chain} `, 'm'), `-A ${chain} ${rule}\n$&`);
/** In front of the rule with these words in it. */
const inFrontOf =
  (words: string, line: string): Change =>
  (text) =>
    text.replace(new RegExp(`^.*${words}.*$`, 'm'), `${line}\n$&`);
const without =
  (words: string): Change =>
  (text) =>
    text.replace(new RegExp(`^.*${words}.*\n`, 'gm'), '');

const policyOf = ({ files }: Adoption, path: string): string =>
  files.find((file) => file.path === path)?.after ?? FILES[path] ?? '';
const of = ({ hosts }: Adoption, name: string) => {
  const found = hosts.find(({ host }) => host === name);
  if (found === undefined) throw new Error(`${name} is clean.`);
  return found;
};

/** Of a policy as it was adopted: what a plan of it says about a host that still runs what it ran. */
async function planned(adoption: Adoption, hands: Readonly<Record<string, Hands>>): Promise<Plan> {
  const files = Object.fromEntries(Object.keys(FILES).map((path) => [path, policyOf(adoption, path)]));
  const fleet = fleetOf(files);
  const hosts = Object.fromEntries(
    Object.entries(touched(hands)).map(([name, live]) => [name, modelHost({ live })]),
  );
  for (const host of fleet.hosts)
    expect(checkHost(fleet, host, []).problems.filter(({ level }) => level === 'error')).toEqual([]);
  return planFleet(fleet, fleet.hosts, modelFleet(hosts));
}

const opensAndCloses = (plan: Plan, name: string) => {
  const traffic = plan.hosts.find(({ host }) => host === name)?.traffic;
  return traffic && { equal: traffic.equal, opened: traffic.opened.length, closed: traffic.closed.length };
};
const EQUAL = { equal: true, opened: 0, closed: 0 };

const OPENED = '-p tcp -m tcp --dport 5432 -m conntrack --ctstate NEW -j ACCEPT';

describe('a rule that was added by hand', () => {
  test('among the policy’s rules becomes one of the host’s own; the plan of it changes no traffic', async () => {
    const hands = {
      'web-1': {
        v4: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${OPENED}`),
        v6: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${OPENED}`),
      },
    };
    const adoption = await adopted(hands);
    expect(of(adoption, 'web-1')).toMatchObject({
      status: 'read',
      taken: [{ families: ['v4', 'v6'] }],
      left: [],
    });
    expect(adoption.files.map(({ path }) => path)).toEqual(['policies/hosts/web-1.yml']);
    const plan = await planned(adoption, hands);
    expect(opensAndCloses(plan, 'web-1')).toEqual(EQUAL);
    const text = policyOf(adoption, 'policies/hosts/web-1.yml');
    expect(parse(text).input[0]).toEqual({
      allow: 'postgres',
      reason: 'Adopted from drift on 2027-01-01',
      owner: 'to-be-named',
    });
  });

  test('with a comment of its own, at the place where it stands, is clean without any deploy', async () => {
    const rule =
      '-p tcp -m tcp --dport 5432 -m length --length 0:100 -m comment --comment "by anna" -j ACCEPT';
    const hands = { 'web-1': { v4: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${rule}`) } };
    const adoption = await adopted(hands);
    const plan = await planned(adoption, hands);
    expect(plan.hosts.map(({ status }) => status)).toEqual(['unchanged', 'unchanged', 'unchanged']);
  });

  test('above the jump to the policy’s rules is taken as well; what it lets in beyond connections is said', async () => {
    const hands = { 'db-1': { v4: first('INPUT', '-p tcp -m tcp --dport 25 -j ACCEPT') } };
    const adoption = await adopted(hands);
    expect(of(adoption, 'db-1').taken).toEqual([
      expect.objectContaining({
        message: "A rule was added to INPUT, above the policy's rules.",
        rule: '-A INPUT -p tcp -m tcp --dport 25 -j ACCEPT',
        file: 'policies/hosts/others.yml',
        note: expect.stringContaining('INVALID'),
      }),
    ]);
    const traffic = (await planned(adoption, hands)).hosts.find(({ host }) => host === 'db-1')?.traffic;
    expect(traffic?.opened).toEqual([]);
    expect(new Set(traffic?.closed.flatMap(({ state }) => state))).toEqual(new Set(['INVALID']));
  });

  test('behind the last drop it never matched: the policy does not open what nobody had', async () => {
    const adoption = await adopted({
      'web-1': { v4: (text) => text.replace(/COMMIT\n$/, `-A SALLYPORT-INPUT ${OPENED}\nCOMMIT\n`) },
    });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { why: expect.stringContaining('the fate of no packet') },
    ]);
  });

  test('that would lock the administrators out is left: the policy would not pass its check', async () => {
    const adoption = await adopted({
      'web-1': {
        v4: first('SALLYPORT-INPUT', '-p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j DROP'),
      },
    });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left[0]?.why).toMatch(/would not (pass its check|mean the same)/);
  });

  test('that stops what stands already is left, with a packet that the policy’s words would let through', async () => {
    const adoption = await adopted({
      'web-1': {
        v4: (text) =>
          text.replace(/COMMIT\n$/, '-A SALLYPORT-OUTPUT -p tcp -m tcp --dport 25 -j DROP\nCOMMIT\n'),
      },
    });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left[0]?.why).toMatch(
      /would not mean the same for every packet, such as .*25.* \(ESTABLISHED|RELATED\)\. The next deploy/,
    );
  });

  test('in a chain of the policy’s that the policy does not have is left', async () => {
    const adoption = await adopted({
      'web-1': {
        v4: (text) =>
          inFrontOf(
            'Staging preview',
            '-A SALLYPORT-INPUT -j SALLYPORT-MINE',
          )(text).replace(/^-A/m, `:SALLYPORT-MINE - [0:0]\n-A SALLYPORT-MINE ${OPENED}\n-A`),
      },
    });
    expect(of(adoption, 'web-1').taken).toEqual([]);
    expect(of(adoption, 'web-1').left.map(({ why }) => why)).toContainEqual(
      expect.stringContaining('It leads to a chain that the policy does not know'),
    );
  });

  test('in nat is taken where its place can be said', async () => {
    const own = FILES['policies/hosts/web-1.yml'] ?? '';
    const files = {
      ...FILES,
      'policies/hosts/web-1.yml': `${own}raw:\n  - {rule: -s 10.1.0.0/16 -j MASQUERADE, table: nat, chain: POSTROUTING, family: v4, reason: The lab}\n`,
    };
    const rule = '-s 10.2.0.0/16 -j MASQUERADE';
    const hands = {
      'web-1': { v4: inFrontOf('10.1.0.0', `-A SALLYPORT-POSTROUTING ${rule}`) },
    };
    const adoption = await adopted(hands, files);
    expect(of(adoption, 'web-1').left).toEqual([]);
    expect(parse(policyOf(adoption, 'policies/hosts/web-1.yml')).raw).toEqual([
      expect.objectContaining({ rule, table: 'nat', chain: 'POSTROUTING', family: 'v4' }),
      expect.objectContaining({ reason: 'The lab' }),
    ]);
  });
});

describe('a rule that was removed by hand', () => {
  test('goes from the host’s file; comments and order of the rest stay', async () => {
    const hands = { 'web-1': { v4: without('Staging preview'), v6: without('Staging preview') } };
    const adoption = await adopted(hands);
    expect(policyOf(adoption, 'policies/hosts/web-1.yml')).toBe(`# The first one.
addresses: [192.0.2.1, "2001:db8::1"]
roles: [web]

input: # its own
  - allow: udp/60000-61000
    from: any
    reason: mosh
`);
    expect((await planned(adoption, hands)).hosts.map(({ status }) => status)).toEqual([
      'unchanged',
      'unchanged',
      'unchanged',
    ]);
  });

  test('in one family alone makes the entry one for the other family', async () => {
    const hands = { 'web-1': { v4: without('Staging preview') } };
    const adoption = await adopted(hands);
    expect(parse(policyOf(adoption, 'policies/hosts/web-1.yml')).input[0]).toMatchObject({ family: 'v6' });
    expect(opensAndCloses(await planned(adoption, hands), 'web-1')).toEqual(EQUAL);
  });

  test('on every host of its role goes from the role', async () => {
    const gone = { v4: without('The public site'), v6: without('The public site') };
    const hands = { 'web-1': gone, 'web-2': gone };
    const adoption = await adopted(hands);
    expect(adoption.files.map(({ path }) => path)).toEqual(['policies/roles/web.yml']);
    expect(policyOf(adoption, 'policies/roles/web.yml')).toBe(`# What every web server lets in.
input:
  - {allow: tcp/9100, from: office, reason: Metrics}
`);
    expect((await planned(adoption, hands)).hosts.map(({ status }) => status)).toEqual([
      'unchanged',
      'unchanged',
      'unchanged',
    ]);
  });

  test('on one host of a role becomes an exception of that host, and the others keep it', async () => {
    const hands = { 'web-2': { v4: without('The public site'), v6: without('The public site') } };
    const adoption = await adopted(hands);
    expect(adoption.files.map(({ path }) => path)).toEqual(['policies/hosts/others.yml']);
    expect(parse(policyOf(adoption, 'policies/hosts/others.yml')).hosts['web-2'].input).toEqual([
      {
        deny: ['http', 'https'],
        from: 'any',
        reason: 'Adopted from drift on 2027-01-01: removed here, allowed by role web',
        owner: 'to-be-named',
      },
    ]);
    const plan = await planned(adoption, hands);
    expect(opensAndCloses(plan, 'web-2')).toEqual(EQUAL);
    expect(opensAndCloses(plan, 'web-1')).toEqual(EQUAL);
  });

  test('from what every host gets is left, but for the log of drops', async () => {
    const established = await adopted({ 'web-1': { v4: without('RELATED,ESTABLISHED') } });
    expect(established.files).toEqual([]);
    expect(of(established, 'web-1').left[0]?.why).toContain('part of what every host gets');
    const silent = { v4: without('-j LOG'), v6: without('-j LOG') };
    const log = await adopted({ 'web-1': silent });
    expect(parse(policyOf(log, 'policies/hosts/web-1.yml')).baseline).toEqual({ log: false });
    expect((await planned(log, { 'web-1': silent })).hosts[1]).toMatchObject({
      host: 'web-1',
      status: 'unchanged',
    });
  });
});

describe('what is not a rule', () => {
  test('a policy set to ACCEPT before a last drop decides nothing; with the drop gone as well it is taken', async () => {
    const accept: Change = (text) => text.replace(':FORWARD DROP', ':FORWARD ACCEPT');
    const nothing = await adopted({ 'db-1': { v4: accept, v6: accept } });
    expect(nothing.files).toEqual([]);
    expect(of(nothing, 'db-1').left).toMatchObject([{ message: 'The policy of FORWARD is ACCEPT.' }]);
    const open: Change = (text) => accept(text).replace(/^-A SALLYPORT-FORWARD .*\n/gm, '');
    const hands = { 'db-1': { v4: open, v6: open } };
    const taken = await adopted(hands);
    expect(parse(policyOf(taken, 'policies/hosts/others.yml')).hosts['db-1'].baseline).toEqual({
      forward: 'accept',
    });
    expect(opensAndCloses(await planned(taken, hands), 'db-1')).toEqual(EQUAL);
  });

  test('the members of a network change when all of its hosts changed alike', async () => {
    const more: Change = (text) => `${text}add SALLYPORT-office-4 198.51.100.9\n`;
    const all = await adopted({ 'web-1': { sets: more }, 'web-2': { sets: more } });
    expect(all.files.map(({ path }) => path)).toEqual(['policies/networks.yml']);
    expect(policyOf(all, 'policies/networks.yml')).toContain(
      'office: [198.51.100.1, 198.51.100.3, 198.51.100.5, 198.51.100.9] # three desks',
    );
    const one = await adopted({ 'web-2': { sets: more } });
    expect(one.files).toEqual([]);
    expect(of(one, 'web-2').left).toMatchObject([
      {
        message: 'The set SALLYPORT-office-4 gained 198.51.100.9.',
        why: expect.stringContaining('Other hosts use this network'),
      },
    ]);
  });

  test('a network that other hosts name too stays as it is, however alike its set changed', async () => {
    const files = {
      ...FILES,
      'policies/hosts/others.yml': `${FILES['policies/hosts/others.yml']}  db-2:
    addresses: [192.0.2.10]
    input:
      - {allow: postgres, from: [office, admin], reason: Queries}
`,
    };
    const more: Change = (text) =>
      text.replace(/^(add SALLYPORT-office-4 .*\n)/m, '$1add SALLYPORT-office-4 198.51.100.9\n');
    const adoption = await adopted({ 'web-1': { sets: more }, 'web-2': { sets: more } }, files);
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { message: 'The set SALLYPORT-office-4 gained 198.51.100.9.' },
    ]);
  });

  test('the jump to the policy’s rules is put back by a deploy', async () => {
    const adoption = await adopted({ 'web-1': { v4: without('^-A INPUT') } });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { why: expect.stringContaining('The next deploy takes it back.') },
    ]);
  });

  test('the order of rules that do not meet means nothing', async () => {
    const swap: Change = (text) => {
      const line = /^.*Staging preview.*\n/m.exec(text)?.[0] ?? '';
      return text.replace(line, '').replace(/^.*: mosh.*\n/m, (mosh) => mosh + line);
    };
    const adoption = await adopted({ 'web-1': { v4: swap } });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { message: 'A rule of SALLYPORT-INPUT stands at another place.' },
    ]);
  });
});

test('what the policy came to say, or ceased to say, since the last deploy was done by nobody’s hand', async () => {
  const fleet = fleetOf(FILES);
  const [web] = fleet.hosts.filter(({ name }) => name === 'web-1');
  const port = modelFleet({ 'web-1': modelHost() });
  await deployFleet(fleet, web === undefined ? [] : [web], port, { owner: 'test' });
  const host = port.hosts.get('web-1');
  if (host === undefined || web === undefined) throw new Error('no host');
  host.live = {
    ...host.live,
    v4: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${OPENED}`)(host.live.v4),
  };
  const own = FILES['policies/hosts/web-1.yml'] ?? '';
  const newer = { ...FILES, 'policies/hosts/web-1.yml': own.replace('udp/60000-61000', 'udp/60000-60999') };
  const now = fleetOf(newer);
  const options = { date: '2027-01-01' };
  const [later] = now.hosts.filter(({ name }) => name === 'web-1');
  const adoption = await adoptFleet(
    now,
    new Map(Object.entries(newer)),
    later === undefined ? [] : [later],
    port,
    options,
  );
  expect(of(adoption, 'web-1').taken).toEqual([
    expect.objectContaining({ rule: `-A SALLYPORT-INPUT ${OPENED}` }),
  ]);
  expect(of(adoption, 'web-1').left.map(({ why }) => why)).toEqual(
    expect.arrayContaining([
      expect.stringContaining('has come to say'),
      expect.stringContaining('has ceased to say'),
    ]),
  );
  expect(adoption.files[0]?.after).toContain('udp/60000-60999');
});

test('several hands on several hosts: each host has its own part, and the patch makes the same files', async () => {
  const hands = {
    'web-1': { v4: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${OPENED}`), v6: without('mosh') },
    'web-2': { v4: without('The public site'), v6: without('The public site') },
    'db-1': { v4: first('INPUT', '-p tcp -m tcp --dport 25 -j ACCEPT') },
  };
  const adoption = await adopted(hands);
  expect(adoption.hosts.map(({ host, taken, left }) => [host, taken.length, left.length])).toEqual([
    ['db-1', 1, 0],
    ['web-1', 2, 0],
    ['web-2', 1, 0],
  ]);
  const patches = parsePatch(adoptionPatch(adoption));
  expect(patches.map(({ oldFileName, newFileName }) => [oldFileName, newFileName])).toEqual(
    adoption.files.map(({ path }) => [`a/${path}`, `b/${path}`]),
  );
  for (const [index, { before: old, after: now }] of adoption.files.entries())
    expect(applyPatch(old, patches[index] ?? '')).toBe(now);
  const text = policyOf(adoption, 'policies/hosts/others.yml');
  expect(text).toContain('# no role');
  expect(text).toContain('addresses: [192.0.2.2, "2001:db8::2"]');
  const plan = await planned(adoption, hands);
  for (const { traffic } of plan.hosts) expect(traffic?.opened).toEqual([]);
});

test('hosts of which nothing is known are apart, and a clean fleet changes nothing', async () => {
  const fleet = fleetOf(FILES);
  const [text] = Object.values(deployed());
  const pending = { run: 'r', phase: 'verify', owner: 'anna', since: '', secondsLeft: 9 } as const;
  const port = modelFleet({
    'web-1': modelHost({ behaviour: 'unreachable' }),
    'web-2': modelHost({ ...(text && { live: text }), state: { record: { history: [], pending } } }),
    'db-1': modelHost({ behaviour: 'unreadable' }),
  });
  const options = { date: '2027-01-01' };
  const adoption = await adoptFleet(fleet, new Map(Object.entries(FILES)), fleet.hosts, port, options);
  expect(adoption.files).toEqual([]);
  expect(adoption.hosts.map(({ host, status }) => [host, status])).toEqual([
    ['db-1', 'error'],
    ['web-1', 'unreachable'],
    ['web-2', 'busy'],
  ]);
  expect(await adopted({})).toEqual({ version: 1, date: '2027-01-01', hosts: [], files: [] });
  expect(adoptionPatch(await adopted({}))).toBe('');
});
