/** What is open wider than most people want. */
import { SERVICES } from '../builtin.js';
import type { Fleet, Host, PolicyRule, Service } from '../fleet.js';
import { builtInService } from '../resolve/services.js';
import { list } from '../values.js';
import { covers, isWorld, port, reached, takesNew } from './cover.js';
import { eachHost, eachRule, type Found, type Lint } from './row.js';
import { wideAllow } from './width.js';

const opensToWorld = (rule: PolicyRule): boolean =>
  rule.verb === 'allow' &&
  rule.direction === 'input' &&
  rule.in !== 'lo' &&
  takesNew(rule) &&
  isWorld(reached(rule));

const isEverything = (rule: PolicyRule): boolean => rule.services.some(({ kind }) => kind === 'any');

const allows = (rule: PolicyRule, service: Service): boolean =>
  rule.services.some((own) => covers(own, service));

/** Of the built-in services: what holds data or controls a machine, and is made for a network of its own. */
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

function sensitiveOpen(rule: PolicyRule): { readonly message: string; readonly hint: string } | undefined {
  if (!opensToWorld(rule) || isEverything(rule)) return undefined;
  const open = sensitive
    .filter(({ services }) => services.some((service) => allows(rule, service)))
    .map(({ name }) => `${name} (${SERVICES[name]?.[0]})`);
  if (open.length === 0) return undefined;
  const shown = open.length > 4 ? [...open.slice(0, 3), `${open.length - 3} more`] : open;
  return {
    message: `The rule opens ${list(shown)} to the internet.`,
    hint: 'Name the networks that need it in "from:".',
  };
}

const bySsh = (rule: PolicyRule, host: Host): boolean => allows(rule, port('tcp', host.ssh.port));

const sshRule = eachRule((rule, host) =>
  opensToWorld(rule) && bySsh(rule, host) && !isEverything(rule)
    ? {
        message: `The rule opens SSH (tcp/${host.ssh.port}) to the internet.`,
        hint: 'Name the networks of the administrators in "from:".',
      }
    : undefined,
);

const adminIsWorld = ({ admin, adminPlace }: Fleet): readonly Found[] =>
  adminPlace !== undefined && isWorld(admin)
    ? [
        {
          message: 'The baseline opens SSH to the internet, on every host: "admin" is as large.',
          hint: 'Name the networks of the administrators.',
          location: adminPlace,
        },
      ]
    : [];

export const EXPOSURE: readonly Lint[] = [
  {
    id: 'ssh-open',
    level: 'warning',
    check: (fleet) => [...adminIsWorld(fleet), ...sshRule(fleet)],
  },
  { id: 'sensitive-port-open', level: 'warning', check: eachRule(sensitiveOpen) },
  {
    id: 'allow-everything',
    level: 'warning',
    check: eachRule((rule) =>
      opensToWorld(rule) && isEverything(rule)
        ? {
            message: 'The rule lets everything in from everywhere.',
            hint: 'Name the services and networks that are needed.',
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
            message: `The baseline accepts every packet of ${list(open)} that no rule names.`,
            hint: 'Set it to drop and allow what is needed.',
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
            message: `Without ICMP, large packets get lost silently${addresses.some((address) => address.includes(':')) ? ', and IPv6 finds no neighbours' : ''}.`,
            hint: 'Set "icmp: essential" in the baseline (RFC 4890).',
          },
    ),
  },
];
