/** Plans and outcomes read back from their JSON, which another job, or anyone at all, may have written. */
import { error, type Result } from '../../lib/problem.js';
import type { Outcomes, Plan } from './model.js';
import { type Check, flag, listOf, mapOf, maybe, number, oneOf, orNull, shape, text } from './shape.js';

const PLACE = shape({ file: text, line: number, column: number });
const RULE = shape({ table: text, chain: text, number, text, source: maybe(PLACE) });
const CHANGE = shape({ table: text, chain: text, text, source: maybe(PLACE) });
const TEXTS = listOf(text);
const FAMILY = oneOf('v4', 'v6');
const HOOK = oneOf('INPUT', 'OUTPUT', 'FORWARD');

const PACKET = shape({
  hook: HOOK,
  src: text,
  dst: text,
  protocol: text,
  sport: maybe(number),
  dport: maybe(number),
});

const FLOW = shape({
  ...{ family: FAMILY, hook: HOOK, protocol: text, example: PACKET },
  ...{ in: TEXTS, out: TEXTS, state: TEXTS, src: TEXTS, dst: TEXTS, sport: TEXTS, dport: TEXTS, type: TEXTS },
  ...{ also: maybe(TEXTS), before: orNull(RULE), after: orNull(RULE) },
});
const FLOWS = listOf(FLOW);

const DIFF = shape({ added: listOf(CHANGE), removed: listOf(CHANGE), moved: listOf(CHANGE), text });

const SET_DIFF = shape({
  name: text,
  added: TEXTS,
  removed: TEXTS,
  options: maybe(shape({ before: text, after: text })),
});

const FINDING = shape({
  ...{ id: text, message: text, hint: maybe(text), source: maybe(PLACE) },
  level: oneOf('error', 'warning', 'note'),
});

const HOST_PLAN = shape({
  host: text,
  status: oneOf('changed', 'unchanged', 'unreachable', 'error'),
  ...{ reason: maybe(text), live: maybe(text), next: maybe(text), machine: maybe(text) },
  rules: maybe(shape({ v4: DIFF, v6: DIFF })),
  sets: maybe(listOf(SET_DIFF)),
  traffic: maybe(
    shape({
      ...{ equal: flag, proved: flag, why: maybe(text), omitted: maybe(number) },
      ...{ opened: FLOWS, closed: FLOWS, possiblyOpened: FLOWS, possiblyClosed: FLOWS },
      answeredDifferently: FLOWS,
    }),
  ),
  lockout: maybe(
    shape({ verdict: oneOf('proved', 'violated', 'not-proven'), reasons: TEXTS, accepted: flag }),
  ),
  findings: listOf(FINDING),
  foreign: maybe(shape({ chains: TEXTS, rules: number })),
});

const SHARD = { index: number, of: number };

const STATE = shape({ v4: text, v6: text, sets: text });
const STATE_DIFF = shape({ v4: DIFF, v6: DIFF, sets: listOf(SET_DIFF) });

const MAP = shape({
  nodes: listOf(
    shape({
      ...{ id: text, name: text, hosts: maybe(TEXTS), networks: maybe(TEXTS), holds: maybe(TEXTS) },
      kind: oneOf('anywhere', 'network', 'role', 'host', 'addresses'),
    }),
  ),
  edges: listOf(
    shape({
      ...{ from: text, to: text, service: text, families: listOf(FAMILY), hosts: maybe(TEXTS) },
      ...{ part: maybe(flag), conditional: maybe(flag), blocked: maybe(flag), rules: listOf(PLACE) },
      change: maybe(oneOf('added', 'removed', 'changed')),
    }),
  ),
  missing: listOf(shape({ host: text, why: text })),
  notes: listOf(FINDING),
});

const PLAN = shape({
  ...{ version: oneOf(1), commit: orNull(text), digest: text, hosts: listOf(HOST_PLAN) },
  states: maybe(mapOf(STATE)),
  map: maybe(MAP),
  names: maybe(shape({ networks: mapOf(TEXTS), hosts: mapOf(TEXTS), services: mapOf(TEXTS) })),
  shard: maybe(shape({ ...SHARD, fleet: TEXTS, policy: maybe(listOf(FINDING)) })),
});

const OUTCOMES = shape({
  ...{ version: oneOf(1), commit: orNull(text), stopped: maybe(text) },
  hosts: listOf(
    shape({
      host: text,
      outcome: oneOf(
        ...['unchanged', 'confirmed', 'rolled-back', 'refused', 'unreachable', 'unknown', 'not-reached'],
      ),
      ...{ wave: number, phase: text, reason: text, seconds: number },
      drops: maybe(shape({ before: orNull(number), during: number })),
      changed: maybe(shape({ since: maybe(STATE_DIFF), next: STATE_DIFF })),
    }),
  ),
  part: maybe(shape({ shard: maybe(shape(SHARD)), fleet: listOf(shape({ number, hosts: TEXTS })) })),
});

/** A plan as `plan --format json` wrote it. @param file As messages call it. */
export const readPlan = (json: string, file: string): Result<Plan> =>
  read(json, file, 'plan', PLAN, 'Write one with `sallyport plan --format json --output plan.json`.');

/** Outcomes as `deploy --format json` wrote them. */
export const readOutcomes = (json: string, file: string): Result<Outcomes> =>
  read(json, file, 'deploy report', OUTCOMES, 'Write one with `sallyport deploy --format json`.');

function read<T>(json: string, file: string, what: string, check: Check, hint: string): Result<T> {
  const bad = (why: string): Result<T> => ({
    ok: false,
    problems: [
      error(
        `bad-${what.replace(' ', '-')}`,
        `${file} is not a ${what} of this version: ${why}.`,
        undefined,
        hint,
      ),
    ],
  });
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return bad('it is not JSON');
  }
  const wrong = check(value, '');
  return wrong === undefined ? { ok: true, value: value as T, problems: [] } : bad(wrong);
}
