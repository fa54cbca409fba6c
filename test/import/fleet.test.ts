/** importFleet(): several hosts, nested chains, rules of programs, and refusals. */
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { Imported } from '../../src/import/model.js';
import { formatProblem, type Result } from '../../src/lib/problem.js';
import { DOCKER, FAIL2BAN } from '../compile/foreign.js';
import { ids, importOf, messagesOf } from './import-texts.js';

const filter = (rules: readonly string[], chains = '', policy = 'DROP'): string =>
  `*filter\n:INPUT ${policy} [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n${chains}-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A INPUT -s 203.0.113.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\n${rules.map((rule) => `${rule.startsWith('-A') ? rule : `-A INPUT ${rule}`}\n`).join('')}COMMIT\n`;

function files(result: Result<Imported>): (path: string) => ReturnType<typeof parse> {
  if (!result.ok) throw new Error(messagesOf(result).join('\n'));
  const { value } = result;
  return (path) => parse(value.files.get(path) ?? 'null');
}

const notes = (result: Result<Imported>): readonly string[] =>
  result.ok ? result.value.hosts.flatMap((host) => host.notes.map(formatProblem)) : [];

describe('several hosts', () => {
  const app = '-s 10.1.0.0/16 -p tcp -m tcp --dport 5432 -j ACCEPT';
  const fleet = importOf({
    'web-1': { v4: filter(['-p tcp -m multiport --dports 80,443 -j ACCEPT']) },
    'web-2': { v4: filter(['-p tcp -m tcp --dport 80 -j ACCEPT', '-p tcp -m tcp --dport 443 -j ACCEPT']) },
    'db-1': { v4: filter([app, '-s 10.1.0.0/16 -p tcp -m tcp --dport 6432 -j DROP']) },
  });

  test('with equal rules share a role, whatever their iptables rules look like', async () => {
    const file = files(await fleet);
    expect(file('roles/web.yml').input).toMatchObject([{ allow: 'web' }]);
    expect(file('hosts/web-1.yml')).toMatchObject({ roles: ['web'] });
    expect(file('hosts/web-2.yml').input).toBeUndefined();
    expect(file('hosts/db-1.yml').roles).toBeUndefined();
  });

  test('share their baseline, their administrators and the names of their networks', async () => {
    const file = files(await fleet);
    expect(file('fleet.yml')).toMatchObject({ baseline: { input: 'drop', log: false }, admin: ['admin'] });
    expect(file('hosts/db-1.yml').baseline).toBeUndefined();
    expect(file('networks.yml').networks).toEqual({
      admin: '203.0.113.0/24',
      'net-10-1-0-0-16': '10.1.0.0/16',
    });
    expect(file('hosts/db-1.yml').input).toMatchObject([
      { from: 'net-10-1-0-0-16' },
      { from: 'net-10-1-0-0-16' },
    ]);
  });
});

test('a rule of both families becomes one entry, others get their family', async () => {
  const v4 = filter(['-p tcp -m tcp --dport 443 -j ACCEPT', '-p tcp -m tcp --dport 25 -j ACCEPT']);
  const v6 = v4.replace(/.*--dport 25.*\n/, '').replace('203.0.113.0/24', '2001:db8:a::/48');
  const host = files(await importOf({ v4, v6 }))('hosts/h.yml');
  expect(host.input).toMatchObject([
    { allow: 'ssh', from: '2001:db8:a::/48' },
    { allow: 'https' },
    { allow: 'smtp', family: 'v4' },
  ]);
  expect(host.input[1].family).toBeUndefined();
});

