/** Rules and texts written by hand to try every accepted spelling and the edges of each, one a line. */
import type { Family } from '../../../src/lib/family.js';

const BOTH = String.raw`
-p tcp --dport 22 -j ACCEPT
-p TCP --dport ssh -j ACCEPT
-p 6 --dport ssh
-ptcp -m tcp --dport=22 -jACCEPT
--protocol=tcp --dport 22 --jump ACCEPT
-p tcp -m conntrack --ctstate NEW --dport 5
-p tcp -m tcp -m tcp --dport 5
-p tcp -m tcp --dport 5 -m tcp --sport 6
-p tcp -m tcp
-p tcp --sport 0:65535
-p tcp --sport :
-p tcp ! --sport :
-p tcp --sport 5:3
-p udp --sport 5:3
-p udp --sport 5:
-p udp ! --dport 0:65535
-p dccp --sport 5:3
-p sctp --sport 5:3
-p tcp --dport 4:4
-p udp --dport 4:4
-p sctp --dport 4:4
-p tcp --dport 70000
-p tcp --dport 022
-p tcp --dport ''
-p tcp --dport nosuch
-p tcp --dport ! 22
-p tcp --dport +22
-p tcp -m multiport --dports 022
-p tcp -m multiport --dport 22,80
-p tcp -m multiport --dports 1024:
-p tcp -m multiport --dports 22,
-p tcp -m multiport --dports ftp-data:ssh
-p udp -m multiport --dports domain,ntp
! -p tcp --dport 22
-p 253
-p 132
-p 47
-p all
-p 0
! -p all
! -p tcp
! -p 47 -j ACCEPT
-p 256
-p foo
-p 0x6
-p tcp -p udp
-p 06
-p +6
--prot udp
--p tcp
--in eth0
--in-inter eth0
--f
--out eth0
--jum ACCEPT
-c 1 2 -c 3 4
! -c 1 2
-s any/0
-s 0/0 -d 1.2.3.4/0
! -s ::/0 -d 0.0.0.0/0
-i +
! -i +
-i eth+
! -i eth0
-i eth0 ! -o br-x
-i lo -i lo
-i ''
-i abcdefghijklmnop
-i abcdefghijklmno
-i eth0/1
-o eth0
-m comment --comment "a b"
-m comment --comment 'a b'
-m comment --comment 'it"s'
-m comment --comment "it's"
-m comment --comment "a\\b \"q\""
-m comment --comment ""
-m comment --comment !
-m comment --comment "a # b"
-m comment --comment #
-m comment --comment "a"b
-m comment --comment "a" "b"
-m comment -j ACCEPT --comment late
-m comment --comment "-j DROP"
-m comment --comment -A
-m comment --comment "-A INPUT" -m comment --comment two
-m comment --comment "* [1:2] # : COMMIT"
-m comment --comment "multi   spaces"
-m comment --comment "ünïcode"
-m comment --comment a"b c"d
-m comment ! --comment x
-m comment
-j NOSUCH
-j lowercase
-j ACCEPT --foo
-j LOG --log-prefix "IN: "
-j LOG --log-prefix IN --log-level info
-j LOG --log-level warning
-j LOG --log-level warn
-j LOG --log-level 4
-j LOG --log-pre x
-j LOG --log
-j LOG --log-prefix 12345678901234567890123456789
-j LOG --log-prefix 123456789012345678901234567890
-j REJECT --reject-with foo
-j REJECT
-g ACCEPT
-g USERCHAIN
-j USERCHAIN
-j ACCEPT -j DROP
-m state --state NEW,ESTABLISHED,RELATED
-m state --state NEW,NEW
-m state --state NEW,
-m state --state new,est
-m conntrack --ctstate DNAT,SNAT,NEW
-m conntrack --ctstate N
-m conntrack
-m conntrack --ctproto 0
-m conntrack ! --ctproto 0
-m conntrack --ctorigsrcport 5:3
-m conntrack --ctexpire 200:100
-m length --length 5:3
-m limit --limit 5/m
-m limit --limit 5.5/min
-m limit --limit 05/min
-m limit --limit-burst 0
-m limit --limit 1/day
-m limit --limit 5/minute --limit-burst 5
-m limit --limit 60/minute
-m limit --limit 90/min
-m limit --limit 1000/min
-m limit --limit 7/sec
-m limit --limit 3/sec
-m limit --limit 10000/sec
-m limit --limit 10001/sec
-m limit --limit 9999/sec
-m limit --limit 0/sec
-m limit --limit 5/fortnight
-m limit --limit 333/hour
-m limit --limit 86400/day
-m limit --limit 17/day
-m limit --limit 6000/min
-m limit
-m limit --limit 5abc/min
-m multiport --dports 1,2
-p tcp -m multiport --dports 1,2:3,4
-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16
-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14:15
-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15:16
-p tcp -m multiport --dports 22:22
-p tcp -m multiport ! --ports 22,80
-p tcp -m multiport --dports 22 --sports 22
! -p tcp -m multiport --dports 22
! -p tcp -m tcp --dport 22
-m tcp --dport 22
--dport 22
-p tcp --tcp-flags ALL SYN,ACK
-p tcp --tcp-flags ALL NONE
-p tcp --tcp-flags SYN,ACK
-p tcp --syn
-p tcp ! --syn
-p tcp --syn --tcp-flags ALL SYN
-p tcp --tcp-option 7
-p tcp ! --tcp-option 7
-p tcp ! --sport 0:1023
-p tcp ! --sport 1024:65535
-p tcp ! --sport 0
-p tcp ! --sport 0:65534
-p udp ! --sport 0:65534
-m mark --mark 1
-m mark --mark 0x10/0xF0
-m mark ! --mark 0
-m mark --mark 0xff/0x0f
-m mark --mark 1/0
-m mark --mark 0/0
-m pkttype --pkt-type bcast
-m owner --uid-owner root
-m mac --mac-source 0:1:2:a:B:c
-m addrtype --dst-type LOCAL,UNICAST
-m addrtype --dst-type local
-m addrtype --src-type LOCAL --limit-iface-in
-m time --timestart 10:00
-m time --weekdays Mon,Tue --timestart 9:00 --timestop 17:00
-m time ! --weekdays Sun
-m time --datestart 2020-02-30
-m statistic --mode random --probability 0.5
-m statistic --mode random --probability 0.000244140625
-m statistic --mode random --probability 0.33
-m statistic --mode nth --every 3 --packet 0
-m policy --dir in --pol ipsec --strict --reqid 1 --spi 0x1 --proto esp --mode tunnel --next --reqid 2
-m policy --pol none --dir in
-m policy --dir in
-m policy --dir in --pol ipsec ! --reqid 7 --proto ah
-m policy --dir in --pol ipsec --strict --mode tunnel ! --tunnel-src ::1
-m string --string "GET /" --algo bm
-m string --string "GET /" --algo BM
-m connbytes --connbytes 1:2 --connbytes-dir BOTH --connbytes-mode bytes
-m connbytes --connbytes 1:2 --connbytes-dir both --connbytes-mode Bytes
-m statistic --mode Random --probability 0.5
-m policy --dir IN --pol ipsec
-m icmp --icmp-type 8
-m icmp6 --icmpv6-type 128
-m ttl --ttl-eq 5
-m hl --hl-eq 5
-4 -m ttl --ttl-eq 5
-6 -m hl --hl-eq 5
-m recent --set --name "a b"
-m hashlimit --hashlimit-upto 5/sec --hashlimit-name "a b"
-m owner --uid-owner nobody
-m string --hex-string "|47 45 54|" --algo bm
-m string --hex-string "GET|0a|" --algo kmp --icase
-m string --algo bm --string "it's"
-m string --string "ends\\" --algo bm
-m u32 --u32 "6&0xFF=1 && 4&0x3FFF=0"
-m u32 --u32 "0>>22&0x3C@0>>24=0:5,7"
-m quota --quota 100
-m connlimit --connlimit-above 3
-m connlimit ! --connlimit-upto 3 --connlimit-mask 24 --connlimit-daddr
-m recent --set
-m recent --name x --rcheck --seconds 60 --hitcount 4
-m recent --update --seconds 60 --hitcount 4 --rttl --name x --rdest
-m rpfilter --validmark --invert
-m frag --fragmore
-m conntrack --ctstate NEW -m limit --limit 5/min -j LOG
-c 5 6 -j ACCEPT
-c 5,6 -j ACCEPT
-n -v -j ACCEPT
! ! -s 1.1.1.1
! -j ACCEPT
-j ACCEPT !
-j
-m
-m nosuchmatch
-m nosuchmatch --foo bar
-j ACCEPT foo
foo -j ACCEPT
-4 -j ACCEPT
-6 -j ACCEPT
-t filter -j ACCEPT
-w -j ACCEPT
-p tcp --dst-port 22
-p tcp --destination 22
-p tcp --dest 22
-m connmark --mark 1/1 -j CONNMARK --save-mark
-m devgroup --src-group 0
-m devgroup --src-group default
-p tcp -m multiport --dports ssh,http
-m hashlimit --hashlimit 120/minute --hashlimit-name a
-m hashlimit --hashlimit-above 5/min --hashlimit-name a --hashlimit-burst 7 --hashlimit-mode srcip --hashlimit-srcmask 24
-m hashlimit --hashlimit-above 2/sec --hashlimit-name a --hashlimit-htable-expire 60000
-m hashlimit --hashlimit-upto 512kb/s --hashlimit-name b --hashlimit-burst 1mb
-m hashlimit --hashlimit-upto 1000b/s --hashlimit-name b
-m hashlimit --hashlimit-upto 7mb/s --hashlimit-name b --hashlimit-burst 20mb`;

