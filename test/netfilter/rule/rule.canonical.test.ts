/** One rule in, the text that iptables-save 1.8.9 prints for it out; all of them measured with both backends. */
import type { Family } from '../../../src/lib/family.js';
import { parseRules } from '../../../src/netfilter/text/parse.js';

const location = { kind: 'host' as const, file: 'rules', line: 1, column: 1 };

const canonical = (family: Family, text: string): readonly string[] => {
  const rules = parseRules(text, { family, table: 'filter', chain: 'FORWARD', location });
  if (!rules.ok) throw new Error(rules.problems.map((problem) => problem.message).join('\n'));
  return rules.value.map((rule) => rule.text);
};

const V4: readonly (readonly [string, ...string[]])[] = [
  ['-p tcp --dport 22 -j ACCEPT', '-p tcp -m tcp --dport 22 -j ACCEPT'],
  ['-p 6 --dport ssh', '-p tcp -m tcp --dport 22'],
  ['-p TCP -m tcp', '-p tcp -m tcp'],
  ['-p tcp -m conntrack --ctstate NEW --dport 5', '-p tcp -m conntrack --ctstate NEW -m tcp --dport 5'],
  ['-p tcp --sport :', '-p tcp -m tcp'],
  ['-p tcp --dport 53:', '-p tcp -m tcp --dport 53:65535'],
  ['-p udp --dport :4', '-p udp -m udp --dport 0:4'],
  ['-p tcp --dport 4:4', '-p tcp -m tcp --dport 4'],
  ['-p tcp ! --sport 0:1023', '-p tcp -m tcp --sport 1024:65535'],
  ['-p 132', '-p sctp'],
  ['-p 47', '-p gre'],
  ['-p 253', '-p 253'],
  ['-p all', ''],
  ['! -p icmp', '! -p icmp'],
  ['-s 10.1.2.3/8', '-s 10.0.0.0/8'],
  ['-s 10.1.2.3', '-s 10.1.2.3/32'],
  ['-s 10/8', '-s 10.0.0.0/8'],
  ['-s 0/0', ''],
  ['-s 10.0.0.0/255.0.0.0', '-s 10.0.0.0/8'],
  ['-s 10.1.2.3/255.0.255.0', '-s 10.0.2.0/255.0.255.0'],
  ['--src 1.1.1.1 --dst 2.2.2.2', '-s 1.1.1.1/32 -d 2.2.2.2/32'],
  ['-s 1.1.1.1,2.2.2.2 -j DROP', '-s 1.1.1.1/32 -j DROP', '-s 2.2.2.2/32 -j DROP'],
  [
    '-s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4',
    '-s 1.1.1.1/32 -d 3.3.3.3/32',
    '-s 1.1.1.1/32 -d 4.4.4.4/32',
    '-s 2.2.2.2/32 -d 3.3.3.3/32',
    '-s 2.2.2.2/32 -d 4.4.4.4/32',
  ],
  ['-j ACCEPT -o eth1 -i eth0 -p udp -d 1.1.1.1', '-d 1.1.1.1/32 -i eth0 -o eth1 -p udp -j ACCEPT'],
  ['-i +', ''],
  ['! -f', '! -f'],
  ['-p icmp --icmp-type port-unreachable', '-p icmp -m icmp --icmp-type 3/3'],
  ['-p icmp --icmp-type 8/0', '-p icmp -m icmp --icmp-type 8/0'],
  ['-p icmp --icmp-type any', '-p icmp -m icmp --icmp-type any'],
  ['-m state --state NEW,ESTABLISHED,RELATED,NEW', '-m state --state NEW,RELATED,ESTABLISHED'],
  ['-m conntrack --ctstate DNAT,UNTRACKED,NEW,INVALID', '-m conntrack --ctstate INVALID,NEW,UNTRACKED,DNAT'],
  ['-m limit --limit 5/minute --limit-burst 5', '-m limit --limit 5/min'],
  ['-m limit --limit 60/minute', '-m limit --limit 1/sec'],
  ['-m limit --limit 90/minute', '-m limit --limit 90/min'],
  ['-m limit --limit 1000/min --limit-burst 7', '-m limit --limit 1000/min --limit-burst 7'],
  [
    '-m hashlimit --hashlimit 120/minute --hashlimit-name a',
    '-m hashlimit --hashlimit-upto 2/sec --hashlimit-burst 5 --hashlimit-name a --hashlimit-htable-expire 60000',
  ],
  ['-j LOG --log-level warning', '-j LOG'],
  ['-j LOG --log-level info --log-prefix "in: "', '-j LOG --log-prefix "in: " --log-level 6'],
  ['-j REJECT', '-j REJECT --reject-with icmp-port-unreachable'],
  ['-j REJECT --reject-with host-prohib', '-j REJECT --reject-with icmp-host-prohibited'],
  ['-j MARK --set-mark 5', '-j MARK --set-xmark 0x5/0xffffffff'],
  ['-j MARK --or-mark 0x10', '-j MARK --set-xmark 0x10/0x10'],
  ['-m mark --mark 1', '-m mark --mark 0x1'],
  ['-p tcp -j DNAT --to 10.0.0.5:8080', '-p tcp -j DNAT --to-destination 10.0.0.5:8080'],
  ['-p tcp -j REDIRECT --to-port 8080', '-p tcp -j REDIRECT --to-ports 8080'],
  ['-p tcp --syn', '-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN'],
  ['-p tcp --tcp-flags ALL ack,SYN', '-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG SYN,ACK'],
  ['-j NOTRACK', '-j NOTRACK'],
  ['-m owner --uid-owner root', '-m owner --uid-owner 0'],
  ['-m iprange --src-range 10.0.0.1', '-m iprange --src-range 10.0.0.1-10.0.0.1'],
  ['-m mac --mac-source 0:1:2:A:B:c', '-m mac --mac-source 00:01:02:0a:0b:0c'],
  ['-m recent --set', '-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource'],
  [
    '-m connlimit --connlimit-above 3',
    '-m connlimit --connlimit-above 3 --connlimit-mask 32 --connlimit-saddr',
  ],
  [
    '-m time --timestart 10:00',
    '-m time --timestart 10:00:00 --timestop 23:59:59 --datestop 2038-01-19T03:14:07',
  ],
  ['-m statistic --mode random --probability 0.5', '-m statistic --mode random --probability 0.50000000000'],
  ['-m string --algo bm --string test', '-m string --string "test" --algo bm'],
  ['-m string --algo bm --hex-string "|47 45|T"', '-m string --string "GET" --algo bm'],
  ['-m u32 --u32 "6 & 0xFF = 1:5"', '-m u32 --u32 "0x6&0xff=0x1:0x5"'],
  ['-m comment --comment one', '-m comment --comment one'],
  ['-m comment --comment "two words"', '-m comment --comment "two words"'],
  [`-m comment --comment "it's"`, String.raw`-m comment --comment "it\'s"`],
  ['-p tcp -m multiport --dports ssh,http,1000:2000', '-p tcp -m multiport --dports 22,80,1000:2000'],
  ['-m set --match-set admin src -j ACCEPT', '-m set --match-set admin src -j ACCEPT'],
  ['-g OWN', '-g OWN'],
  ['-c 5 6 -j ACCEPT', '-j ACCEPT'],
  ['-4 -j ACCEPT', '-j ACCEPT'],
  ['-6 -j ACCEPT'],
];

