import type { TrafficDiff } from '../../../src/traffic/model.js';
import { compareTraffic } from '../../../src/traffic/questions/compare.js';
import { DROPS, host, rowsOf, ruleset, table } from '../rules.js';

const between = (before: string, after: string, sets = ''): TrafficDiff =>
  compareTraffic(ruleset({ v4: before, sets }), ruleset({ v4: after, sets }));
const rows = (before: string, after: string, sets = ''): readonly string[] =>
  rowsOf(between(before, after, sets));

const HTTPS = '-A INPUT -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j ACCEPT';

describe('rows', () => {
  test('an opened port is one row, with the deciding rules and a typical packet', () => {
    const diff = between(host(), host(HTTPS));
    expect(rowsOf(diff)).toEqual(['opened INPUT v4 tcp dport 443']);
    const [row] = diff.opened;
    expect(row).toMatchObject({ in: [], state: ['NEW'], exceptLoopback: true });
    expect(row?.before).toMatchObject({ table: 'filter', chain: 'INPUT', number: 5, text: '-j DROP' });
    expect(row?.after).toMatchObject({ number: 4, source: { file: 'rules.v4' } });
    expect(row?.example).toEqual({
      hook: 'INPUT',
      src: '198.51.100.7',
      dst: '203.0.113.10',
      protocol: 'tcp',
      sport: 40000,
      dport: 443,
    });
  });

  test('a limit is the same in a chain of another name, and another one with another rate', () => {
    const behind = (chain: string, jumps: readonly string[], limit = '10/min'): string =>
      `*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:${chain} - [0:0]\n${jumps.map((jump) => `-A INPUT ${jump} -j ${chain}\n`).join('')}-A ${chain} -m limit --limit ${limit} -j ACCEPT\nCOMMIT\n`;
    expect(between(behind('OLD', ['-p tcp', '-p udp']), behind('NEW', ['-p tcp', '-p udp'])).equal).toBe(
      true,
    );
    expect(between(behind('OLD', ['-p tcp']), behind('NEW', ['-p tcp'], '20/min')).equal).toBe(false);
    // A limit that no packet reaches any more does not count.
    const left = behind('OLD', ['-p tcp']);
    const taken = behind('NEW', ['-p tcp'])
      .replace(
        'COMMIT',
        '-A INPUT -j DROP\n-A INPUT -p tcp -j OLD\n-A OLD -m limit --limit 10/min -j ACCEPT\nCOMMIT',
      )
      .replace(':NEW', ':OLD - [0:0]\n:NEW');
    expect(between(left, taken).equal).toBe(true);
    const direct = behind('NONE', []).replace(
      'COMMIT',
      '-A INPUT -p tcp -m limit --limit 10/min -j ACCEPT\nCOMMIT',
    );
    expect(
      between(direct.replace('-A NONE -m limit --limit 10/min -j ACCEPT\n', ''), behind('NEW', ['-p tcp']))
        .equal,
    ).toBe(true);
  });

  test('an unknown target differs from a chain of the same name', () => {
    const jump = '-A INPUT -p tcp -j FULLCONE';
    const [target, chain] = ['', ':FULLCONE - [0:0]\n'].map(
      (declared) => `*filter\n:INPUT DROP [0:0]\n${declared}${jump}\nCOMMIT\n`,
    );
    expect(rows(target ?? '', chain ?? '')).toEqual(['possibly closed INPUT v4 tcp']);
    expect(rows(chain ?? '', target ?? '')).toEqual(['possibly opened INPUT v4 tcp']);
  });

  test('a row names the rules of its own ruleset where another rule has the same number', () => {
    const diff = between(host(HTTPS), host(HTTPS.replace('443', '8443')));
    expect(diff.opened[0]).toMatchObject({
      before: { number: 6, text: '-j DROP' },
      after: { number: 4, text: expect.stringContaining('--dport 8443') },
    });
    expect(diff.closed[0]).toMatchObject({
      before: { number: 4, text: expect.stringContaining('--dport 443') },
      after: { number: 6, text: '-j DROP' },
    });
  });

  test('a changed chain has rows for each hook that calls it, an unchanged hook has none', () => {
    const rules = (port: number): string =>
      table(
        'filter',
        [
          '-A INPUT -j WEB',
          '-A FORWARD -j WEB',
          '-A OUTPUT -m limit --limit 5/min -j ACCEPT',
          `-A WEB -p tcp -m tcp --dport ${port} -m conntrack --ctstate NEW -j ACCEPT`,
        ],
        DROPS,
      );
    expect(rows(rules(80), rules(443)).map((row) => row.replace(/ v4.*/, ''))).toEqual([
      'opened INPUT',
      'opened FORWARD',
      'closed INPUT',
      'closed FORWARD',
    ]);
  });

  test('a closed port is one row', () => {
    expect(rows(host(HTTPS), host())).toEqual(['closed INPUT v4 tcp dport 443']);
  });

  test('a wider source opens the added addresses', () => {
    const from = (network: string): string => host(HTTPS.replace('-p tcp', `-s ${network} -p tcp`));
    expect(rows(from('10.20.30.0/24'), from('10.20.28.0/22'))).toEqual([
      'opened INPUT v4 tcp from 10.20.28.0/23,10.20.31.0/24 dport 443',
    ]);
  });

  test('reordered rules with the same verdicts are equal', () => {
    const http = HTTPS.replace('443', '80');
    const diff = between(host(HTTPS, http), host(http, HTTPS));
    expect(diff).toMatchObject({ equal: true, proved: true });
  });

  test('each family has its own rows', () => {
    const diff = compareTraffic(ruleset({ v6: host() }), ruleset({ v6: host(HTTPS) }));
    expect(rowsOf(diff)).toEqual(['opened INPUT v6 tcp dport 443']);
    expect(diff.opened[0]?.example.src).toBe('2001:db8:ffff::7');
  });

  test('reject instead of drop is "answered differently"', () => {
    const reject = host().replace('-A INPUT -j DROP', '-A INPUT -j REJECT');
    expect(rows(host(), reject)).toEqual(['answered INPUT v4 any']);
  });

  test('rows from anywhere come before rows from a network', () => {
    const from = HTTPS.replace('-p tcp', '-s 10.0.0.0/8 -p tcp').replace('443', '80');
    expect(rows(host(), host(from, HTTPS))).toEqual([
      'opened INPUT v4 tcp dport 443',
      'opened INPUT v4 tcp from 10.0.0.0/8 dport 80',
    ]);
  });

  test('interfaces are named, also negated', () => {
    const rule = (side: string): string => host(HTTPS.replace('-p tcp', `${side} -p tcp`));
    expect(rows(host(), rule('-i eth+'))).toEqual(['opened INPUT v4 in eth+ tcp dport 443']);
    expect(rows(host(), rule('! -i eth1'))).toEqual(['opened INPUT v4 in !eth1,!lo tcp dport 443']);
  });
});

