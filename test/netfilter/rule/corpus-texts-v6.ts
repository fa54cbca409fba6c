/** IPv6 texts of one rule each, in the tables where addresses are written with brackets, and marks, hops and prefixes. */

const RULES = `
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

export const TEXTS_V6: readonly string[] = RULES.split('\n')
  .slice(1)
  .map((line) => {
    const [, table = '', rule = ''] = /^(\S+) (.*)$/.exec(line) ?? [];
    return `*${table}\n-A ${rule}\nCOMMIT\n`;
  });
