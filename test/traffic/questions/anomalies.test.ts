import type { Problem } from '../../../src/lib/problem.js';
import { findAnomalies, liveAnomalies, liveProblem } from '../../../src/traffic/questions/anomalies.js';
import { host, ruleset, table } from '../rules.js';

const anomalies = (v4: string): readonly Problem[] => findAnomalies(ruleset({ v4 }));
const short = (problems: readonly Problem[]): readonly string[] =>
  problems.map(({ id, location }) => `${id} ${location?.line}`);
const filter = (...rules: readonly string[]): string => table('filter', rules, { INPUT: 'DROP' });

test('a sound ruleset has no anomalies', () => {
  const rules = host(
    '-A INPUT -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j ACCEPT',
    '-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT',
  );
  expect(anomalies(rules)).toEqual([]);
});

test('a rule that several earlier rules hide together is shadowed', () => {
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
        '"-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT" (filter) can never match: earlier rules drop its packets: "-A INPUT -s 10.0.0.0/9 -j DROP" at rules.v4:3, "-A INPUT -s 10.128.0.0/9 -j DROP" at rules.v4:4.',
      location: { file: 'rules.v4', line: 5 },
    },
  ]);
});

test('the fewest rules that suffice are named: one that hides all of them alone', () => {
  const found = anomalies(
    filter(
      '-A INPUT -p icmp -m icmp --icmp-type 3 -j ACCEPT',
      '-A INPUT -p icmp -m icmp --icmp-type 11 -j ACCEPT',
      '-A INPUT -p icmp -m icmp --icmp-type 12 -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A INPUT -j ACCEPT',
      '-A INPUT -s 10.0.0.0/8 -j ACCEPT',
    ),
  );
  const hidden = found.find(({ location }) => location?.line === 8);
  expect(hidden?.message).toContain('"-A INPUT -j ACCEPT" at rules.v4:7.');
  expect(hidden?.message).not.toContain('icmp');
});

test('a rule is redundant if an earlier or a later rule accepts its packets', () => {
  const wide = '-A INPUT -p tcp -m tcp --dport 80:90 -j ACCEPT';
  const narrow = '-A INPUT -p tcp -m tcp --dport 85 -j ACCEPT';
  expect(short(anomalies(filter(wide, narrow)))).toEqual(['redundant-rule 4']);
  expect(short(anomalies(filter(narrow, wide)))).toEqual(['redundant-rule 3']);
});

test('a rule whose conditions exclude each other is dead', () => {
  expect(
    short(anomalies(filter('-A INPUT -s 10.0.0.0/8 -m iprange --src-range 11.0.0.1-11.0.0.9 -j ACCEPT'))),
  ).toEqual(['dead-rule 3']);
});

test('a rule is dead if no jump to its chain passes its packets', () => {
  const found = anomalies(filter('-A INPUT -s 10.0.0.0/8 -j OFFICE', '-A OFFICE -s 11.0.0.0/8 -j ACCEPT'));
  expect(found.map(({ message }) => message)).toEqual([
    '"-A OFFICE -s 11.0.0.0/8 -j ACCEPT" (filter) can never match: no jump to OFFICE passes its packets.',
  ]);
});

test('a rule in a chain is not an anomaly if one caller reaches it', () => {
  const rules = filter(
    '-A INPUT -p tcp -j WEB',
    '-A INPUT -p udp -j WEB',
    '-A WEB -p tcp -j ACCEPT',
    '-A WEB -s 10.0.0.0/8 -j ACCEPT',
  );
  expect(anomalies(rules)).toEqual([]);
});