describe('chains', () => {
  const filter = (...rules: readonly string[]): string => table('filter', rules, DROPS);

  test('RETURN returns to the caller, goto to the caller of the caller', () => {
    const through = (verb: string): string =>
      filter(
        '-A INPUT -j OUTER',
        '-A INPUT -p tcp -m tcp --dport 1 -j ACCEPT',
        `-A OUTER ${verb} INNER`,
        '-A OUTER -p tcp -m tcp --dport 2 -j ACCEPT',
        '-A INNER -p udp -j ACCEPT',
        '-A INNER -p icmp -j RETURN',
      );
    expect(rows(through('-j'), through('-g'))).toEqual(['closed INPUT v4 tcp dport 2']);
  });

  test('RETURN in a built-in chain gives its policy', () => {
    expect(rows(filter(), filter('-A INPUT -p tcp -j RETURN', '-A INPUT -j ACCEPT'))).toEqual([
      'opened INPUT v4 any but tcp',
    ]);
  });

  test('ports belong to one protocol', () => {
    const before = filter(
      '-A INPUT -p tcp -m tcp --sport 22 -j RETURN',
      '-A INPUT -p udp -m udp --dport 80 -j ACCEPT',
    );
    const after = filter('-A INPUT -p udp -m udp --dport 80 -j ACCEPT');
    expect(between(before, after).equal).toBe(true);
  });
});

describe('matches', () => {
  const filter = (...rules: readonly string[]): string => table('filter', rules, DROPS);
  const opened = (rule: string, sets = ''): readonly string[] =>
    rows(filter(), filter(`-A INPUT ${rule} -j ACCEPT`), sets).map((row) =>
      row.replace('opened INPUT v4 ', ''),
    );

  test.each([
    ['-p tcp -m multiport --dports 22,80:90', ['tcp dport 22,80-90']],
    ['-p tcp -m multiport ! --dports 1:65535', ['tcp dport 0']],
    ['-p tcp -m multiport --ports 53', ['tcp dport 53', 'tcp sport 53 dport 0-52,54-65535']],
    ['-p icmp -m icmp --icmp-type 3/4', ['icmp type 3/4']],
    ['-s 10.0.2.0/255.0.255.254', 256],
    ['-m iprange --src-range 10.0.0.1-10.0.0.2', ['any from 10.0.0.1/32,10.0.0.2/32']],
    ['-m conntrack --ctstate NEW,INVALID', ['state NEW,INVALID any']],
    ['-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN', ['tcp tcp flags SYN of FIN,SYN,RST,ACK']],
    ['-m mac --mac-source 00:16:3e:00:00:01', ['any from MAC 00:16:3e:00:00:01']],
    ['-m pkttype --pkt-type broadcast', ['any packet type broadcast']],
    ['! -p tcp', ['any but tcp']],
  ])('%s', (rule, wanted) => {
    const found = opened(rule);
    if (typeof wanted === 'number') expect(found[0]?.split(',')).toHaveLength(wanted);
    else expect(found).toEqual(wanted);
  });

  test('an ipset matches its members but those with nomatch', () => {
    const sets =
      'create office hash:net family inet\nadd office 10.0.0.0/8\nadd office 10.1.0.0/16 nomatch\nadd office 10.1.2.0/24\n';
    expect(opened('-s 10.1.0.0/16 -m set --match-set office src', sets)).toEqual(['any from 10.1.2.0/24']);
  });

  test('a member that expires may be gone by now; others are not in the set', () => {
    const sets = 'create bans hash:ip family inet timeout 600\nadd bans 10.0.0.1 timeout 5\n';
    expect(rows(filter(), filter('-A INPUT -m set --match-set bans src -j ACCEPT'), sets)).toEqual([
      'possibly opened INPUT v4 any from 10.0.0.1/32',
    ]);
  });
});

