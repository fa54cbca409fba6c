/**
 * The shape of the policy files: which keys there are and what stands under them. The one source of the checks, of the
 * types and of the JSON Schemas that editors use. What the shape cannot say (names, addresses, sums) is checked after it.
 */
import * as z from 'zod';
import { HOST_NAME, INTERFACE, NAME, TARGET, USER } from '../names.js';
import { PROGRAM_NAMES } from '../programs.js';
import { DURATION, PERCENT, RATE } from '../values.js';
import { guard, line, natRule, policyTest, rawRule, reason, rule, terms } from './schema-rules.js';

const port = z.int().min(1).max(65535);
const duration = z.string().regex(DURATION).meta({ description: 'A number with its unit: 30s, 5m or 1h.' });
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
  user: z
    .string()
    .regex(USER)
    .optional()
    .meta({ description: 'The user that connects; root or one with sudo.' }),
  port: port.optional().meta({ description: 'A port from 1 to 65535; 22 when absent.' }),
  known_hosts: path.optional().meta({ description: 'A file with the host keys, beside the policy.' }),
  transport: z
    .enum(['builtin', 'openssh'])
    .optional()
    .meta({ description: 'How SSH is spoken: builtin (default), or the openssh of this machine.' }),
  identity: path.optional().meta({ description: 'A private key file; the key of the run when absent.' }),
  bastion: z
    .union([bastion, z.array(bastion)])
    .optional()
    .meta({ description: 'One jump host, or several in order.' }),
});

