/** Hosts that between them use every feature of the policy language; some of them have golden files. */
import type { Files } from './fleet.js';

export interface Case {
  readonly name: string;
  readonly host: string;
  readonly files?: Files;
}

export const GOLDEN: readonly Case[] = [
  {
    name: 'web',
    host: 'roles: [web]',
    files: {
      'roles/web.yml': `
description: Public web servers
input:
  - allow: [http, https]
    reason: The public site
  - allow: tcp/9100
    from: monitoring
    reason: Prometheus scrapes node_exporter
    owner: sre
    ticket: OPS-12
`,
    },
  },
  {
    name: 'db',
    host: `
roles: [db]
input:
  - allow: ssh
    from: any
    except: [blocklist]
    rate: {limit: 6/minute, burst: 3, per: source}
    reason: Engineers on the road
`,
    files: {
      'roles/db.yml': `
description: Databases
input:
  - deny: any
    from: blocklist
    log: true
  - allow: postgres
    from: app
    except: [10.10.66.0/24]
    reason: The application
`,
    },
  },
  {
    name: 'egress-locked',
    host: `
baseline: {output: drop, log: {rate: 1/second, burst: 3, prefix: "out: ", level: info}}
output:
  - allow: dns
    to: [192.0.2.53, "2001:db8:53::53"]
    reason: Names
  - reject: smtp
    reason: Nothing here sends mail
  - allow: https
    to: internet
    reason: Updates
`,
  },
  {
    name: 'router',
    host: `
interfaces: {lan: eth1, wan: eth0}
forward:
  - allow: any
    in: lan
    out: wan
    from: lan
    reason: The office gets out
  - deny: any
    in: wan
    from: blocklist
nat:
  - masquerade: any
    from: lan
    out: wan
    reason: One address for all
  - dnat: https
    in: wan
    target: 192.168.1.5:8443
    reason: The site at home
  - redirect: http
    in: lan
    target: 3128
    reason: A proxy for the office
raw:
  - rule: -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
    table: mangle
    chain: FORWARD
    reason: The uplink is PPPoE
`,
  },
];

const list = (count: number, step: number): string =>
  Array.from({ length: count }, (_, index) => `tcp/${1000 + index * step}-${1001 + index * step}`).join(', ');

export const OTHERS: readonly Case[] = [
  { name: 'nothing', host: '' },
  {
    name: 'open',
    host: 'baseline: {input: accept, forward: accept, icmp: all, log: false}',
  },
  { name: 'no icmp', host: 'baseline: {icmp: none}' },
  {
    name: 'many ports',
    host: `
input:
  - allow: [${list(20, 5)}, tcp/22, udp/53, sctp/3868, igmp, icmp/echo-request, icmpv6/echo-request]
    from: [app, monitoring]
    reason: Many things
    log: true
`,
  },
  {
    name: 'rates',
    host: `
input:
  - allow: http
    rate: 10/minute
    reason: Once
  - allow: [http, tcp/9000-9010, udp/53]
    from: [app, lan]
    rate: {limit: 100/second, burst: 200}
    log: true
    reason: One bucket for all of them
  - allow: https
    from: [app, lan]
    rate: {limit: 30/hour, per: source}
    log: true
    reason: A bucket for each
  - log: any
    from: lan
    rate: 1/second
`,
  },
  {
    name: 'exceptions',
    host: `
input:
  - allow: https
    except: 198.51.100.7
    reason: One
  - allow: http
    except: [198.51.100.7, 198.51.100.128/25, "2001:db8:bad::/48"]
    reason: Some
  - deny: any
    from: 10.0.0.0/8
    except: [10.1.0.0/16, 10.2.0.0/15]
  - allow: ssh
    from: blocklist
    except: 192.0.2.4
    reason: A set without some
  - reject: [tcp/25, udp/25, icmp/echo-request]
    except: [app, lan]
    log: true
`,
  },
  {
    name: 'families',
    host: `
input:
  - allow: https
    family: v6
    reason: Only there
  - deny: any
    from: [10.0.0.0/8, "2001:db8::/32"]
    to: 192.0.2.10
  - allow: ping
    reason: Both have one
output:
  - deny: smtp
    to: "2001:db8::/32"
`,
  },
  {
    name: 'quotes',
    host: `
input:
  - allow: https
    reason: It's "quoted", \\ and  spaced; über 100%
  - allow: http
    reason: ${'A very long reason that says everything twice. '.repeat(8)}
`,
  },
  {
    name: 'states',
    host: `
baseline: {loopback: rules, established: rules, invalid: rules}
input:
  - allow: any
    in: lo
    state: any
    reason: Loopback
  - allow: any
    state: [established, related]
    reason: Replies
  - reject: any
    state: [invalid, untracked]
`,
  },
  {
    name: 'nat',
    host: `
interfaces: {wan: eth0}
nat:
  - snat: any
    from: lan
    out: wan
    target: 192.0.2.10
    reason: Known by this address
  - dnat: [tcp/80, tcp/443]
    to: 192.0.2.10
    target: 10.0.0.5
    reason: Same ports
  - dnat: tcp/8080
    target: "[2001:db8:5::5]:80"
    reason: IPv6
  - dnat: tcp/2222
    target: 192.0.2.10:22
    reason: To the host itself
  - masquerade: any
    from: "2001:db8:10::/48"
    out: wan
    reason: NAT66
`,
  },
  {
    name: 'raw',
    host: `
raw:
  - rule: -p udp -m udp --dport 53 -j NOTRACK
    table: raw
    chain: PREROUTING
    reason: A resolver under load
  - rule: -p tcp -m tcp --dport 80 -m connlimit --connlimit-above 20 -j REJECT
    chain: INPUT
    family: v4
    reason: Nobody takes all workers
  - rule: -m mark --mark 0x1 -m comment --comment mine -j ACCEPT
    chain: OUTPUT
    reason: Marked by hand
  - rule: -j MARK --set-mark 7
    table: mangle
    chain: POSTROUTING
    reason: Routed by mark
`,
  },
];