describe('an unmodelled match', () => {
  const limited = HTTPS.replace('-j', '-m limit --limit 5/min -j');

  test('makes a change possible', () => {
    expect(rows(host(), host(limited))).toEqual(['possibly opened INPUT v4 tcp dport 443']);
    expect(rows(host(HTTPS), host(limited))).toEqual(['possibly closed INPUT v4 tcp dport 443']);
  });

  test('that is the same before and after makes no difference', () => {
    const http = HTTPS.replace('443', '80');
    expect(rows(host(limited), host(http, limited))).toEqual(['opened INPUT v4 tcp dport 80']);
  });

  test('a second limit is another match', () => {
    const diff = between(host(limited), host(limited, limited));
    expect(rowsOf(diff)).toEqual(['possibly opened INPUT v4 tcp dport 443']);
  });

  test('that depends on the packet alone is the same wherever its text is', () => {
    const drop = '-A INPUT -m ttl --ttl-eq 1 -j DROP';
    expect(between(host(drop, drop, HTTPS), host(drop, HTTPS)).equal).toBe(true);
  });
});

describe('tables', () => {
  test('raw comes before filter', () => {
    const raw = table('raw', ['-A PREROUTING -p tcp -m tcp --dport 443 -j DROP']);
    expect(rows(host(HTTPS), raw + host(HTTPS))).toEqual([
      'closed INPUT v4 tcp dport 443',
      'closed INPUT v4 state ESTABLISHED,RELATED tcp dport 443',
      'closed INPUT v4 in lo tcp dport 443',
    ]);
  });

  test('an untracked packet is not NEW', () => {
    const raw = table('raw', ['-A PREROUTING -p tcp -m tcp --dport 443 -j NOTRACK']);
    expect(rows(host(HTTPS), raw + host(HTTPS))).toContain('closed INPUT v4 tcp dport 443');
  });

  test('the filter table sees the port after REDIRECT', () => {
    const nat = table('nat', ['-A PREROUTING -p tcp -m tcp --dport 8443 -j REDIRECT --to-ports 443']);
    expect(rows(host(HTTPS), nat + host(HTTPS))).toEqual(['opened INPUT v4 tcp dport 8443']);
  });

  test('DNAT to another host moves packets from INPUT to FORWARD', () => {
    const nat = table('nat', [
      '-A PREROUTING -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.0.0.5:8443',
    ]);
    const forward = host(HTTPS, '-A FORWARD -d 10.0.0.5/32 -p tcp -m tcp --dport 8443 -j ACCEPT');
    const diff = compareTraffic(ruleset({ v4: forward }), ruleset({ v4: nat + forward }), {
      addresses: ['203.0.113.10'],
    });
    // An expected connection (RELATED) passes the nat table as a new one does.
    expect(rowsOf(diff)).toEqual([
      'opened FORWARD v4 state NEW,RELATED tcp dport 443',
      'closed INPUT v4 tcp dport 443',
      'closed INPUT v4 state RELATED tcp dport 443',
    ]);
  });

  test('the filter table sees a mark that mangle sets', () => {
    const mangle = table('mangle', ['-A PREROUTING -s 10.0.0.0/8 -j MARK --set-xmark 0x1/0xffffffff']);
    const filter = host('-A INPUT -m mark --mark 0x1 -m conntrack --ctstate NEW -j ACCEPT');
    expect(rows(filter, mangle + filter)).toEqual(['opened INPUT v4 any from 10.0.0.0/8']);
  });
});

describe('budgets', () => {
  test('too few nodes give a reason and no rows', () => {
    const rules = Array.from(
      { length: 200 },
      (_, index) => `-A INPUT -s 10.${index}.0.0/16 -p tcp -m tcp --dport ${index + 1} -j ACCEPT`,
    );
    const diff = compareTraffic(ruleset({ v4: host() }), ruleset({ v4: host(...rules) }), {
      budget: { nodes: 1000, milliseconds: 10_000 },
    });
    expect(diff).toMatchObject({ equal: false, proved: false, opened: [] });
    expect(diff.why).toBe('IPv4: The model needs more than 1,000 nodes.');
  });
});
