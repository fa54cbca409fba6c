import type { Problem } from '../../../src/lib/problem.js';
import { findAnomalies, liveAnomalies, liveProblem } from '../../../src/traffic/questions/anomalies.js';
import { host, ruleset, table } from '../rules.js';

const anomalies = (v4: string): readonly Problem[] => findAnomalies(ruleset({ v4 }));
const short = (problems: readonly Problem[]): readonly string[] =>
  problems.map(({ id, location }) => `${id} ${location?.line}`);
const filter = (...rules: readonly string[]): string => table('filter', rules, { INPUT: 'DROP' });

test('a host without anomalies has none', () => {
  const rules = host(
    '-A INPUT -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j ACCEPT',
    '-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT',
  );
  expect(anomalies(rules)).toEqual([]);
});

test('several earlier rules together hide one', () => {
  const found = anomalies(
    filter(
      '-A INPUT -s 10.0.0.0/9 -j DROP',
      '-A INPUT -s 10.128.0.0/9 -j DROP',
      '-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT',
    ),
  );
  expect(found).toMatchObject([
    {
      id: 'shadowed-rule',
      level: 'warning',
      message:
        '"-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT" (filter) can never match: its packets are dropped before, by "-A INPUT -s 10.0.0.0/9 -j DROP" at rules.v4:3, "-A INPUT -s 10.128.0.0/9 -j DROP" at rules.v4:4.',
      location: { file: 'rules.v4', line: 5 },
    },
  ]);
});

test('decided the same before, and decided the same behind', () => {
  const wide = '-A INPUT -p tcp -m tcp --dport 80:90 -j ACCEPT';
  const narrow = '-A INPUT -p tcp -m tcp --dport 85 -j ACCEPT';
  expect(short(anomalies(filter(wide, narrow)))).toEqual(['redundant-rule 4']);
  expect(short(anomalies(filter(narrow, wide)))).toEqual(['redundant-rule 3']);
});

test('conditions that exclude one another', () => {
  expect(
    short(anomalies(filter('-A INPUT -s 10.0.0.0/8 -m iprange --src-range 11.0.0.1-11.0.0.9 -j ACCEPT'))),
  ).toEqual(['dead-rule 3']);
});

test('a chain to which no such packet is led', () => {
  const found = anomalies(filter('-A INPUT -s 10.0.0.0/8 -j OFFICE', '-A OFFICE -s 11.0.0.0/8 -j ACCEPT'));
  expect(found.map(({ message }) => message)).toEqual([
    '"-A OFFICE -s 11.0.0.0/8 -j ACCEPT" (filter) can never match: rules that lead to OFFICE let no such packet through.',
  ]);
});

test('a rule in a chain is alive if one caller reaches it', () => {
  const rules = filter(
    '-A INPUT -p tcp -j WEB',
    '-A INPUT -p udp -j WEB',
    '-A WEB -p tcp -j ACCEPT',
    '-A WEB -s 10.0.0.0/8 -j ACCEPT',
  );
  expect(anomalies(rules)).toEqual([]);
});

test('a limit hides nothing, and a mark that changes hides nothing', () => {
  const limited = filter(
    '-A INPUT -p tcp -m limit --limit 1/sec -j DROP',
    '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
  );
  expect(anomalies(limited)).toEqual([]);
  const marked = table('mangle', [
    '-A PREROUTING -m mark --mark 0x1 -j ACCEPT',
    '-A PREROUTING -p tcp -j MARK --set-xmark 0x1/0xffffffff',
    '-A PREROUTING -m mark --mark 0x1 -j DROP',
  ]);
  expect(anomalies(marked)).toEqual([]);
});

test('what a limit let pass once, it need not let pass again', () => {
  const rules = [
    '-A INPUT -j SLOWLY',
    '-A INPUT -j FRIENDS',
    '-A SLOWLY -m limit --limit 5/min -j RETURN',
    '-A SLOWLY -j DROP',
    '-A FRIENDS -s 10.0.0.0/8 -j ACCEPT',
    '-A FRIENDS -j SLOWLY',
  ];
  expect(anomalies(table('filter', rules, { INPUT: 'ACCEPT' }))).toEqual([]);
});

test('a chain that is called twice does not make its own rules needless', () => {
  const dead = '-A INPUT -s 192.0.2.1/32 -j DROP';
  const calls = [
    '-A INPUT -j FRIENDS',
    '-A INPUT -p tcp -j FRIENDS',
    '-A FRIENDS -s 10.0.0.0/8 -p tcp -j ACCEPT',
  ];
  expect(short(anomalies(filter(dead, dead, ...calls)))).toEqual(['redundant-rule 5']);
  const open = '-A INPUT -p tcp -j ACCEPT';
  expect(short(anomalies(filter(dead, dead, ...calls.slice(1), open)))).toEqual([
    'redundant-rule 5',
    'redundant-rule 7',
  ]);
});

