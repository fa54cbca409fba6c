/** Services and networks that every policy knows without defining them. */
import { EVERYTHING, type Ranges, readNetwork, subtractRanges, unite } from './addresses.js';

/**
 * Registered ports (https://www.iana.org/assignments/service-names-port-numbers) and, where a product has none, the one
 * that its documentation names as the default.
 */
export const SERVICES: Readonly<Record<string, readonly string[]>> = {
  ssh: ['tcp/22'],
  telnet: ['tcp/23'],
  ftp: ['tcp/21'],
  http: ['tcp/80'],
  https: ['tcp/443'],
  web: ['tcp/80', 'tcp/443'],
  http3: ['udp/443'],
  dns: ['udp/53', 'tcp/53'],
  'dns-over-tls': ['tcp/853'],
  mdns: ['udp/5353'],
  ntp: ['udp/123'],
  dhcp: ['udp/67'],
  'dhcp-client': ['udp/68'],
  dhcpv6: ['udp/547'],
  'dhcpv6-client': ['udp/546'],
  tftp: ['udp/69'],
  smtp: ['tcp/25'],
  submission: ['tcp/587'],
  submissions: ['tcp/465'],
  imap: ['tcp/143'],
  imaps: ['tcp/993'],
  pop3s: ['tcp/995'],
  sieve: ['tcp/4190'],
  postgres: ['tcp/5432'],
  mysql: ['tcp/3306'],
  mssql: ['tcp/1433'],
  oracle: ['tcp/1521'],
  mongodb: ['tcp/27017'],
  cassandra: ['tcp/9042'],
  clickhouse: ['tcp/8123', 'tcp/9000'],
  redis: ['tcp/6379'],
  memcached: ['tcp/11211'],
  elasticsearch: ['tcp/9200', 'tcp/9300'],
  kibana: ['tcp/5601'],
  kafka: ['tcp/9092'],
  zookeeper: ['tcp/2181'],
  amqp: ['tcp/5672'],
  amqps: ['tcp/5671'],
  mqtt: ['tcp/1883'],
  mqtts: ['tcp/8883'],
  nats: ['tcp/4222'],
  'node-exporter': ['tcp/9100'],
  prometheus: ['tcp/9090'],
  alertmanager: ['tcp/9093'],
  grafana: ['tcp/3000'],
  loki: ['tcp/3100'],
  zabbix: ['tcp/10051'],
  'zabbix-agent': ['tcp/10050'],
  snmp: ['udp/161'],
  'snmp-trap': ['udp/162'],
  syslog: ['udp/514'],
  'syslog-tls': ['tcp/6514'],
  wireguard: ['udp/51820'],
  openvpn: ['udp/1194'],
  ipsec: ['udp/500', 'udp/4500', 'esp'],
  'kubernetes-api': ['tcp/6443'],
  kubelet: ['tcp/10250'],
  etcd: ['tcp/2379', 'tcp/2380'],
  docker: ['tcp/2375'],
  'docker-tls': ['tcp/2376'],
  consul: ['tcp/8300-8302', 'udp/8301-8302', 'tcp/8500', 'tcp/8600', 'udp/8600'],
  vault: ['tcp/8200', 'tcp/8201'],
  rdp: ['tcp/3389', 'udp/3389'],
  vnc: ['tcp/5900'],
  smb: ['tcp/445'],
  nfs: ['tcp/2049'],
  ldap: ['tcp/389'],
  ldaps: ['tcp/636'],
  kerberos: ['tcp/88', 'udp/88'],
  radius: ['udp/1812-1813'],
  rsync: ['tcp/873'],
  git: ['tcp/9418'],
  mosh: ['udp/60000-61000'],
  vrrp: ['protocol/112'],
  ping: ['icmp/echo-request'],
  traceroute: ['udp/33434-33534'],
};

function ranges(...texts: readonly string[]): Ranges {
  const networks = texts.flatMap((text) => {
    const network = readNetwork(text);
    return 'id' in network ? [] : [network];
  });
  const of = (family: 'v4' | 'v6') =>
    unite(networks.filter((network) => network.family === family).map(({ range }) => range));
  return { v4: of('v4'), v6: of('v6') };
}

/**
 * `internet` is what a packet can reach or come from across the public network: for v4 all that is not private, shared
 * (RFC 6598), loopback, link-local, multicast or reserved; for v6 the global unicast block 2000::/3 (RFC 4291).
 */
export const NETWORKS: Readonly<Record<string, Ranges>> = {
  any: EVERYTHING,
  internet: {
    v4: subtractRanges(
      EVERYTHING,
      ranges(
        '0.0.0.0/8',
        '10.0.0.0/8',
        '100.64.0.0/10',
        '127.0.0.0/8',
        '169.254.0.0/16',
        '172.16.0.0/12',
        '192.168.0.0/16',
        '224.0.0.0/3',
      ),
    ).v4,
    v6: ranges('2000::/3').v6,
  },
  private: ranges('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'),
  loopback: ranges('127.0.0.0/8', '::1'),
  multicast: ranges('224.0.0.0/4', 'ff00::/8'),
  'link-local': ranges('169.254.0.0/16', 'fe80::/10'),
};