describe('nested chains', () => {
  test.each<readonly [string, string, readonly string[], object]>([
    [
      'a return under two conditions',
      ':WEB - [0:0]\n',
      [
        '-p tcp -j WEB',
        '-A WEB -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j RETURN',
        '-A WEB -p tcp -m tcp --dport 80 -j ACCEPT',
      ],
      { input: [{ allow: 'http', except: '10.0.0.0/8' }] },
    ],
    [
      'a goto',
      ':END - [0:0]\n',
      [
        '-s 10.9.0.0/16 -g END',
        '-p tcp -m tcp --dport 80 -j ACCEPT',
        '-A END -p tcp -m tcp --dport 443 -j ACCEPT',
        '-A END -j DROP',
      ],
      {
        input: [
          { allow: 'https', from: 'net-10-9-0-0-16' },
          { deny: 'any', from: 'net-10-9-0-0-16' },
          { allow: 'http' },
        ],
      },
    ],
    [
      'a chain in a chain, with overlapping conditions',
      ':A - [0:0]\n:B - [0:0]\n',
      [
        '-s 10.0.0.0/8 -j A',
        '-A A -s 10.1.0.0/16 -j B',
        '-A A -s 192.168.0.0/16 -j ACCEPT',
        '-A B -p udp -m udp --dport 53 -j ACCEPT',
      ],
      { input: [{ allow: 'udp/53', from: '10.1.0.0/16' }] },
    ],
  ])('%s', async (_, chains, rules, expected) => {
    const result = await importOf({ v4: filter(rules, chains) });
    const host = files(result)('hosts/h.yml');
    expect(host).toMatchObject(expected);
    expect(host.raw).toBeUndefined();
  });

  test('a chain that counts and has two jumps stays; one that only logs with a limit does not', async () => {
    const jumps = ['-p tcp -m tcp --dport 80 -j SLOW', '-p udp -m udp --dport 53 -j SLOW'];
    const counting = await importOf({
      v4: filter([...jumps, '-A SLOW -m limit --limit 9/sec -j ACCEPT'], ':SLOW - [0:0]\n'),
    });
    expect(notes(counting)).toContainEqual(
      expect.stringContaining('it counts packets, and several rules jump to it'),
    );
    const logging = await importOf({
      v4: filter([...jumps, '-A SLOW -m limit --limit 9/sec -j LOG', '-A SLOW -j DROP'], ':SLOW - [0:0]\n'),
    });
    expect(files(logging)('hosts/h.yml')).toMatchObject({
      input: [
        { deny: 'http', log: true },
        { deny: 'udp/53', log: true },
      ],
    });
  });

  test('a chain whose jump counts packets stays, and a literal rule jumps to it', async () => {
    const result = await importOf({
      v4: filter(
        [
          '-p tcp -m limit --limit 10/sec -j SLOW',
          '-A SLOW -p tcp -m tcp --dport 80 -j ACCEPT',
          '-A SLOW -p tcp -m tcp --dport 81 -j ACCEPT',
        ],
        ':SLOW - [0:0]\n',
      ),
    });
    const file = files(result);
    expect(file('fleet.yml').ownership).toBe('chains');
    expect(file('hosts/h.yml').raw).toMatchObject([
      { rule: expect.stringContaining('-j SLOW'), chain: 'INPUT' },
    ]);
    expect(notes(result)).toContainEqual(
      expect.stringContaining('The chain SLOW of INPUT (IPv4) stays on h'),
    );
  });
});

test('an unknown target becomes a literal rule, and no chain stays for it', async () => {
  const v4 = filter(['-A FORWARD -p tcp -m tcp --dport 25 -j TARPIT', '-A FORWARD -i eth1 -j ACCEPT']);
  const file = files(await importOf({ v4 }));
  expect(file('fleet.yml').ownership).toBe('tables');
  expect(file('hosts/h.yml')).toMatchObject({
    raw: [{ chain: 'FORWARD', rule: '-p tcp -m tcp --dport 25 -j TARPIT' }],
    forward: [{ allow: 'any', in: 'eth1' }],
  });
});