describe('behind a baseline, that is told of which rules are written for', () => {
  test('a deny that stands twice does the same, whatever lo and standing connections got', () => {
    const telnet = '-A INPUT -p tcp -m tcp --dport 23 -j DROP';
    expect(anomalies(host(telnet, telnet))).toMatchObject([
      {
        id: 'redundant-rule',
        level: 'note',
        message: `"${telnet}" (filter) can never match: earlier rules do the same: "${telnet}" at rules.v4:7.`,
        location: { line: 8 },
      },
    ]);
  });

  test('several rules that together do the same to what begins a connection are told apart from those that do otherwise', () => {
    const found = anomalies(
      host(
        '-A INPUT -s 10.0.0.0/9 -j DROP',
        '-A INPUT -s 10.128.0.0/9 -j DROP',
        '-A INPUT -s 10.0.0.0/8 -p tcp -j DROP',
      ),
    );
    expect(found).toMatchObject([
      {
        id: 'redundant-rule',
        message: expect.stringContaining(
          'can never match: earlier rules do the same to what begins a connection: "-A INPUT -s 10.0.0.0/9 -j DROP" at rules.v4:7, "-A',
        ),
      },
    ]);
  });

  test('of a rule that stands twice the later one is told, also where a ban before both takes some of its packets', () => {
    const https = '-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT';
    expect(short(anomalies(host('-A INPUT -s 10.0.0.0/8 -j DROP', https, https)))).toEqual([
      'redundant-rule 9',
    ]);
  });

  test('the rules that take what begins a connection are named, and no others', () => {
    const bans = ['-A INPUT -s 10.0.0.0/9 -j DROP', '-A INPUT -s 10.128.0.0/9 -j DROP'];
    expect(
      anomalies(host(...bans, '-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT')),
    ).toMatchObject([
      {
        id: 'shadowed-rule',
        message: expect.stringMatching(
          /can never match: what begins a connection is dropped before, by "-A INPUT -s 10\.0\.0\.0\/9 -j DROP" at rules.v4:7, "-A INPUT -s 10\.128\.0\.0\/9 -j DROP" at rules.v4:8\.$/,
        ),
      },
    ]);
  });
});

describe('of rules as a host runs them', () => {
  const live = (v4: string, v6 = ''): readonly string[] =>
    liveAnomalies(ruleset({ v4, v6 })).found.map((anomaly) => liveProblem(anomaly).message);

  test('each is called by its number, and so are those that take its packets', () => {
    expect(live(filter('-A INPUT -p tcp -j DROP', '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT'))).toEqual([
      'Rule 2 of INPUT (filter, "-p tcp -m tcp --dport 22 -j ACCEPT") can never match: its packets are dropped before, by rule 1 of INPUT ("-p tcp -j DROP").',
    ]);
  });

  test.each([
    [
      '-s 10.0.0.0/8 -j ACCEPT',
      'accepts every port from 16,777,216 addresses, where no earlier rule decides.',
    ],
    ['-j ACCEPT', 'accepts every port from every address'],
    ['-p tcp -m tcp --dport 1024:65535 -j ACCEPT', 'accepts 64,512 ports from every address'],
    ['-p udp -m udp --sport 53 -j ACCEPT', 'accepts every port from every address'],
    ['-i eth1 -m limit --limit 9/sec -j ACCEPT', 'accepts every port from every address'],
    ['-p tcp -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT', 'accepts every port from every address'],
  ])('%s is wide', (rule, says) => {
    expect(live(filter(`-A INPUT ${rule}`))).toEqual([expect.stringContaining(says)]);
  });

  test.each([
    '-i lo -j ACCEPT',
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-p tcp ! --tcp-flags SYN,ACK SYN -j ACCEPT',
    '-p icmp -j ACCEPT',
    '-p tcp -m tcp --dport 443 -j ACCEPT',
    '-s 10.0.0.0/21 -j ACCEPT',
    '-d 224.0.0.0/4 -j ACCEPT',
    '-m mac --mac-source 00:16:3e:00:00:01 -j ACCEPT',
    '-m string --string GET --algo bm -j ACCEPT',
    '-j DROP',
  ])('%s is not', (rule) => {
    expect(live(filter(`-A INPUT ${rule}`))).toEqual([]);
  });

  test('what leads to a rule makes it narrower, and another way to it wider again', () => {
    const office = (...jumps: readonly string[]) => live(filter(...jumps, '-A OFFICE -p tcp -j ACCEPT'));
    expect(office('-A INPUT -s 10.0.0.0/24 -j OFFICE')).toEqual([]);
    expect(office('-A INPUT -s 10.0.0.0/24 -j OFFICE', '-A INPUT -i eth1 -j OFFICE')).toEqual([
      expect.stringMatching(/^Rule 1 of OFFICE .* accepts every port from every address/),
    ]);
  });

  test('in IPv6 the networks of a link count; what leaves the host does not', () => {
    const six = (rule: string): string => table('filter', [rule], { INPUT: 'DROP', OUTPUT: 'DROP' });
    expect(live('', six('-A INPUT -s 2001:db8::/32 -j ACCEPT'))).toEqual([
      expect.stringContaining('accepts every port from 4,294,967,296 /64 networks'),
    ]);
    expect(live('', six('-A INPUT -s 2001:db8::/48 -p tcp -m tcp --dport 22 -j ACCEPT'))).toEqual([]);
    expect(live('', six('-A OUTPUT -j ACCEPT'))).toEqual([]);
  });

  test('what a budget keeps from being looked at is said', () => {
    const rules = filter('-A INPUT -s 10.0.0.0/8 -j DROP', '-A INPUT -s 10.0.0.0/24 -j ACCEPT');
    const { found, notSearched } = liveAnomalies(ruleset({ v4: rules }), {
      budget: { nodes: 10, milliseconds: 1_000 },
    });
    expect(found).toEqual([]);
    expect(notSearched).toMatchObject([
      {
        id: 'anomalies-not-searched',
        message: expect.stringMatching(/^Rules without effect were not searched for in IPv4: /),
      },
    ]);
  });

  test('chains that lead back to themselves come to an end', () => {
    const loop = ['-A INPUT -j A', '-A A -j B', '-A B -j A', '-A B -p tcp -j A'];
    const { notSearched } = liveAnomalies(ruleset({ v4: filter(...loop) }));
    expect(notSearched.length).toBeGreaterThan(0);
  });
});