const log = z.strictObject({
  rate: z.string().regex(RATE).optional().meta({ description: 'Such as 5/minute.' }),
  burst: z.int().min(1).max(10000).optional(),
  prefix: z
    .string()
    .regex(/^[ !#-[\]-~]{1,29}$/)
    .optional()
    .meta({ description: 'At most 29 characters of ASCII, without quotes and backslashes.' }),
  level: z.enum(['emerg', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug']).optional(),
});

const verdict = z.enum(['drop', 'accept']);

const baseline = z.strictObject({
  input: verdict
    .optional()
    .meta({ description: 'What becomes of packets to the host that no rule names. Default: drop.' }),
  forward: verdict.optional().meta({ description: 'The same for packets through the host. Default: drop.' }),
  output: verdict.optional().meta({ description: 'The same for packets from the host. Default: accept.' }),
  icmp: z.enum(['essential', 'all', 'none']).optional().meta({
    description: 'essential (default) keeps path MTU and IPv6 neighbour discovery alive (RFC 4890).',
  }),
  log: z
    .union([z.literal(false), log])
    .optional()
    .meta({ description: 'How drops are logged, or false.' }),
  loopback: z
    .enum(['accept', 'rules'])
    .optional()
    .meta({ description: 'accept (default), or rules: packets on lo go on to the rules.' }),
  established: z
    .enum(['accept', 'rules'])
    .optional()
    .meta({ description: 'accept (default), or rules: standing connections go on to the rules.' }),
  invalid: z
    .enum(['drop', 'rules'])
    .optional()
    .meta({ description: 'drop (default), or rules: invalid packets go on to the rules.' }),
  ssh: z.enum(['accept', 'rules']).optional().meta({
    description:
      'accept (default), or rules: these must let the admin networks in, which is proved either way.',
  }),
});

const boot = z.strictObject({
  enable: z
    .boolean()
    .optional()
    .meta({ description: "Enable the host's boot loader of rules. Default: false." }),
  paths: z
    .strictObject({ v4: absolute, v6: absolute, sets: absolute.optional() })
    .optional()
    .meta({ description: 'Where the saved files are, when no known loader is there.' }),
});

const rollout = z.strictObject({
  canary: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .meta({ description: 'The first hosts: host names, role:NAME, or one-per-role.' }),
  soak: duration
    .optional()
    .meta({ description: 'The wait after the canary, such as 30s (the default) or 5m.' }),
  waves: z
    .array(z.union([z.int().min(1), percent]))
    .min(1)
    .optional()
    .meta({ description: 'Sizes that add up, by count or percent; the last is 100%. Default: [25%, 100%].' }),
  parallel: z.int().min(1).max(1000).optional().meta({ description: 'Hosts at a time. Default: 20.' }),
  max_failures: z
    .union([z.int().min(0), percent])
    .optional()
    .meta({ description: 'Default: 0.' }),
  confirm_within: duration
    .optional()
    .meta({ description: 'How long a host waits for the confirmation, such as 60s (the default).' }),
  on_failure: z.enum(['keep', 'rollback']).optional().meta({ description: 'Default: keep.' }),
  max_drop_growth: z.number().min(1).optional().meta({
    description:
      'How many times as many packets that no rule names a host may drop during the soak. Ten more never count. Default: 5.',
  }),
});

const acceptance = z.strictObject({
  finding: z
    .string()
    .regex(/^[a-z][a-z0-9-]*$/)
    .meta({ description: 'The id of the finding.' }),
  reason,
});
const accept = z
  .array(acceptance)
  .optional()
  .meta({ description: 'Findings that are accepted here, each with a reason.' });

const checks = z
  .array(
    z.union([
      z.strictObject({
        tcp: port.meta({ description: 'A port that the runner connects to after the change.' }),
        open: z.boolean().optional().meta({ description: 'Whether it must answer. Default: true.' }),
      }),
      z.strictObject({
        command: line.meta({ description: 'A command on the host that must end with 0.' }),
      }),
    ]),
  )
  .optional();

const rules = {
  input: z.array(rule).optional().meta({ description: 'What may come to the host.' }),
  output: z.array(rule).optional().meta({ description: 'What may leave the host.' }),
  forward: z.array(rule).optional().meta({ description: 'What may pass through the host.' }),
  nat: z.array(natRule).optional(),
  raw: z.array(rawRule).optional(),
  checks,
  accept,
};

const description = z.string().optional();

export const fleetFile = z.strictObject({
  version: z.literal(1),
  ssh: ssh.meta({ description: 'How to log in, such as {user: deploy}.' }),
  admin: terms.meta({ description: 'Networks that must always reach SSH on every host.' }),
  ownership: z
    .enum(['chains', 'tables'])
    .optional()
    .meta({ description: 'chains (default) owns the SALLYPORT-* chains; tables owns whole tables.' }),
  may_remove: z
    .array(z.enum(PROGRAM_NAMES))
    .min(1)
    .optional()
    .meta({ description: 'With tables: programs whose rules may go although they may be running.' }),
  sets_from: z
    .int()
    .min(2)
    .optional()
    .meta({ description: 'Networks of so many entries become ipsets. Default: 64.' }),
  baseline: baseline.optional(),
  plan: z
    .strictObject({
      activity: z.boolean().optional().meta({
        description: 'Whether a plan reads the flows and listening ports of hosts. Default: true.',
      }),
    })
    .optional(),
  rollout: rollout.optional(),
  boot: boot.optional(),
  guards: z.array(guard).optional().meta({ description: 'What must hold for every packet.' }),
  tests: z.array(policyTest).optional().meta({ description: 'Packets and what must become of them.' }),
  accept,
});

export const networksFile = z.strictObject({
  networks: z
    .record(z.string().regex(NAME), terms)
    .meta({ description: 'Name: addresses, CIDR or other names.' }),
});

export const servicesFile = z.strictObject({
  services: z
    .record(z.string().regex(NAME), terms)
    .meta({ description: 'Name: tcp/80, icmp/echo-request or other names.' }),
});

export const roleFile = z.strictObject({
  description,
  roles: z.array(z.string()).optional().meta({ description: 'Other roles that this one includes.' }),
  ...rules,
});

export const host = z.strictObject({
  description,
  address: z
    .string()
    .regex(TARGET)
    .optional()
    .meta({ description: 'Where SSH connects: an address or a DNS name.' }),
  addresses: z.array(z.string()).min(1).optional().meta({ description: 'Every address that the host has.' }),
  roles: z.array(z.string()).optional(),
  interfaces: z
    .record(
      z.string().regex(NAME),
      z.string().regex(INTERFACE).meta({
        description: "A kernel name of at most 15 letters, digits, '.', '-', '_' and '@'; '+' at the end.",
      }),
    )
    .optional()
    .meta({ description: "The policy's name: the kernel's name." }),
  ssh: ssh.optional(),
  baseline: baseline.optional(),
  boot: boot.optional(),
  ...rules,
});

export const hostsFile = z.strictObject({ hosts: z.record(z.string().regex(HOST_NAME), host) });

export type FleetFile = z.infer<typeof fleetFile>;
export type NetworksFile = z.infer<typeof networksFile>;
export type ServicesFile = z.infer<typeof servicesFile>;
export type RoleFile = z.infer<typeof roleFile>;
export type HostFile = z.infer<typeof host>;
export type HostsFile = z.infer<typeof hostsFile>;
export type SshFile = z.infer<typeof ssh>;
export type BaselineFile = z.infer<typeof baseline>;
export type BootFile = z.infer<typeof boot>;
export type RolloutFile = z.infer<typeof rollout>;
export type ChecksFile = NonNullable<z.infer<typeof checks>>;
export type AcceptFile = NonNullable<z.infer<typeof accept>>;
