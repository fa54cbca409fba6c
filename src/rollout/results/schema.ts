/**
 * The zod schemas of the results: what is read back is checked by them, and the JSON Schemas in `schema/` are made of
 * them. tsc holds them to the types of model.ts.
 */
import * as z from 'zod';
import type { OutcomeKind, Phase } from '../../host/client.js';
import type { Family } from '../../lib/family.js';
import type { Level, SourceLocation } from '../../lib/problem.js';
import type { MapEdge } from '../../map/model.js';
import type { MapNode, NodeKind } from '../../naming/address-names.js';
import type { PolicyNames } from '../../naming/policy-names.js';
import type { RuleChange, RuleDiff, RulesText, SetDiff, TableName } from '../../netfilter/model.js';
import type {
  ConnectionState,
  DecidingRule,
  Flow,
  Hook,
  LockoutProof,
  Packet,
  TrafficDiff,
} from '../../traffic/model.js';
import type {
  Drift,
  DriftItem,
  DropRate,
  Finding,
  HostDrift,
  HostPlan,
  Outcome,
  Outcomes,
  Plan,
  PlanChange,
  PlanMap,
  StateDiff,
} from './model.js';
import type { Wave } from './waves.js';

/** A schema for each field of `T`, the optional ones too. Unknown keys are allowed, and dropped. */
const object = <T>(fields: { readonly [K in keyof T]-?: z.ZodType<T[K]> }): z.ZodType<T> =>
  z.object(fields) as unknown as z.ZodType<T>;

/** Each member of the union `T`. */
const oneOf = <T extends string>(members: { readonly [member in T]: true }) =>
  z.enum(Object.keys(members) as T[]);

const text = z.string();
const texts = z.array(text);
const optionalText = text.optional();
const optionalNumber = z.number().optional();
const flag = z.literal(true).optional();

const family = oneOf<Family>({ v4: true, v6: true });
const table = oneOf<TableName>({ raw: true, mangle: true, nat: true, filter: true, security: true });
const hook = oneOf<Hook>({ INPUT: true, OUTPUT: true, FORWARD: true });
const state = oneOf<ConnectionState>({
  ...{ NEW: true, ESTABLISHED: true, RELATED: true, INVALID: true, UNTRACKED: true },
});

const location = object<SourceLocation>({
  kind: z.enum(['policy', 'host', 'file']).default('policy'),
  ...{ file: text, line: z.number(), column: z.number() },
}).meta({ id: 'SourceLocation' });
const optionalLocation = location.optional();

const rule = object<DecidingRule>({
  ...{ table: text, chain: text, number: z.number(), text, reason: optionalText, source: optionalLocation },
}).meta({ id: 'DecidingRule' });

const packet = object<Packet>({
  hook,
  ...{ in: optionalText, out: optionalText, src: text, dst: text, protocol: text },
  ...{ sport: optionalNumber, dport: optionalNumber, flags: optionalText, state: state.optional() },
  ...{ type: optionalNumber, code: optionalNumber },
  ...{ mac: optionalText, uid: optionalNumber, gid: optionalNumber },
  packetType: z.enum(['unicast', 'broadcast', 'multicast', 'otherhost']).optional(),
});

const flow = object<Flow>({
  ...{ family, hook, in: texts, out: texts, exceptLoopback: flag, state: z.array(state) },
  ...{ protocol: text, src: texts, dst: texts, sport: texts, dport: texts, type: texts },
  ...{ also: texts.optional(), before: rule.nullable(), after: rule.nullable(), example: packet },
}).meta({ id: 'Flow' });
const flows = z.array(flow);

const ruleChange = object<RuleChange>({ table, chain: text, text, source: optionalLocation });
const ruleChanges = z.array(ruleChange);
const ruleDiff = object<RuleDiff>({
  ...{ added: ruleChanges, removed: ruleChanges, moved: ruleChanges, text },
}).meta({ id: 'RuleDiff' });

const setDiff = object<SetDiff>({
  ...{ name: text, added: texts, removed: texts },
  options: z.object({ before: text, after: text }).optional(),
}).meta({ id: 'SetDiff' });

const finding = object<Finding>({
  id: text,
  level: oneOf<Level>({ error: true, warning: true, note: true }),
  ...{ message: text, hint: optionalText, source: optionalLocation },
}).meta({ id: 'Finding' });