describe('rules that decide nothing', () => {
  test('a chain that only logs with a limit, reached by several jumps, is inlined', async () => {
    const result = await importOf({
      v4: filter(
        [
          '-p tcp -m tcp --dport 80 -j LOGIT',
          '-p tcp -m tcp --dport 80 -j DROP',
          '-m limit --limit 3/min -j LOGIT',
          '-A LOGIT -m conntrack --ctstate INVALID -m limit --limit 3/min -j RETURN',
          '-A LOGIT -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[BLOCK] "',
        ],
        ':LOGIT - [0:0]\n',
      ),
    });
    const file = files(result);
    expect(file('fleet.yml').ownership).toBe('tables');
    expect(file('hosts/h.yml').input).toMatchObject([{ deny: 'http', log: true }]);
    expect(notes(result).join()).toContain('logged with the prefixes and the rate limit of the policy');
    expect(notes(result)).toContainEqual(
      expect.stringMatching(/^h\.v4:14:4: note: Each of 2 rules of h logs more than before/),
    );
  });

  test('a RETURN without a limit still excludes its packets from the log', async () => {
    const result = await importOf({
      v4: filter(
        ['-p udp -j LOGIT', '-A LOGIT -s 10.0.0.0/8 -i eth1 -j RETURN', '-A LOGIT -j LOG'],
        ':LOGIT - [0:0]\n',
      ),
    });
    const text = result.ok ? (result.value.files.get('hosts/h.yml') ?? '') : '';
    expect(text).toContain('10.0.0.0/8');
    expect(text).toContain('! -i eth1');
    expect(notes(result).join()).not.toContain('logs more');
  });

  test('a log before a verdict, in a chain whose jump counts: the verdict is kept, a note reports the log', async () => {
    const result = await importOf({
      v4: filter(
        [
          '-p tcp -m tcp --dport 80 -m recent --set --name web --mask 255.255.255.255 --rsource',
          '-p tcp -m tcp --dport 80 -m recent --update --seconds 30 --hitcount 6 --name web --mask 255.255.255.255 --rsource -j LIMIT',
          '-p tcp -m tcp --dport 80 -j ACCEPT',
          '-A LIMIT -m limit --limit 3/min -j LOG',
          '-A LIMIT -j DROP',
        ],
        ':LIMIT - [0:0]\n',
      ),
    });
    const host = files(result)('hosts/h.yml');
    expect(host.raw.map(({ rule }: { readonly rule: string }) => rule)).toContainEqual(
      expect.stringMatching(/--update .* -j DROP$/),
    );
    expect(notes(result)).toContainEqual(
      expect.stringMatching(/^h\.v4:14:4: note: A rule of h no longer logs before its verdict/),
    );
  });

  test('a rule without a target is kept as a literal rule', async () => {
    const counting = await importOf({
      v4: filter(['-A INPUT', '-A INPUT -s 10.0.0.0/8', '-A FORWARD -p tcp']),
    });
    const host = files(counting)('hosts/h.yml');
    const raw = host.raw.map(({ rule, chain }: { readonly [key: string]: string }) => `${chain} ${rule}`);
    expect(raw).toEqual(expect.arrayContaining(['INPUT -p all', 'INPUT -s 10.0.0.0/8', 'FORWARD -p tcp']));
  });

  test('a rule that no packet can match and that iptables-nft refuses is left out', async () => {
    const v4 = filter(['! -s 0.0.0.0/0 -j DROP', '-p tcp -m tcp --dport 80 -j ACCEPT']);
    const host = files(await importOf({ v4 }))('hosts/h.yml');
    expect({ raw: host.raw, input: host.input }).toMatchObject({
      raw: undefined,
      input: [{ allow: 'http' }],
    });
  });
});

test('rules of programs are not imported, and the program is named', async () => {
  const docker = await importOf({ v4: DOCKER }, ['203.0.113.0/24']);
  expect(notes(docker)).toContainEqual('note: Rules managed by docker on h are not imported.');
  expect(files(docker)('fleet.yml').ownership).toBe('chains');
  expect([...(docker.ok ? docker.value.files.values() : [])].join('')).not.toContain('DOCKER');
  expect(notes(await importOf({ v4: FAIL2BAN }, ['203.0.113.0/24'])).join()).toContain('fail2ban');
});

