/** Schemas of rules, guards and tests; see `schema.ts`. */
import * as z from 'zod';
import { CONTROL, DATE, RATE } from '../values.js';

/** One name or a list of names. */
export const names = z.union([z.string(), z.array(z.string()).min(1)]);

/** A single line, as hosts, files and comments need it. */
export const line = z.string().refine((value) => value.trim() !== '' && value.search(CONTROL) === -1);
/** One or several lines, which become one. */
const text = z
  .string()
  .refine((value) => value.trim() !== '' && value.replace(/[\n\t]/g, '').search(CONTROL) === -1)
  .meta({ description: 'A non-empty string without control characters.' });
export const reason = text.meta({ description: 'Why the rule exists; it becomes the comment of the rule.' });

const services = names.meta({
  description: 'A service, tcp/443, udp/1000-2000, icmp/echo-request, a protocol, any, or a list of these.',
});
const addresses = names.meta({
  description: 'A network, CIDR, role:NAME, host:NAME, any, or a list of these.',
});
const family = z.enum(['v4', 'v6']).optional();
const state = z.enum(['new', 'established', 'related', 'invalid', 'untracked']);
const interfaceName = z.string().optional().meta({ description: "A name from the host's interfaces." });
const rate = z.string().regex(RATE).meta({ description: 'A rate such as 10/minute.' });

const endpoints = {
  from: addresses.optional(),
  to: addresses.optional(),
  in: interfaceName,
  out: interfaceName,
};

/** The keys of which exactly one is required, for editors; `resolve/` reports it with a message. */
const oneVerb = (id: string, ...verbs: readonly (readonly string[])[]) => ({
  id,
  oneOf: verbs.map((required) => ({ required: [...required] })),
});

export const rule = z
  .strictObject({
    allow: services.optional(),
    deny: services.optional().meta({ description: 'Services to drop without an answer.' }),
    reject: services.optional().meta({ description: 'Services to drop with an answer.' }),
    log: z
      .union([z.boolean(), services])
      .optional()
      .meta({ description: 'true with another verb, or the services to log.' }),
    ...endpoints,
    except: addresses
      .optional()
      .meta({ description: 'Addresses to remove from "from" (output: from "to").' }),
    rate: z
      .union([
        rate,
        z.strictObject({
          limit: rate,
          burst: z.int().min(1).max(10000).optional(),
          per: z.literal('source').optional(),
        }),
      ])
      .optional()
      .meta({ description: 'A rate such as 10/minute, or {limit, burst, per: source}.' }),
    state: z
      .union([z.literal('any'), state, z.array(state).min(1)])
      .optional()
      .meta({
        description: 'Connection tracking states, or any. Default for allow: new connections.',
      }),
    family,
    reason: reason.optional(),
    owner: text.optional(),
    ticket: text.optional(),
    expires: z
      .string()
      .regex(DATE)
      .optional()
      .meta({ description: 'Last valid day (UTC), YYYY-MM-DD; allow only.' }),
  })
  .meta({
    id: 'rule',
    anyOf: [
      { required: ['allow', 'reason'] },
      { required: ['deny'] },
      { required: ['reject'] },
      { required: ['log'] },
    ],
  });

export const natRule = z
  .strictObject({
    masquerade: services.optional(),
    snat: services.optional(),
    dnat: services.optional(),
    redirect: services.optional(),
    ...endpoints,
    target: z
      .union([z.string(), z.int()])
      .optional()
      .meta({ description: 'snat, dnat: an address, optionally with a port; redirect: a port.' }),
    reason,
  })
  .meta(oneVerb('nat', ['masquerade'], ['snat', 'target'], ['dnat', 'target'], ['redirect', 'target']));

export const rawRule = z.strictObject({
  rule: line.meta({ description: 'One rule in iptables syntax, without -A CHAIN.' }),
  table: z
    .enum(['raw', 'mangle', 'nat', 'filter', 'security'])
    .optional()
    .meta({ description: 'Default: filter.' }),
  chain: z.string().meta({ description: 'A built-in chain.' }),
  family: family.meta({ description: 'Default: both.' }),
  reason,
});

const selector = z
  .union([z.string(), z.array(z.string()).min(1)])
  .meta({ description: 'Host names, role:NAME, all, or a list of these.' });

const claim = z.strictObject({
  service: services,
  from: addresses.optional(),
  except: addresses.optional(),
});

export const guard = z
  .strictObject({ name: text, on: selector, drop: claim.optional(), accept: claim.optional() })
  .meta(oneVerb('guard', ['drop'], ['accept']));

const packetPort = z.int().min(0).max(65535).optional();
const packetByte = z.int().min(0).max(255).optional();

export const policyTest = z.strictObject({
  name: text,
  on: selector,
  packet: z.strictObject({
    hook: z.enum(['INPUT', 'OUTPUT', 'FORWARD']),
    in: z.string().optional(),
    out: z.string().optional(),
    src: z.string().optional().meta({ description: "An address. Default in OUTPUT: the host's own." }),
    dst: z.string().optional().meta({ description: "An address. Default in INPUT: the host's own." }),
    protocol: z.string(),
    sport: packetPort,
    dport: packetPort,
    flags: z.string().optional(),
    state: z.enum(['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED']).optional(),
    type: packetByte,
    code: packetByte,
  }),
  verdict: z.enum(['accept', 'drop', 'reject']),
});

export type RuleFile = z.infer<typeof rule>;
export type NatFile = z.infer<typeof natRule>;
export type RawFile = z.infer<typeof rawRule>;
export type GuardFile = z.infer<typeof guard>;
export type TestFile = z.infer<typeof policyTest>;
