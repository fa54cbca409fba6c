/** IPv6 rules as people write them by hand, one a line: names, short forms, brackets, odd masks, headers. */

const FORWARD = String.raw`
-s 2001:DB8::1 -j DROP
-s 2001:db8:0:0:0:0:0:1 -j DROP
-s 2001:db8::0001 -j DROP
-s 2001:db8::/32 -j DROP
-s 2001:db8:1:2::5/64 -j DROP
-s 2001:db8::/032 -j DROP
-s fe80::1%eth0 -j DROP
-s ::ffff:10.0.0.1 -j DROP
-s ::ffff:a00:1 -j DROP
-s ::10.0.0.1 -j DROP
-s ::1 -j DROP
-s :: -j DROP
-s ::/0 -j DROP
-s ::/128 -j DROP
! -s ::/0 -j DROP
-s 0/0 -j DROP
-s any -j DROP
-s 10.0.0.1 -j DROP
-s 2001:db8::/129 -j DROP
-s 2001:db8::/-1 -j DROP
-s 2001:db8::/ -j DROP
-s 2001:db8::1/ffff:ffff:: -j DROP
-s 2001:db8::1/ffff:ffff::ffff -j DROP
-s 2001:db8::1/:: -j DROP
-s 2001:db8::1/0 -j DROP
-s 2001:db8::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -j DROP
-s 2001:db8::1/::ffff -j DROP
-s 2001:db8::1,2001:db8::2 -j DROP
-s 2001:db8::1,2001:db8::2 -d ::1,::2 -j DROP
! -s 2001:db8::1,2001:db8::2 -j DROP
-s 2001:db8::1, -j DROP
-s ,2001:db8::1 -j DROP
-s [2001:db8::1] -j DROP
-s 2001:db8::1::2 -j DROP
-s 2001:db8:12345::1 -j DROP
-s 1:2:3:4:5:6:7 -j DROP
-s 1:2:3:4:5:6:7::  -j DROP
-s 1:2:3:4:5:6:7:8:9 -j DROP
-s 1:0:0:2:0:0:0:3 -j DROP
-s 1:0:0:2:0:0:3:4 -j DROP
-s 1::2:3:4:5:6:7 -j DROP
-s 64:ff9b::192.0.2.1 -j DROP
-s 64:ff9b::/96 -j DROP
--source ::1 -j DROP
--src ::1 --dst ::2 -j DROP
--destin ::2 -j DROP
-p tcp --dpor 22 -j ACCEPT
-p tcp --dpo=22 -j ACCEPT
-p tcp --destination-por 22 -j ACCEPT
-p tcp --destination-ports 22 -j ACCEPT
-p tcp --d 22 -j ACCEPT
-ptcp --dport 22 -j ACCEPT
-s::1 -j DROP
-s=::1 -j DROP
-jACCEPT
-ieth0 -jDROP
-i=eth0 -j DROP
-p=tcp -j DROP
-mtcp -p tcp --dport 1 -j DROP
-p 6 --dport 22 -j ACCEPT
-p 06 --dport 22 -j ACCEPT
-p 0x6 --dport 22 -j ACCEPT
! -p tcp -j DROP
-p ! tcp -j DROP
! -p tcp --dport 22 -j DROP
! -p all -j DROP
-p all -j DROP
-p TCP --dport SSH -j DROP
-p tcp --dport Ssh -j DROP
-p tcp --dport ssh -j DROP
-p udp --dport domain -j DROP
-p tcp --dport ntp -j DROP
-p udp --dport 546:547 -j DROP
-p udp --dport dhcpv6-client -j DROP
-p tcp --dport 22: -j DROP
-p tcp --dport :22 -j DROP
-p tcp --dport : -j DROP
-p tcp --dport 0:65535 -j DROP
! -p tcp -m tcp --dport 1 -j DROP
-p tcp --dport 5:5 -j DROP
-p tcp ! --dport 5:9 -j DROP
-p tcp --dport ! 5 -j DROP
-p 58 -j ACCEPT
-p icmp6 -j ACCEPT
-p 1 -j ACCEPT
-p ICMPv6 -j ACCEPT
-p icmpv6 --icmpv6-type echo-request -j ACCEPT
-p icmpv6 --icmpv6-type ping -j ACCEPT
-p icmpv6 --icmpv6-type ECHO-REQUEST -j ACCEPT
-p icmpv6 --icmpv6-type echo -j ACCEPT
-p icmpv6 --icmpv6-type 128 -j ACCEPT
-p icmpv6 --icmpv6-type 128/0 -j ACCEPT
-p icmpv6 --icmpv6-type 0x80 -j ACCEPT
-p icmpv6 --icmpv6-type 0128 -j ACCEPT
-p icmpv6 --icmpv6-type 256 -j ACCEPT
-p icmpv6 --icmpv6-type any -j ACCEPT
-p icmpv6 --icmpv6-type 1/4 -j ACCEPT
-p icmpv6 --icmpv6-type 1/ -j ACCEPT
-p icmpv6 --icmpv6-type 1/256 -j ACCEPT
-p icmpv6 --icmpv6-type destination-unreachable -j ACCEPT
-p icmpv6 --icmpv6-type dest -j ACCEPT
-p icmpv6 --icmpv6-type no-route -j ACCEPT
-p icmpv6 --icmpv6-type port-unreachable -j ACCEPT
-p icmpv6 --icmpv6-type packet-too-big -j ACCEPT
-p icmpv6 --icmpv6-type time-exceeded -j ACCEPT
-p icmpv6 --icmpv6-type ttl-exceeded -j ACCEPT
-p icmpv6 --icmpv6-type ttl-zero-during-transit -j ACCEPT
-p icmpv6 --icmpv6-type parameter-problem -j ACCEPT
-p icmpv6 --icmpv6-type bad-header -j ACCEPT
-p icmpv6 --icmpv6-type router-solicitation -j ACCEPT
-p icmpv6 --icmpv6-type neighbour-solicitation -j ACCEPT
-p icmpv6 --icmpv6-type neighbor-advertisement -j ACCEPT
-p icmpv6 --icmpv6-type redirect -j ACCEPT
-p icmpv6 --icmpv6-type 130 -j ACCEPT
-p icmpv6 --icmpv6-type mld-listener-query -j ACCEPT
-p icmpv6 --icmpv6-type mld2-listener-report -j ACCEPT
-p icmpv6 ! --icmpv6-type 135 -j ACCEPT
-p icmpv6 --icmp6-type 135 -j ACCEPT
-p icmpv6 --icmpv6-typ 135 -j ACCEPT
-p icmpv6 --icmp-type 135 -j ACCEPT
-p icmpv6 -m icmp6 --icmpv6-type 135 -j ACCEPT
-p icmpv6 -m icmpv6 --icmpv6-type 135 -j ACCEPT
-m icmp6 --icmpv6-type 135 -j ACCEPT
-p icmpv6 -m hl --hl-eq 255 -j ACCEPT
-m hl --hl-eq 256 -j ACCEPT
-m hl --hl-lt 5 -j ACCEPT
-m hl --hl-gt 5 -j ACCEPT
-m hl --hl 5 -j ACCEPT
-m hl ! --hl-eq 5 -j ACCEPT
-m hl -j ACCEPT
-m ttl --ttl-eq 5 -j ACCEPT
-m frag -j DROP
-m frag --fragid 1 -j DROP
-m frag --fragid 1:5 -j DROP
-m frag --fragid : -j DROP
-m frag --fragid 0:4294967295 -j DROP
-m frag ! --fragid 5 --fragmore -j DROP
-m frag --fragfirst -j DROP
-m frag --fraglast -j DROP
-m frag --fragfirst --fraglast -j DROP
-m frag --fragmore --fraglast -j DROP
-m frag --fragres -j DROP
-m frag --fraglen 8 -j DROP
-m hbh --hbh-len 8 -j DROP
-m hbh --hbh-opts 0,1:2 -j DROP
-m hbh --hbh-opts 5:0xff -j DROP
-m hbh ! --hbh-len 8 --hbh-opts 5 -j DROP
-m hbh -j DROP
-m dst --dst-len 8 -j DROP
-m dst --dst-opts 149:92,12:12,123:12 -j DROP
-m dst --dst-opts 256 -j DROP
-p mobility-header -m mh --mh-type 3 -j DROP
-p mh --mh-type binding-refresh-request -j DROP
-p ipv6-mh --mh-type brr -j DROP
-p mh -m mh --mh-type cot:be -j DROP
-p mh -m mh --mh-type CoT -j DROP
-p 135 -m mh --mh-type 0:2 -j DROP
-p mh -m mh ! --mh-type 0 -j DROP
-m ah --ahspi 1 -j DROP
-m ah --ahspi 1:4 -j DROP
-m ah --ahspi 0 -j DROP
-m ah ! --ahspi 4 --ahres -j DROP
-m ah --ahlen 32 -j DROP
-p ah -m ah --ahspi 0x10 -j DROP
-p esp -m esp --espspi 0:4294967295 -j DROP
-p esp -m esp --espspi 5 -j DROP
-p esp -m esp ! --espspi 5:9 -j DROP
-m esp --espspi 5 -j DROP
-m rt --rt-type 0 -j DROP
-m rt --rt-type 0 --rt-segsleft 1:23 --rt-len 42 --rt-0-res -j DROP
-m rt --rt-type 0 --rt-0-addrs ::1,::2 -j DROP
-m rt --rt-type 0 --rt-0-addrs ::1,::2 --rt-0-not-strict -j DROP
-m rt --rt-0-res -j DROP
-m rt ! --rt-type 2 -j DROP
-m rt --rt-segsleft 0 -j DROP
-m ipv6header --header hop-by-hop --soft -j DROP
-m ipv6header --header hop,dst -j DROP
-m ipv6header --header 0 -j DROP
-m ipv6header --header frag,esp,ah,auth,none,proto -j DROP
-m ipv6header --header ipv6-nonxt -j DROP
-m ipv6header ! --header frag --soft -j DROP
-m ipv6header --header FRAG -j DROP
-m ipv6header --soft -j DROP
-m eui64 -j DROP
-m mac --mac-source AA:bb:cc:dd:ee:0f -j DROP
-m mac --mac-source a:b:c:d:e:f -j DROP
-m iprange --src-range 2001:db8::1-2001:db8::9 -j DROP
-m iprange --src-range ::1 -j DROP
-m iprange --src-range ::9-::1 -j DROP
-m iprange --src-range 2001:DB8::1-2001:0db8::9 ! --dst-range ::1-::2 -j DROP
-m addrtype --dst-type LOCAL -j DROP
-m addrtype --dst-type local,multicast --limit-iface-in -j DROP
-m addrtype ! --src-type UNSPEC -j DROP
-m multiport -p tcp --dports 22,80:90,ssh -j DROP
-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 -j DROP
-p tcp -m multiport --dport 1,2 -j DROP
-p tcp -m multiport --port 1,2 -j DROP
-p tcp -m multiport ! --dports http,https -j DROP
-p icmpv6 -m multiport --dports 1 -j DROP
-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-m conntrack --ctstate NEW,UNTRACKED,INVALID -j ACCEPT
-m conntrack --ctstate SNAT,DNAT -j ACCEPT
-m conntrack --ctproto icmpv6 -j ACCEPT
-m conntrack --ctproto 6 --ctorigsrc 2001:db8::/32 -j ACCEPT
-m conntrack --ctorigdst ::1 --ctorigdstport 22 -j ACCEPT
-m conntrack --ctrepldst ::1/64 -j ACCEPT
-m conntrack --ctdir original -j ACCEPT
-m conntrack --ctdir REPLY -j ACCEPT
-m conntrack --ctexpire 5:10 -j ACCEPT
-m conntrack --ctstatus EXPECTED,SEEN_REPLY -j ACCEPT
-m conntrack --ctstatus NONE -j ACCEPT
-m state --state RELATED -j ACCEPT
-m state ! --state INVALID,NEW -j ACCEPT
-m limit --limit 3/second -j ACCEPT
-m limit --limit 1/3 -j ACCEPT
-m limit --limit 1 -j ACCEPT
-m limit --limit 100/d -j ACCEPT
-m limit --limit 10000/s -j ACCEPT
-m limit --limit 10001/s -j ACCEPT
-m limit --limit 0/s -j ACCEPT
-m limit --limit 7/min --limit-b 3 -j ACCEPT
-m limit --limit 1/day --limit-burst 100 -j ACCEPT
-m limit --limit-burst 10001 -j ACCEPT
-m limit -j ACCEPT
-m hashlimit --hashlimit 5/min --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-srcmask 64 --hashlimit-name a -j ACCEPT
-m hashlimit --hashlimit-upto 5/min --hashlimit-mode srcip,dstport --hashlimit-name a -j ACCEPT
-m hashlimit --hashlimit-above 5/min --hashlimit-srcmask 129 --hashlimit-mode srcip --hashlimit-name a -j ACCEPT
-m hashlimit --hashlimit-above 5/min --hashlimit-srcmask 128 --hashlimit-mode srcip --hashlimit-name a -j ACCEPT
-m hashlimit --hashlimit-above 5/min --hashlimit-srcmask 0 --hashlimit-mode srcip --hashlimit-name a -j ACCEPT
-m hashlimit --hashlimit-above 512kb/s --hashlimit-burst 1mb --hashlimit-mode dstip --hashlimit-dstmask 48 --hashlimit-name a -j ACCEPT
-m hashlimit --hashlimit-above 1mb/s --hashlimit-name a -j ACCEPT
-m hashlimit --hashlimit-above 10/h --hashlimit-name a --hashlimit-htable-expire 1000 --hashlimit-htable-size 8 --hashlimit-htable-max 16 --hashlimit-htable-gcinterval 5 -j ACCEPT
-m hashlimit --hashlimit-above 5/sec --hashlimit-rate-match --hashlimit-name a -j ACCEPT
-m hashlimit --hashlimit-above 5/sec -j ACCEPT
-m recent --name x --rsource --rcheck -j DROP
-m recent --set --mask ffff:ffff:: -j DROP
-m recent --set --mask 64 -j DROP
-m recent --update --seconds 10 --reap -j DROP
-m recent --update --hitcount 2 --rttl -j DROP
-m recent --remove --rdest -j DROP
-m recent ! --rcheck -j DROP
-m connlimit --connlimit-above 5 --connlimit-mask 64 -j DROP
-m connlimit --connlimit-upto 5 --connlimit-daddr -j DROP
-m connlimit --connlimit-above 5 --connlimit-mask 128 -j DROP
-m connlimit --connlimit-above 5 --connlimit-mask 129 -j DROP
-j LOG
-j LOG --log-prefix "a b" --log-level debug
-j LOG --log-level WARNING
-j LOG --log-level 8
-j LOG --log-level error
-j LOG --log-level panic
-j LOG --log-prefix ""
-j LOG --log-uid --log-tcp-sequence --log-ip-options --log-tcp-options --log-macdecode
-j LOG --log-prefix a\"b
-j LOG --log-prefix 'it"s'
-j LOG --log-prefix "it's"
-j LOG --log-prefix "back\\slash"
-j LOG --log-prefix back\slash
-j LOG --log-prefix "x"y
-j NFLOG --nflog-prefix "a b" --nflog-group 1 --nflog-size 5 --nflog-threshold 2
-j NFLOG --nflog-range 5
-j NFLOG --nflog-group 0
-j REJECT --reject-with icmp6-no-route
-j REJECT --reject-with no-route
-j REJECT --reject-with adm-prohibited
-j REJECT --reject-with icmp6-adm-prohibited
-j REJECT --reject-with icmp6-addr-unreachable
-j REJECT --reject-with addr-unreach
-j REJECT --reject-with port-unreach
-j REJECT --reject-with icmp6-port-unreachable
-j REJECT --reject-with icmp-port-unreachable
-j REJECT --reject-with policy-fail
-j REJECT --reject-with icmp6-reject-route
-j REJECT --reject-with tcp-reset
-p tcp -j REJECT --reject-with tcp-reset
-p tcp -j REJECT --reject-with tcp-rst
! -p tcp -j REJECT --reject-with tcp-reset
-p tcp -j REJECT --reject-wit tcp-reset
-j REJECT --reject-with icmp6-port
-m time --timestart 8:00 --timestop 18:00:30 -j DROP
-m time --weekdays 1,2,Su -j DROP
-m time ! --weekdays Mon -j DROP
-m time --monthdays 1st,2nd,31 -j DROP
-m time --datestart 2026-01-01 -j DROP
-m time --datestart 2026-01-01T05:00 --datestop 2027-02 -j DROP
-m time --datestart 2026 -j DROP
-m time --timestart 24:00 -j DROP
-m time --utc -j DROP
-m time --kerneltz --timestart 1:2 -j DROP
-m string --algo bm --string abc -j DROP
-m string --algo kmp --hex-string |0001|x -j DROP
-m string --algo kmp --hex-string "a |00 01| x" -j DROP
-m string --algo bm --string "a b\"c" --from 1 --to 5 --icase -j DROP
-m string --algo bm ! --string "a|b" -j DROP
-m string --algo xx --string a -j DROP
-m string --string a -j DROP
-m string --algo bm --hex-string |zz| -j DROP
-m string --algo bm --string "'q'" -j DROP
-m mark --mark 1 -j DROP
-m mark ! --mark 0x1/0xFF -j DROP
-m mark --mark 010 -j DROP
-m mark --mark 0xFFFFFFFFF -j DROP
-m mark --mark 1/0 -j DROP
-m connmark --mark 0x5/5 -j DROP
-m owner --uid-owner 0-5 -j DROP
-m comment --comment x -j DROP
-m comment --comment "x y" -j DROP
-m comment --comment 'x' -j DROP
-m comment --comment "say \"hi\"" -j DROP
-m comment --comment 'say "hi"' -j DROP
-m comment --comment back\\slash -j DROP
-m comment --comment "tab	tab" -j DROP
-m comment ! --comment x -j DROP
-m tcp --dport 22 -j DROP
-p tcp --tcp-option 5 -j DROP
-p tcp --syn -j DROP
-p tcp --tcp-flags SYN,RST,ACK,FIN SYN -j DROP
-p tcp --tcp-flags 0x17 0x02 -j DROP
-p tcp --tcp-flags ALL ALL -j DROP
-p tcp --tcp-flags SYN -j DROP
-p udplite --dport 5 -j DROP
-p dccp --dport 5 --dccp-types REQUEST,RESPONSE -j DROP
-p sctp --chunk-types any INIT,DATA:Be -j DROP
-p sctp --dport 5 --chunk-types all INIT -j DROP
-m length --length 5:9 -j DROP
-m length --length 65536 -j DROP
-m length ! --length :9 -j DROP
-m dscp --dscp 0x10 -j DROP
-m dscp --dscp 10 -j DROP
-m dscp --dscp 64 -j DROP
-m dscp --dscp-class af11 -j DROP
-m tos --tos Minimize-Delay -j DROP
-m tos --tos 0x10/0x3f -j DROP
-m tos ! --tos 16 -j DROP
-m ecn --ecn-tcp-cwr -p tcp -j DROP
-m ecn --ecn-ip-ect 2 -j DROP
-m pkttype --pkt-type MULTICAST -j DROP
-m pkttype --pkt-type other -j DROP
-m physdev --physdev-is-bridged -j DROP
-m physdev --physdev-in eth+ ! --physdev-is-in -j DROP
-m policy --dir in --pol ipsec -j DROP
-m policy --dir in --pol ipsec --proto esp --mode tunnel --tunnel-src 2001:db8::1 --tunnel-dst ::2 -j DROP
-m policy --dir in --pol none --strict -j DROP
-m policy --dir in --pol ipsec --strict --reqid 5 --next --reqid 6 -j DROP
-m statistic --mode nth --every 5 -j DROP
-m statistic --mode nth --every 5 --packet 2 -j DROP
-m statistic --mode random --probability .5 -j DROP
-m statistic --mode random ! --probability 0.3 -j DROP
-m quota ! --quota 5 -j DROP
-m rpfilter -j DROP
-m cpu ! --cpu 3 -j DROP
-m u32 --u32 "6&0xFF=0x1:0x5&&4=5,6" -j DROP
-m bpf --bytecode "1,6 0 0 0" -j DROP
-m devgroup --src-group 5 -j DROP
-m devgroup --src-group 0x5/0xf -j DROP
-m realm --realm 5 -j DROP
-m helper --helper ftp -j DROP
-m socket --transparent --nowildcard -j DROP
-m cgroup --cgroup 5 -j DROP
-m connbytes --connbytes 5:10 --connbytes-dir original --connbytes-mode avgpkt -j DROP
-m connlabel --label 5 -j DROP
-m tcpmss --mss 5 -p tcp -j DROP
-m srh --srh-next-hdr 17 -j DROP
-m srh --srh-hdr-len-gt 5 --srh-segs-left-eq 1 --srh-last-entry-lt 5 --srh-tag 0 -j DROP
-m srh --srh-psid a::/64 --srh-nsid b:: ! --srh-lsid c::/48 -j DROP
-4 -s 10.0.0.1 -j DROP
-6 -s ::1 -j DROP
--ipv6 -s ::1 -j DROP
-c 5 6 -j DROP
-j nosuch
-j accept
-j DROP -j ACCEPT
-p tcp -p tcp -j DROP
-m tcp -m tcp -p tcp -j DROP
-o eth0 -j DROP
-j RETURN
-j NFQUEUE --queue-balance 0:3 --queue-bypass
-j NFQUEUE --queue-balance 0:3 --queue-cpu-fanout
-j TEE --gateway 2001:db8::1
-j TEE --gateway 2001:DB8::1 --oif eth0
-j AUDIT --type accept
-j SYNPROXY --mss 1460 --wscale 7 --sack-perm --timestamp
-j IDLETIMER --timeout 5 --label x
-j RATEEST --rateest-name a --rateest-interval 250ms --rateest-ewmalog 500ms
-j HMARK --hmark-tuple src,dst --hmark-mod 5 --hmark-rnd 1`;