describe('differences that are allowed are reported', () => {
  test('findings of an open host are suppressed, each with a reason', async () => {
    const file = files(
      await importOf({ v4: filter([], '', 'ACCEPT'), v6: '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n' }),
    );
    const reason = 'Present when the rules were imported on 2026-07-01';
    expect(file('hosts/h.yml').accept).toContainEqual({ finding: 'default-accept', reason });
    expect(file('fleet.yml').accept).toContainEqual({ finding: 'ssh-open', reason });
    expect(file('hosts/h.yml').input.at(-1)).toMatchObject({ reason: 'Imported from h: INPUT rule 4' });
  });

  test('one family of two, other reject answers, other logs', async () => {
    const result = await importOf({
      v4: filter([
        '-p tcp -m tcp --dport 23 -j LOG --log-prefix "telnet "',
        '-j REJECT --reject-with icmp-admin-prohibited',
      ]),
    });
    expect(notes(result)).toEqual([
      expect.stringContaining('The IPv6 rules of h are not known'),
      expect.stringContaining('icmp-admin-prohibited'),
      expect.stringContaining('logged with the prefixes and the rate limit of the policy'),
    ]);
  });

  test('SSH is opened to the given administrators if it was not certain to be open', async () => {
    const result = await importOf({ v4: filter([]) }, ['198.51.100.0/24']);
    expect(result.ok).toBe(true);
    expect(ids(result)).toEqual(['import-admin-opens']);
  });

  test('their SSH is a rule of its own if the baseline of the host cannot have it', async () => {
    const v4 = filter(['-p tcp -m tcp --dport 80 -j ACCEPT'])
      .replace('RELATED,ESTABLISHED', 'ESTABLISHED')
      .replace('-s 203.0.113.0/24 -p tcp', '-i eth0 -p tcp');
    expect(ids(await importOf({ v4 }))).toEqual(['import-no-admin']);
    const named = await importOf({ v4 }, ['203.0.113.0/24']);
    expect(ids(named)).toEqual(['import-admin-opens']);
    expect(files(named)('hosts/h.yml').input).toMatchObject([
      { allow: 'ssh', from: 'admin', reason: 'SSH from the administrators' },
      { allow: 'any', state: 'established' },
      { deny: 'any', state: 'invalid' },
      { allow: 'ssh', in: 'eth0', reason: 'Imported from h: INPUT rule 4' },
      { allow: 'http' },
    ]);
  });
});

