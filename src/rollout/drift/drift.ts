/** Whether live rules, saved files and boot of the hosts are still as the policy wants them. */
import pMap from 'p-map';
import { compileHost } from '../../compile/rules/compile.js';
import type { HostClient, HostState, Reading } from '../../host/client.js';
import { formatProblem, type Problem } from '../../lib/problem.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { lintFleet } from '../../policy/lint/lint.js';
import { locationKey } from '../plan/expiry.js';
import { transitionsOf } from '../plan/transition.js';
import type { OnEvent } from '../results/events.js';
import { findingOf } from '../results/finding.js';
import type { Drift, Finding, HostDrift } from '../results/model.js';
import { bootDrift, liveDrift, nativeDrift, savedDrift } from './drift-items.js';

export interface DriftOptions {
  /** Default: the policy's. */
  readonly parallel?: number;
  readonly onEvent?: OnEvent;
}

/** One {@link HostDrift} for each host, in the order given; a host that cannot be read is never `clean`. */
export async function driftFleet(
  fleet: Fleet,
  hosts: readonly Host[],
  client: Pick<HostClient, 'read'>,
  options: DriftOptions = {},
): Promise<Drift> {
  const { onEvent = () => {} } = options;
  onEvent({ kind: 'begin', hosts: hosts.map(({ name }) => name) });
  const found = await pMap(
    hosts,
    async (host) => {
      onEvent({ kind: 'reading', host: host.name });
      const drift = driftOf(fleet, host, await client.read(host));
      onEvent({ kind: 'read', host: host.name, status: drift.status, words: drift.reason ?? '' });
      return drift;
    },
    { concurrency: options.parallel ?? fleet.rollout.parallel },
  );
  const due = dueRules(fleet, hosts);
  return { version: 1, hosts: found, due: due.length === 0 ? undefined : due };
}

/** Rules that have expired or expire soon, unless the policy accepts it. Messages have the date, not the days left, so that they stay the same. */
function dueRules(fleet: Fleet, hosts: readonly Host[]): readonly Finding[] {
  const dated = new Map(
    hosts
      .flatMap(({ input, output, forward, expired }) => [...input, ...output, ...forward, ...expired])
      .flatMap(({ expires, location }) =>
        expires === undefined ? [] : [[locationKey(location), expires] as const],
      ),
  );
  if (dated.size === 0) return [];
  return lintFleet(fleet).flatMap(({ id, location, ...problem }) => {
    const day = location === undefined ? undefined : dated.get(locationKey(location));
    if (day === undefined || (id !== 'expired' && id !== 'expires-soon')) return [];
    const message = `The rule ${id === 'expired' ? 'was' : 'is'} valid until ${day}.`;
    return [findingOf({ ...problem, id, message, location })];
  });
}

/** The drift of a host from what was read of it. Pure. */
export function driftOf(fleet: Fleet, host: Host, reading: Reading): HostDrift {
  if (reading.status !== 'read') return unread(host, reading.status, [reading.problem]);
  const { state } = reading;
  const busy = pendingText(state);
  if (busy !== undefined) return { ...unread(host, 'busy', []), reason: busy };
  const compiled = compileHost(fleet, host);
  if (!compiled.ok) return unread(host, 'error', compiled.problems);
  const transitions = transitionsOf(fleet, host, state, compiled.value);
  if (!transitions.ok) return unread(host, 'error', transitions.problems);
  const items = {
    live: [...liveDrift(fleet, host, transitions.value.live), ...nativeDrift(state, transitions.value.live)],
    saved: state.recorded ? [] : savedDrift(fleet, host, state, transitions.value),
    boot: state.recorded ? [] : bootDrift(host, state),
  };
  const { foreign } = transitions.value.live;
  const ignored = { chains: foreign.chains.length, rules: foreign.rules };
  return {
    host: host.name,
    status: Object.values(items).some((list) => list.length > 0) ? 'drifted' : 'clean',
    ...items,
    ignored: fleet.ownership === 'chains' ? ignored : undefined,
  };
}

/** While a host is being changed, its rules are neither old nor new, which is not drift. */
function pendingText({ record: { pending } }: HostState): string | undefined {
  return pending === undefined
    ? undefined
    : `${pending.owner} is changing this host (${pending.phase}); try again in ${pending.secondsLeft} s.`;
}

const unread = (
  { name }: Host,
  status: 'busy' | 'unreachable' | 'error',
  problems: readonly Problem[],
): HostDrift => ({
  host: name,
  status,
  reason: problems.map(formatProblem).join(' '),
  live: [],
  saved: [],
  boot: [],
});
