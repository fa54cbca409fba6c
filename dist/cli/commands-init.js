import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import{SCHEMAS}from"./policy-files-schema-url.js";import"./runtime.js";var fleet_default=`# yaml-language-server: $schema=../schema/fleet.schema.json
version: 1
ssh:
  user: deploy
  port: 22
  known_hosts: known_hosts
admin: [admin]
baseline:
  log: { rate: 5/minute, burst: 10, prefix: "iptables-drop: ", level: warning }
rollout:
  canary: [web-1]
  soak: 30s
  waves: [25%, 100%]
  confirm_within: 60s
guards:
  - name: The database is never open to the world
    on: role:database
    drop: { service: postgres, from: any, except: [app, payments] }
  - name: Administrators always reach SSH
    on: all
    accept: { service: ssh, from: admin }
tests:
  - name: A visitor reaches the site
    on: role:web
    packet: { hook: INPUT, src: 198.51.100.7, protocol: tcp, dport: 443 }
    verdict: accept
`;var db_1_default=`# yaml-language-server: $schema=../../schema/hosts.schema.json
address: 192.0.2.20
addresses: [192.0.2.20, "2001:db8:2::20"]
roles: [database]
interfaces: { private: eth1 }
`;var dns_1_default=`# yaml-language-server: $schema=../../schema/hosts.schema.json
address: 192.0.2.53
addresses: [192.0.2.53, "2001:db8:53::53"]
roles: [dns]
`;var pay_1_default=`# yaml-language-server: $schema=../../schema/hosts.schema.json
description: The payment worker; it may leave for what is named and for nothing else
address: 192.0.2.30
addresses: [192.0.2.30, "2001:db8:3::30"]
roles: [base, locked-egress]
baseline:
  output: drop
output:
  - allow: https
    to: payment-api
    reason: The API of the payment provider
  - allow: postgres
    to: host:db-1
    reason: Reads its orders
`;var web_default=`# yaml-language-server: $schema=../../schema/hosts.schema.json
hosts:
  web-1:
    addresses: [192.0.2.10, "2001:db8:1::10"]
    roles: [web]
  web-2:
    addresses: [192.0.2.11, "2001:db8:1::11"]
    roles: [web]
`;var networks_default=`# yaml-language-server: $schema=../schema/networks.schema.json
networks:
  # The office and the VPN.
  admin: [203.0.113.0/28, "2001:db8:a::/48"]
  app: [10.10.0.0/16, "2001:db8:10::/48"]
  monitoring: [10.20.30.0/24, "2001:db8:20:30::/64"]
  internal: [app, monitoring]
  resolvers: [192.0.2.53, "2001:db8:53::53"]
  mirrors: [198.51.100.16/28, "2001:db8:80::/64"]
  payments: [192.0.2.30, "2001:db8:3::30"]
  payment-api: [198.51.100.40, 198.51.100.41]
`;var base_default=`# yaml-language-server: $schema=../../schema/role.schema.json
description: What every host has
input:
  - allow: metrics
    from: monitoring
    reason: Prometheus scrapes the exporters
  # IPv6 lets pings in with the baseline: neighbours need them (RFC 4890).
  - allow: ping
    family: v4
    from: internal
    rate: { limit: 10/second, burst: 20 }
    reason: Reachability checks
`;var database_default=`# yaml-language-server: $schema=../../schema/role.schema.json
description: PostgreSQL, for the application and the payment worker
roles: [base]
input:
  - allow: postgres
    from: app
    reason: The application reads and writes
  - allow: postgres
    from: payments
    reason: The payment worker reads its orders
`;var dns_default=`# yaml-language-server: $schema=../../schema/role.schema.json
description: Resolvers of the internal networks
roles: [base]
input:
  - allow: dns
    from: [internal, payments]
    reason: Name resolution for our own hosts
`;var locked_egress_default=`# yaml-language-server: $schema=../../schema/role.schema.json
description: Hosts that may reach only what is named here (with "baseline.output" drop)
output:
  - allow: dns
    to: resolvers
    reason: Name resolution
  - allow: ntp
    to: internet
    reason: The clock
  - allow: [http, https]
    to: mirrors
    reason: Package mirrors
`;var web_default2=`# yaml-language-server: $schema=../../schema/role.schema.json
description: Public web servers
roles: [base]
input:
  - allow: [http, https]
    from: any
    reason: The public site
`;var services_default=`# yaml-language-server: $schema=../schema/services.schema.json
# Common ones (ssh, https, dns, postgres, …) are built in.
services:
  metrics: [tcp/9100, tcp/9187]
`;var EXAMPLE_POLICY={"fleet.yml":fleet_default,"networks.yml":networks_default,"services.yml":services_default,"roles/base.yml":base_default,"roles/web.yml":web_default2,"roles/database.yml":database_default,"roles/dns.yml":dns_default,"roles/locked-egress.yml":locked_egress_default,"hosts/web.yml":web_default,"hosts/db-1.yml":db_1_default,"hosts/dns-1.yml":dns_1_default,"hosts/pay-1.yml":pay_1_default},scaffold=({policies,workflows})=>({policy:new Map(Object.entries(EXAMPLE_POLICY).map(([path,text])=>[`${policies}/${path}`,withPublishedSchema(text)])),workflows:new Map(Object.entries(workflows).map(([path,text])=>[path,inFolder(text,policies)]))}),withPublishedSchema=text=>text.replace(/\$schema=(?:\.\.\/)+schema\//,`$schema=${SCHEMAS}`);function inFolder(workflow,policies){return policies==="policies"?workflow:workflow.replaceAll('"policies/**"',`"${policies}/**"`).replace(/^(\s+(?:path|policies): )policies$/gm,`$1${policies}`).replace(/^(\s+)(ssh-key: )/gm,`$1policies: ${policies}
$1$2`)}export{scaffold};