describe('refuses', () => {
  test('a host whose administrators cannot be derived', async () => {
    const result = await importOf({ v4: filter([]).replace(/.*--dport 22.*\n/, '') });
    expect({ ok: result.ok, ids: ids(result) }).toEqual({ ok: false, ids: ['import-no-admin'] });
    expect(messagesOf(result)[0]).toMatch(
      /On h: New SSH connections from anywhere would be dropped, for example tcp .*, by the policy of INPUT \(filter\)\. Name their networks with --admin: /,
    );
  });

  test('a host with a list of bans, naming the ban and its line', async () => {
    const bans = filter([]).replace(
      '-A INPUT -s 203.0.113.0/24 -p tcp',
      '-A INPUT -s 192.0.2.128/25 -j DROP\n-A INPUT -p tcp',
    );
    expect(messagesOf(await importOf({ v4: bans }))[0]).toContain(
      'by "-A INPUT -s 192.0.2.128/25 -j DROP" (filter) at h.v4:8.',
    );
  });

  test('hosts that allow SSH from different networks, naming the networks', async () => {
    const v4 = filter([]);
    const result = await importOf({ a: { v4 }, b: { v4: v4.replace('203.0.113.0/24', '198.51.100.0/24') } });
    expect(messagesOf(result)[0]).toContain(
      'a allows SSH from 203.0.113.0/24. b allows SSH from 198.51.100.0/24.',
    );
  });

  test('nothing if SSH is open in a chain that stays on the host', async () => {
    const v4 = filter(
      ['-p tcp -g OPEN', '-A OPEN -p tcp -m tcp --dport 22 -j ACCEPT'],
      ':OPEN - [0:0]\n',
    ).replace(/.*203\.0\.113.*\n/, '');
    expect(ids(await importOf({ v4 }))).not.toContain('import-no-admin');
  });

  test('rules that no host would load, each with its line', async () => {
    const v4 = filter(['-A FORWARD -m owner --uid-owner 0 -j ACCEPT', '-p tcp -m tcp --dport 80 -j ACCEPT']);
    const result = await importOf({ v4 });
    expect(ids(result)[0]).toBe('import-unsayable');
    expect(result.problems[1]?.location).toMatchObject({ file: 'h.v4', line: 9 });
  });

  test('administrators that a set of the host bans, without locations in files that are not written', async () => {
    const sets = 'create banned hash:ip family inet hashsize 1024 maxelem 65536 timeout 600\n';
    const v4 = filter([]).replace(
      '-A INPUT -i lo',
      '-A INPUT -m set --match-set banned src -j DROP\n-A INPUT -i lo',
    );
    // A ban of others is no reason.
    const fine = await importOf({ v4, sets: `${sets}add banned 198.51.100.9 timeout 60\n` }, [
      '203.0.113.0/24',
    ]);
    expect(fine.problems.filter(({ level }) => level === 'error')).toEqual([]);
    const result = await importOf({ v4, sets: `${sets}add banned 203.0.113.9 timeout 60\n` }, [
      '203.0.113.0/24',
    ]);
    const refusal = result.problems.find(({ level }) => level === 'error');
    expect(refusal).toMatchObject({
      id: 'import-lockout',
      hint: expect.stringContaining('On the host,'),
    });
    expect(messagesOf(result).join()).not.toContain('policies/');
  });

  test('a host on which SSH is open only in the family that deploys do not use', async () => {
    const limited = filter([]).replace('--dport 22 -j', '--dport 22 -m limit --limit 3/min -j');
    const result = await importOf({ v4: limited, v6: '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n' });
    expect({ ok: result.ok, ids: ids(result) }).toEqual({ ok: false, ids: ['import-no-admin'] });
  });

  test('traffic that would differ, with an example packet and both rules', async () => {
    const result = await importOf({
      v4: filter(
        [
          '-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT',
          '-A INPUT -p tcp -j f2b-web',
          '-A f2b-web -s 198.51.100.9/32 -j DROP',
        ],
        ':f2b-web - [0:0]\n',
      ),
    });
    expect({ ok: result.ok, ids: ids(result) }).toEqual({ ok: false, ids: ['import-differs'] });
    expect(messagesOf(result)[0]).toMatch(
      /On h, INPUT traffic would be closed: tcp 198\.51\.100\.9:\d+ .* before by filter INPUT rule 5 .*, after by filter f2b-web rule 1 .* move their jump to the top as well, as fail2ban itself does when it restarts, then import again/,
    );
  });

  test('traffic that depends on what a packet does not show', async () => {
    const jump = '-A OUTPUT -p udp -m mark --mark 0x1 -j D';
    const result = await importOf({
      v4: filter([jump, '-A D -m mark --mark 0x1 -j DROP'], ':D - [0:0]\n'),
    });
    expect({ ok: result.ok, ids: ids(result) }).toEqual({ ok: false, ids: ['import-differs'] });
    expect(messagesOf(result)[0]).toMatch(
      /On h, OUTPUT traffic might be \w+: udp .* The result depends on what a packet does not show, such as a mark/,
    );
  });

  test('bans after the rule that accepts, until their jump is moved to the top', async () => {
    const jump = '-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n';
    const late = filter(
      [jump.trim(), '-A f2b-sshd -s 198.51.100.9/32 -j DROP', '-A f2b-sshd -j RETURN'],
      ':f2b-sshd - [0:0]\n',
    ).replace('-s 203.0.113.0/24 -p tcp', '-p tcp');
    expect(ids(await importOf({ v4: late }, ['203.0.113.0/24']))).toEqual(['import-differs']);
    const first = late.replace(jump, '').replace('-A INPUT -i lo', `${jump}-A INPUT -i lo`);
    expect(messagesOf(await importOf({ v4: first }, ['203.0.113.0/24']))).toEqual([]);
  });

  test('a file that iptables-restore would refuse', async () => {
    const result = await importOf({ v4: '*filter\n-A INPUT -p tcp --dport\nCOMMIT\n' });
    expect(result.ok).toBe(false);
    expect(result.problems[0]?.location).toMatchObject({ file: 'h.v4', line: 2 });
  });
});
