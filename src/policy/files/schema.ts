/**
 * Schemas of the policy files: the single source of the validation, of the types and of the JSON Schemas for editors.
 * What a schema cannot express (names, addresses, sums) is checked later, in `resolve/`.
 */
import * as z from 'zod';
import { HOST_NAME, INTERFACE, NAME, TARGET, USER } from '../names.js';
import { PROGRAM_NAMES } from '../programs.js';
import { DURATION, PERCENT, RATE } from '../values.js';
import { guard, line, names, natRule, policyTest, rawRule, reason, rule } from './schema-rules.js';

const port = z.int().min(1).max(65535);
const duration = z.string().regex(DURATION).meta({ description: 'A number with a unit: 30s, 5m or 1h.' });
const percent = z.string().regex(PERCENT).meta({ description: '1% to 100%.' });
const path = line.meta({ description: 'A path.' });
const absolute = z
  .string()
  .regex(/^\/[A-Za-z0-9._/-]+$/)
  .meta({ description: 'An absolute path.' });

const bastion = z.strictObject({
  host: z.string().regex(TARGET).meta({ description: 'An address or a DNS name.' }),
  user: z.string().regex(USER).optional().meta({ description: 'A user name.' }),
  port: port.optional(),
});

const ssh = z.strictObject({
  user: z.string().regex(USER).optional().meta({ description: 'The login user: root, or a user with sudo.' }),
  port: port.optional().meta({ description: 'A port from 1 to 65535. Default: 22.' }),
  known_hosts: path.optional().meta({ description: 'A known_hosts file, relative to the policy folder.' }),
  transport: z
    .enum(['builtin', 'openssh'])
    .optional()
    .meta({ description: 'SSH client: builtin (default), or the installed openssh.' }),
  identity: path.optional().meta({ description: 'A private key file. Default: the key given to the run.' }),
  bastion: z
    .union([bastion, z.array(bastion)])
    .optional()
    .meta({ description: 'One jump host, or a list in connection order.' }),
});