const ELSEWHERE = `
nat PREROUTING -p tcp -j DNAT --to-destination [2001:db8::1]:80
nat PREROUTING -p tcp -j DNAT --to-destination 2001:db8::1
nat PREROUTING -p tcp -j DNAT --to [2001:db8::1]:80-90
nat PREROUTING -p tcp -j DNAT --to [2001:db8::1]
nat PREROUTING -p tcp -j DNAT --to [2001:DB8::1-2001:db8::9]:80
nat PREROUTING -p tcp -j DNAT --to [2001:db8::1]-[2001:db8::9]:80
nat PREROUTING -p tcp -j DNAT --to 2001:db8::1-2001:db8::9
nat PREROUTING -p tcp -j DNAT --to-destination :80
nat PREROUTING -p tcp -j DNAT --to-destination []:80
nat PREROUTING -j DNAT --to-destination [::1]:80
nat PREROUTING -p tcp -j DNAT --to [::1]:80 --random
nat PREROUTING -p tcp -j DNAT --to [::1]:80 --persistent
nat PREROUTING -p tcp -j DNAT --to [::1]:http
nat PREROUTING -p tcp -j DNAT --to [::1]:80-90/100
nat PREROUTING -p tcp -j DNAT --to [::1]:0
nat PREROUTING -p tcp -j DNAT --to [::1]:65536
nat PREROUTING -p tcp -j DNAT --to [::1]80
nat PREROUTING -p tcp -j DNAT --to ::1:80
nat PREROUTING -p tcp -j DNAT --to 10.0.0.1
nat PREROUTING -p tcp -j DNAT
nat POSTROUTING -j SNAT --to-source 2001:db8::1
nat POSTROUTING -j SNAT --to 2001:db8::1-2001:db8::5 --persistent --random-fully
nat POSTROUTING -p udp -j SNAT --to [2001:db8::1]:1024-65535
nat POSTROUTING -j SNAT --to-source 2001:db8::1 --to-source 2001:db8::2
nat POSTROUTING -j SNAT --to 2001:db8::9-2001:db8::1
nat POSTROUTING -j MASQUERADE
nat POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2048 --random
nat POSTROUTING -j MASQUERADE --to-ports 1024
nat POSTROUTING -j MASQUERADE --random-fully
nat POSTROUTING -j NETMAP --to 2001:db8::/64
nat POSTROUTING -j NETMAP --to 2001:db8::5/64
nat POSTROUTING -j NETMAP --to 2001:db8::5
nat POSTROUTING -j NETMAP --to 2001:db8::/ffff:ffff::
nat PREROUTING -j NETMAP --to 2001:db8::/129
nat PREROUTING -p tcp -j REDIRECT --to-ports 8080
nat PREROUTING -p tcp -j REDIRECT --to-port 8080-8090 --random
nat PREROUTING -p tcp -j REDIRECT --to-ports http
nat PREROUTING -p tcp -j REDIRECT
nat PREROUTING -j REDIRECT
nat POSTROUTING -j REDIRECT
nat PREROUTING -j MASQUERADE
nat PREROUTING -j DROP
nat INPUT -j SNAT --to ::1
mangle PREROUTING -p tcp -j TPROXY --on-port 50080 --on-ip 2001:db8::1 --tproxy-mark 0x1/0x1
mangle PREROUTING -p tcp -j TPROXY --on-port 50080
mangle PREROUTING -p udp -j TPROXY --on-port 50080 --on-ip :: --tproxy-mark 1
mangle PREROUTING -j TPROXY --on-port 50080
mangle PREROUTING -p tcp -j TPROXY --on-port 80 --tproxy-mark 0x10/0xf0
mangle PREROUTING -p tcp -j TPROXY --on-ip ::1
mangle PREROUTING -j MARK --set-mark 1
mangle PREROUTING -j MARK --set-xmark 0x1/0xff
mangle PREROUTING -j MARK --set-mark 0x1/0xff
mangle PREROUTING -j MARK --or-mark 1
mangle PREROUTING -j MARK --and-mark 0xff
mangle PREROUTING -j MARK --xor-mark 5
mangle PREROUTING -j MARK --set-mark 4294967296
mangle PREROUTING -j MARK --set-mar 1
mangle PREROUTING -j CONNMARK --save-mark
mangle PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
mangle PREROUTING -j CONNMARK --restore-mark --mask 0xff
mangle PREROUTING -j CONNMARK --set-mark 5/7
mangle PREROUTING -j CONNMARK --set-xmark 5
mangle PREROUTING -j CONNMARK --or-mark 5
mangle PREROUTING -j HL --hl-set 64
mangle PREROUTING -j HL --hl-inc 1
mangle PREROUTING -j HL --hl-dec 0
mangle PREROUTING -j HL --hl-set 256
mangle PREROUTING -j HL
mangle PREROUTING -j TTL --ttl-set 64
mangle PREROUTING -j DSCP --set-dscp-class CS1
mangle PREROUTING -j DSCP --set-dscp 0x3f
mangle PREROUTING -j TOS --set-tos 0x10
mangle PREROUTING -j TOS --set-tos Maximize-Reliability
mangle PREROUTING -j TOS --or-tos 0x4
mangle PREROUTING -j TOS --set-tos 0x10/0x3f
mangle FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
mangle FORWARD -p tcp --syn -j TCPMSS --set-mss 1400
mangle FORWARD -p tcp -j TCPMSS --set-mss 1400
mangle FORWARD -p tcp -j TCPOPTSTRIP --strip-options 2,timestamp
mangle FORWARD -p tcp -j TCPOPTSTRIP --strip-options sack-permitted,md5
mangle POSTROUTING -j CLASSIFY --set-class 1:10
mangle POSTROUTING -j CLASSIFY --set-class 0001:00ff
mangle POSTROUTING -j CHECKSUM --checksum-fill -p udp
mangle POSTROUTING -j DNPT --src-pfx 5a::/64 --dst-pfx 5b::/64
mangle PREROUTING -j SNPT --src-pfx 5A::1/64 --dst-pfx 5b::/64
mangle PREROUTING -j ECN --ecn-tcp-remove -p tcp
mangle PREROUTING -m rpfilter --invert --loose --validmark --accept-local -j DROP
raw PREROUTING -j NOTRACK
raw PREROUTING -j CT --notrack
raw PREROUTING -p tcp -j CT --helper ftp
raw PREROUTING -j CT --zone 5
raw PREROUTING -j CT --zone-orig mark
raw PREROUTING -j CT --ctevents new,destroy
raw PREROUTING -j TRACE
raw PREROUTING -m rpfilter --invert -j DROP`;

const lines = (text: string): readonly string[] => text.split('\n').slice(1);

/** Rules for the chain FORWARD of filter, where a chain USERCHAIN exists. */
export const RULES_V6 = lines(FORWARD);

/** Whole texts, of one rule each. */
export const TEXTS_V6 = lines(ELSEWHERE).map((line) => {
  const [, table = '', rule = ''] = /^(\S+) (.*)$/.exec(line) ?? [];
  return `*${table}\n-A ${rule}\nCOMMIT\n`;
});