const hostPlan = object<HostPlan>({
  host: text,
  status: oneOf<HostPlan['status']>({ changed: true, unchanged: true, unreachable: true, error: true }),
  ...{ reason: optionalText, live: optionalText, next: optionalText, machine: optionalText },
  rules: z.object({ v4: ruleDiff, v6: ruleDiff }).optional(),
  sets: z.array(setDiff).optional(),
  traffic: object<TrafficDiff>({
    ...{ equal: z.boolean(), proved: z.boolean(), why: optionalText, omitted: optionalNumber },
    ...{ opened: flows, closed: flows, possiblyOpened: flows, possiblyClosed: flows },
    answeredDifferently: flows,
  }).optional(),
  lockout: object<LockoutProof>({
    verdict: oneOf<LockoutProof['verdict']>({ proved: true, violated: true, 'not-proven': true }),
    ...{ reasons: texts, accepted: z.boolean() },
  }).optional(),
  findings: z.array(finding),
  foreign: z.object({ chains: texts, rules: z.number() }).optional(),
});

const map = object<PlanMap>({
  version: z.literal(1),
  nodes: z.array(
    object<MapNode>({
      id: text,
      kind: oneOf<NodeKind>({ anywhere: true, network: true, role: true, host: true, addresses: true }),
      ...{ name: text, hosts: texts.optional(), networks: texts.optional(), holds: texts.optional() },
    }),
  ),
  edges: z.array(
    object<MapEdge>({
      ...{ from: text, to: text, service: text, families: z.array(family), hosts: texts.optional() },
      ...{ part: flag, conditional: flag, blocked: flag, rules: z.array(location) },
      change: z.enum(['added', 'removed', 'changed']).optional(),
    }),
  ),
  missing: z.array(z.object({ host: text, why: text })),
  notes: z.array(finding),
});

const named = z.record(text, texts);

/** `plan.json`. */
export const planSchema = object<Plan>({
  ...{ version: z.literal(1), commit: text.nullable(), digest: text, hosts: z.array(hostPlan) },
  states: z
    .record(text, object<RulesText>({ v4: text, v6: text, sets: text, nft: text.optional() }))
    .optional(),
  names: object<PolicyNames>({ networks: named, hosts: named, services: named }).optional(),
  map: map.optional(),
  shard: object<NonNullable<Plan['shard']>>({
    ...{ index: z.number(), of: z.number(), fleet: texts, policy: z.array(finding).optional() },
  }).optional(),
});

const stateDiff = object<StateDiff>({ v4: ruleDiff, v6: ruleDiff, sets: z.array(setDiff) });

const outcome = object<Outcome>({
  host: text,
  outcome: oneOf<OutcomeKind | 'not-reached'>({
    ...{ unchanged: true, confirmed: true, 'rolled-back': true, refused: true },
    ...{ unreachable: true, unknown: true, 'not-reached': true },
  }),
  wave: z.number(),
  phase: oneOf<Phase>({
    ...{
      connect: true,
      preflight: true,
      snapshot: true,
      rehearse: true,
      arm: true,
      apply: true,
      verify: true,
    },
    ...{ confirm: true, persist: true, disarm: true, rollback: true, done: true, soak: true },
  }),
  ...{ reason: text, seconds: z.number() },
  drops: object<DropRate>({ before: z.number().nullable(), during: z.number() }).optional(),
  changed: object<PlanChange>({ since: stateDiff.optional(), next: stateDiff }).optional(),
});

/** `deploy.json`. */
export const outcomesSchema = object<Outcomes>({
  ...{ version: z.literal(1), commit: text.nullable(), hosts: z.array(outcome), stopped: optionalText },
  part: object<NonNullable<Outcomes['part']>>({
    shard: z.object({ index: z.number(), of: z.number() }).optional(),
    waves: z.union([z.object({ from: z.number(), to: optionalNumber }), z.literal('bastions')]).optional(),
    fleet: z.array(object<Wave>({ number: z.number(), hosts: texts })),
  }).optional(),
});

const driftItem = object<DriftItem>({
  kind: oneOf<DriftItem['kind']>({
    ...{ missing: true, extra: true, moved: true, policy: true, set: true, file: true, boot: true },
    ...{ expired: true, bypass: true, native: true },
  }),
  ...{ family: family.optional(), message: text, rule: optionalText, source: optionalLocation },
}).meta({ id: 'DriftItem' });
const driftItems = z.array(driftItem);

/** `drift.json`. */
export const driftSchema = object<Drift>({
  version: z.literal(1),
  hosts: z.array(
    object<HostDrift>({
      host: text,
      status: oneOf<HostDrift['status']>({
        ...{ clean: true, drifted: true, busy: true, unreachable: true, error: true },
      }),
      ...{ reason: optionalText, live: driftItems, saved: driftItems, boot: driftItems },
      ignored: z.object({ chains: z.number(), rules: z.number() }).optional(),
    }),
  ),
  due: z.array(finding).optional(),
});