const V4 = `
-s 10.1.2.3/8 -j ACCEPT
-s 10.1.2.3,10.0.0.0/9 -d 1.1.1.1,2.2.2.2 -j ACCEPT
! -s 10.0.0.0/8 -j DROP
! -s 0.0.0.0/0 -j DROP
! -s 10.0.0.1,10.0.0.2 -j DROP
-s 10.0.0.0/255.0.0.0
-s 10.1.2.3/255.0.255.0
-s 0/0
-s 10/8
-s 10.1 -j ACCEPT
-s 1.2.3.4/33
-s 1.2.3.4/0
-s 1.2.3.4/
-s ,1.2.3.4
-f -j DROP
! -f -j DROP
-p icmp --icmp-type 8 -j ACCEPT
-p icmp --icmp-type echo-req -j ACCEPT
-p icmp -m icmp --icmp-type 255
-p icmp -m icmp --icmp-type 255/255
-p icmp -m icmp --icmp-type any/3
-p icmp -m icmp --icmp-type 8/
-p 1 --icmp-type ping
-p icmpv6 -j ACCEPT
-p ipv6-icmp -j ACCEPT
-m set --match-set set4 src
-m set --match-set set4 src,dst,src,dst,src,dst,src
-s 010.0.0.1
-s 0x0a.0.0.1
-s 167772161
-s 1.2.3.4/032
-s ::ffff:10.0.0.1
-m conntrack --ctorigsrc 10.1.2.3/255.0.255.0
-m iprange --src-range 10.0.0.1-5
-m recent --set --mask 24
-m policy --dir in --pol ipsec --strict --reqid 1 --spi 0x1 --proto esp --mode tunnel --tunnel-dst 10.0.0.0/8 --tunnel-src 10.1.2.3 --next --reqid 2
-m policy --dir in --pol ipsec --strict --tunnel-src 10.0.0.1 --mode tunnel --next ! --mode transport --proto 51`;

const V6 = `
-s 2001:DB8::1 -j ACCEPT
-s 2001:db8::1/32 -j ACCEPT
-s 2001:db8::1/ffff:ffff:: -j ACCEPT
-s ::ffff:1.2.3.4
-s ::1.2.3.4
-s ::1
-s ::/0
-s 1::2:0:0:3
-s 0:0:1::
-s 2001:db8::/ffff:0:ffff::
! -s ::/0
-s 2001:db8::/032
-p icmpv6 --icmpv6-type echo-request
-p ipv6-icmp -m icmp6 --icmpv6-type 1/4
-p 58 --icmpv6-type neighbor-solicitation
-p icmpv6 -m icmpv6 --icmpv6-type 128/0
-p icmp -j ACCEPT
-p ah -j ACCEPT
-p mh -m mh --mh-type brr
-f`;

const lines = (text: string): readonly string[] => text.split('\n').slice(1);

/** Rules for the chain FORWARD of filter, where a chain USERCHAIN exists. */
export const RULES: { readonly [family in Family]: readonly string[] } = {
  v4: [...lines(V4), ...lines(BOTH)],
  v6: [...lines(V6), ...lines(BOTH)],
};
