/** Lints for access that is wider than most policies intend. */
import { list } from '../../lib/text.js';
import { SERVICES } from '../builtin.js';
import type { Fleet, Host, PolicyRule, Service } from '../fleet.js';
import { builtInService } from '../resolve/services.js';
import { covers, isInternet, matchesNew, port, remoteAddresses } from './cover.js';
import { eachHost, eachRule, type Finding, type Lint, type Message } from './row.js';
import { wideAllow } from './width.js';

const opensToWorld = (rule: PolicyRule): boolean =>
  rule.verb === 'allow' &&
  rule.direction === 'input' &&
  rule.in !== 'lo' &&
  matchesNew(rule) &&
  isInternet(remoteAddresses(rule));

const isEverything = (rule: PolicyRule): boolean => rule.services.some(({ kind }) => kind === 'any');

const allows = (rule: PolicyRule, service: Service): boolean =>
  rule.services.some((own) => covers(own, service));

/** Built-in services that store data or control a machine, and are meant for private networks. */
const SENSITIVE = [
  'telnet',
  'tftp',
  'postgres',
  'mysql',
  'mssql',
  'oracle',
  'mongodb',
  'cassandra',
  'clickhouse',
  'redis',
  'memcached',
  'elasticsearch',
  'kibana',
  'kafka',
  'zookeeper',
  'etcd',
  'docker',
  'docker-tls',
  'kubernetes-api',
  'kubelet',
  'consul',
  'vault',
  'rdp',
  'vnc',
  'smb',
  'nfs',
  'ldap',
  'rsync',
  'snmp',
  'prometheus',
  'alertmanager',
  'node-exporter',
  'zabbix-agent',
] as const satisfies readonly (keyof typeof SERVICES)[];

const sensitive = SENSITIVE.map((name) => ({ name, services: builtInService(name) }));

function sensitiveOpen(rule: PolicyRule): Message | undefined {
  if (!opensToWorld(rule) || isEverything(rule)) return undefined;
  const open = sensitive
    .filter(({ services }) => services.some((service) => allows(rule, service)))
    .map(({ name }) => `${name} (${SERVICES[name]?.[0]})`);
  if (open.length === 0) return undefined;
  return {
    message: `The rule opens ${list(open, 4)} to the internet.`,
    hint: 'Restrict "from" to the networks that need it.',
  };
}

const bySsh = (rule: PolicyRule, host: Host): boolean => allows(rule, port('tcp', host.ssh.port));

const sshRule = eachRule((rule, host) =>
  opensToWorld(rule) && bySsh(rule, host) && !isEverything(rule)
    ? {
        message: `The rule opens SSH (tcp/${host.ssh.port}) to the internet.`,
        hint: 'Restrict "from" to the networks of the administrators.',
      }
    : undefined,
);

const adminIsInternet = ({ admin, adminLocation: adminPlace }: Fleet): readonly Finding[] =>
  adminPlace !== undefined && isInternet(admin)
    ? [
        {
          message: '"admin" opens SSH to the internet on every host.',
          hint: 'Restrict it to the networks of the administrators.',
          location: adminPlace,
        },
      ]
    : [];

export const EXPOSURE: readonly Lint[] = [
  {
    id: 'ssh-open',
    level: 'warning',
    check: (fleet) => [...adminIsInternet(fleet), ...sshRule(fleet)],
  },
  { id: 'sensitive-port-open', level: 'warning', check: eachRule(sensitiveOpen) },
  {
    id: 'allow-everything',
    level: 'warning',
    check: eachRule((rule) =>
      opensToWorld(rule) && isEverything(rule)
        ? {
            message: 'The rule allows all services from the internet.',
            hint: 'Restrict it to the services and networks that are needed.',
          }
        : undefined,
    ),
  },
  {
    id: 'wide-allow',
    level: 'note',
    check: eachRule((rule) => (opensToWorld(rule) && isEverything(rule) ? undefined : wideAllow(rule))),
  },
  {
    id: 'default-accept',
    level: 'warning',
    check: eachHost(({ baseline }) => {
      const open = (['input', 'forward'] as const).filter((chain) => baseline[chain] === 'accept');
      return open.length === 0
        ? undefined
        : {
            message: `The baseline accepts every ${list(open)} packet that no rule matches.`,
            hint: 'Set it to drop, and allow what is needed.',
          };
    }),
  },
  {
    id: 'icmp-blocked',
    level: 'warning',
    check: eachHost(({ baseline, addresses }) =>
      baseline.icmp !== 'none'
        ? undefined
        : {
            message: `Without ICMP, path MTU discovery fails${addresses.some((address) => address.includes(':')) ? ', and so does IPv6 neighbour discovery' : ''}.`,
            hint: 'Set "icmp: essential" in the baseline (RFC 4890).',
          },
    ),
  },
];