test('limits and changed marks hide no rule', () => {
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

test('a limit that is passed twice may differ each time', () => {
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

test('a chain that is called twice does not make its own rules redundant', () => {
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

describe('behind a baseline, messages are about new connections', () => {
  test('a duplicate deny is redundant, whatever lo and established connections get', () => {
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

  test('several rules with the same verdict together make a rule redundant, not shadowed', () => {
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
          'can never match: earlier rules do the same for new connections: "-A INPUT -s 10.0.0.0/9 -j DROP" at rules.v4:7, "-A',
        ),
      },
    ]);
  });

  test('of two duplicates the later one is redundant, also behind a ban that takes some packets', () => {
    const https = '-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT';
    expect(short(anomalies(host('-A INPUT -s 10.0.0.0/8 -j DROP', https, https)))).toEqual([
      'redundant-rule 9',
    ]);
  });

  test('only the rules that decide on new connections are named', () => {
    const bans = ['-A INPUT -s 10.0.0.0/9 -j DROP', '-A INPUT -s 10.128.0.0/9 -j DROP'];
    expect(
      anomalies(host(...bans, '-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT')),
    ).toMatchObject([
      {
        id: 'shadowed-rule',
        message: expect.stringMatching(
          /can never match: earlier rules drop its new connections: "-A INPUT -s 10\.0\.0\.0\/9 -j DROP" at rules.v4:7, "-A INPUT -s 10\.128\.0\.0\/9 -j DROP" at rules.v4:8\.$/,
        ),
      },
    ]);
  });
});

describe('liveAnomalies()', () => {
  const live = (v4: string, v6 = ''): readonly string[] =>
    liveAnomalies(ruleset({ v4, v6 })).found.map((anomaly) => liveProblem(anomaly).message);

  test('names rules by their number', () => {
    expect(live(filter('-A INPUT -p tcp -j DROP', '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT'))).toEqual([
      'Rule 2 of INPUT (filter, "-p tcp -m tcp --dport 22 -j ACCEPT") can never match: earlier rules drop its packets: rule 1 of INPUT ("-p tcp -j DROP").',
    ]);
  });

  test.each([
    [
      '-s 10.0.0.0/8 -j ACCEPT',
      'accepts every port from 16,777,216 addresses unless an earlier rule decides.',
    ],
    ['-j ACCEPT', 'accepts every port from every address'],
    ['-p tcp -m tcp --dport 1024:65535 -j ACCEPT', 'accepts 64,512 ports from every address'],
    ['-p udp -m udp --sport 53 -j ACCEPT', 'accepts every port from every address'],
    ['-i eth1 -m limit --limit 9/sec -j ACCEPT', 'accepts every port from every address'],
    ['-p tcp -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT', 'accepts every port from every address'],
  ])('%s is too wide', (rule, text) => {
    expect(live(filter(`-A INPUT ${rule}`))).toEqual([expect.stringContaining(text)]);
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
  ])('%s is not too wide', (rule) => {
    expect(live(filter(`-A INPUT ${rule}`))).toEqual([]);
  });

  test('the width of a rule in a chain is that of its widest call path', () => {
    const office = (...jumps: readonly string[]) => live(filter(...jumps, '-A OFFICE -p tcp -j ACCEPT'));
    expect(office('-A INPUT -s 10.0.0.0/24 -j OFFICE')).toEqual([]);
    expect(office('-A INPUT -s 10.0.0.0/24 -j OFFICE', '-A INPUT -i eth1 -j OFFICE')).toEqual([
      expect.stringMatching(/^Rule 1 of OFFICE .* accepts every port from every address/),
    ]);
  });

  test('the width in IPv6 counts networks of a /64, and output rules are ignored', () => {
    const six = (rule: string): string => table('filter', [rule], { INPUT: 'DROP', OUTPUT: 'DROP' });
    expect(live('', six('-A INPUT -s 2001:db8::/32 -j ACCEPT'))).toEqual([
      expect.stringContaining('accepts every port from 4,294,967,296 /64 networks'),
    ]);
    expect(live('', six('-A INPUT -s 2001:db8::/48 -p tcp -m tcp --dport 22 -j ACCEPT'))).toEqual([]);
    expect(live('', six('-A OUTPUT -j ACCEPT'))).toEqual([]);
  });

  test('a spent budget is reported', () => {
    const rules = filter('-A INPUT -s 10.0.0.0/8 -j DROP', '-A INPUT -s 10.0.0.0/24 -j ACCEPT');
    const { found, notSearched } = liveAnomalies(ruleset({ v4: rules }), {
      budget: { nodes: 10, milliseconds: 1_000 },
    });
    expect(found).toEqual([]);
    expect(notSearched).toMatchObject([
      {
        id: 'anomalies-not-searched',
        message: expect.stringMatching(/^IPv4 was not checked for rules without effect: /),
      },
    ]);
  });

  test('chain loops terminate', () => {
    const loop = ['-A INPUT -j A', '-A A -j B', '-A B -j A', '-A B -p tcp -j A'];
    const { notSearched } = liveAnomalies(ruleset({ v4: filter(...loop) }));
    expect(notSearched.length).toBeGreaterThan(0);
  });
});