const log = z.strictObject({
  rate: z.string().regex(RATE).optional().meta({ description: 'A rate such as 5/minute.' }),
  burst: z.int().min(1).max(10000).optional(),
  prefix: z
    .string()
    .regex(/^[ !#-[\]-~]{1,29}$/)
    .optional()
    .meta({ description: 'At most 29 ASCII characters, without quotes and backslashes.' }),
  level: z.enum(['emerg', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug']).optional(),
});

const verdict = z.enum(['drop', 'accept']);

const baseline = z.strictObject({
  input: verdict
    .optional()
    .meta({ description: 'Verdict for packets to the host that no rule matches. Default: drop.' }),
  forward: verdict
    .optional()
    .meta({ description: 'Verdict for forwarded packets that no rule matches. Default: drop.' }),
  output: verdict
    .optional()
    .meta({ description: 'Verdict for packets from the host that no rule matches. Default: accept.' }),
  icmp: z.enum(['essential', 'all', 'none']).optional().meta({
    description: 'essential (default) allows path MTU discovery and IPv6 neighbour discovery (RFC 4890).',
  }),
  log: z
    .union([z.literal(false), log])
    .optional()
    .meta({ description: 'Settings for the log of dropped packets, or false.' }),
  loopback: z
    .enum(['accept', 'rules'])
    .optional()
    .meta({ description: 'accept (default), or rules: packets on lo are matched by the rules.' }),
  established: z
    .enum(['accept', 'rules'])
    .optional()
    .meta({ description: 'accept (default), or rules: established connections are matched by the rules.' }),
  invalid: z
    .enum(['drop', 'rules'])
    .optional()
    .meta({ description: 'drop (default), or rules: invalid packets are matched by the rules.' }),
  ssh: z.enum(['accept', 'rules']).optional().meta({
    description:
      'accept (default), or rules: these must allow the admin networks, which is proved either way.',
  }),
});

const boot = z.strictObject({
  enable: z
    .boolean()
    .optional()
    .meta({ description: "Enable the host's service that loads the rules at boot. Default: false." }),
  paths: z
    .strictObject({ v4: absolute, v6: absolute, sets: absolute.optional() })
    .optional()
    .meta({ description: 'Paths of the saved rules, for hosts without a known loader.' }),
});

const rollout = z.strictObject({
  canary: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .meta({ description: 'Hosts to deploy first: host names, role:NAME, or one-per-role.' }),
  soak: duration.optional().meta({ description: 'Wait after the canary hosts, such as 5m. Default: 30s.' }),
  waves: z
    .array(z.union([z.int().min(1), percent]))
    .min(1)
    .optional()
    .meta({
      description: 'Cumulative sizes, as counts or percentages; the last is 100%. Default: [25%, 100%].',
    }),
  parallel: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: 'Number of hosts at a time. Default: 20.' }),
  max_failures: z
    .union([z.int().min(0), percent])
    .optional()
    .meta({ description: 'A count or a percentage of hosts. Default: 0.' }),
  confirm_within: duration
    .optional()
    .meta({ description: 'Time after which an unconfirmed host rolls back, such as 2m. Default: 60s.' }),
  on_failure: z
    .enum(['keep', 'rollback'])
    .optional()
    .meta({ description: 'keep (default), or rollback: roll back the hosts of this run.' }),
  max_drop_growth: z.number().min(1).optional().meta({
    description:
      'Factor by which dropped packets that no rule matches may grow during the soak. Up to ten more are ignored. Default: 5.',
  }),
});

const suppression = z.strictObject({
  finding: z
    .string()
    .regex(/^[a-z][a-z0-9-]*$/)
    .meta({ description: 'The id of a finding.' }),
  reason,
});
const accept = z
  .array(suppression)
  .optional()
  .meta({ description: 'Accepted findings, each with a reason.' });

const checks = z
  .array(
    z.union([
      z.strictObject({
        tcp: port.meta({ description: 'A port to connect to after the change.' }),
        open: z.boolean().optional().meta({ description: 'Whether the port must answer. Default: true.' }),
      }),
      z.strictObject({
        command: line.meta({ description: 'A command on the host that must exit with status 0.' }),
      }),
    ]),
  )
  .optional();

const rules = {
  input: z.array(rule).optional().meta({ description: 'Rules for packets to the host.' }),
  output: z.array(rule).optional().meta({ description: 'Rules for packets from the host.' }),
  forward: z.array(rule).optional().meta({ description: 'Rules for forwarded packets.' }),
  nat: z.array(natRule).optional(),
  raw: z.array(rawRule).optional(),
  checks,
  accept,
};

const description = z.string().optional();

export const fleetFile = z.strictObject({
  version: z.literal(1),
  ssh: ssh.meta({ description: 'SSH login, such as {user: deploy}.' }),
  admin: names.meta({ description: 'Networks that must always reach SSH on every host.' }),
  ownership: z
    .enum(['chains', 'tables'])
    .optional()
    .meta({ description: 'chains (default) manages the SALLYPORT-* chains; tables manages whole tables.' }),
  may_remove: z.array(z.enum(PROGRAM_NAMES)).min(1).optional().meta({
    description: 'With ownership: tables, programs whose rules may be removed even if they are running.',
  }),
  sets_from: z
    .int()
    .min(2)
    .optional()
    .meta({ description: 'Networks with at least this many entries become ipsets. Default: 64.' }),
  baseline: baseline.optional(),
  plan: z
    .strictObject({
      activity: z.boolean().optional().meta({
        description: 'Whether plans read the connections and listening ports of hosts. Default: true.',
      }),
    })
    .optional(),
  rollout: rollout.optional(),
  boot: boot.optional(),
  guards: z.array(guard).optional().meta({ description: 'Statements that must hold for every packet.' }),
  tests: z.array(policyTest).optional().meta({ description: 'Packets with their expected verdicts.' }),
  accept,
});

export const networksFile = z.strictObject({
  networks: z
    .record(z.string().regex(NAME), names)
    .meta({ description: 'Name → addresses, CIDR networks or other names.' }),
});

export const servicesFile = z.strictObject({
  services: z
    .record(z.string().regex(NAME), names)
    .meta({ description: 'Name → tcp/80, icmp/echo-request or other names.' }),
});

export const roleFile = z.strictObject({
  description,
  roles: z.array(z.string()).optional().meta({ description: 'Roles that this role includes.' }),
  ...rules,
});

export const host = z.strictObject({
  description,
  address: z
    .string()
    .regex(TARGET)
    .optional()
    .meta({ description: 'SSH destination: an address or a DNS name.' }),
  addresses: z.array(z.string()).min(1).optional().meta({ description: 'All addresses of the host.' }),
  roles: z.array(z.string()).optional(),
  interfaces: z
    .record(
      z.string().regex(NAME),
      z.string().regex(INTERFACE).meta({
        description:
          "A kernel interface name: at most 15 letters, digits, '.', '-', '_' and '@'; a final '+' matches any suffix.",
      }),
    )
    .optional()
    .meta({ description: 'Name in the policy → kernel interface name.' }),
  ssh: ssh.optional(),
  baseline: baseline.optional(),
  boot: boot.optional(),
  ...rules,
});

export const hostsFile = z.strictObject({ hosts: z.record(z.string().regex(HOST_NAME), host) });

export type FleetFile = z.infer<typeof fleetFile>;
export type RoleFile = z.infer<typeof roleFile>;
export type HostFile = z.infer<typeof host>;
export type SshFile = z.infer<typeof ssh>;
export type BaselineFile = z.infer<typeof baseline>;
export type BootFile = z.infer<typeof boot>;
export type RolloutFile = z.infer<typeof rollout>;
export type ChecksFile = NonNullable<z.infer<typeof checks>>;
export type AcceptFile = NonNullable<z.infer<typeof accept>>;