const V6: readonly (readonly [string, ...string[]])[] = [
  ['-s 2001:DB8:0:0::1', '-s 2001:db8::1/128'],
  ['-s ::/0', ''],
  ['-s ::ffff:1.2.3.4', '-s ::ffff:1.2.3.4/128'],
  ['-p icmpv6 --icmpv6-type neighbor-solicitation', '-p ipv6-icmp -m icmp6 --icmpv6-type 135'],
  ['-p mh --mh-type brr', '-p mobility-header -m mh --mh-type 0'],
  ['-p 58 -m icmpv6 --icmpv6-type 1/4', '-p ipv6-icmp -m icmp6 --icmpv6-type 1/4'],
  ['-j REJECT', '-j REJECT --reject-with icmp6-port-unreachable'],
  ['-p tcp -j DNAT --to-destination [2001:db8::5]:80', '-p tcp -j DNAT --to-destination [2001:db8::5]:80'],
  [
    '-m recent --set',
    '-m recent --set --name DEFAULT --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource',
  ],
  ['-m hl --hl 64', '-m hl --hl-eq 64'],
];

describe.each([
  ['v4' as Family, V4],
  ['v6' as Family, V6],
])('%s', (family, cases) => {
  test.each(cases.map(([text, ...expected]) => [text, expected] as const))('%s', (text, expected) => {
    expect(canonical(family, text)).toEqual(expected);
  });

  test('canonical texts are their own canonical texts', () => {
    for (const [, ...expected] of cases)
      for (const text of expected) expect(canonical(family, text)).toEqual([text]);
  });
});
