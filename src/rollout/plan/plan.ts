/** The plan of a fleet: every host read in parallel, assessed, and put together under one digest. */
import pMap from 'p-map';
import type { HostClient } from '../../host/client.js';
import { policyNames } from '../../naming/policy-names.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import type { OnEvent } from '../results/events.js';
import { findingOf } from '../results/finding.js';
import type { HostPlan, Plan } from '../results/model.js';
import { planOf } from '../results/plan-digest.js';
import { type HostAssessment, readAndAssess } from './assess.js';
import { sharedMachines } from './machine.js';
import { planMap } from './plan-map.js';
import { statesOf } from './states.js';

export interface PlanOptions {
  readonly commit?: string;
  /** Hosts whose lock-out proof may fail. */
  readonly acceptLockoutRisk?: readonly string[];
  /** Default: the policy's. */
  readonly parallel?: number;
  readonly onEvent?: OnEvent;
  /** Also draw the map of the hosts. */
  readonly map?: boolean;
  /** What the hosts are doing now is read for a plan, and not for a deploy. */
  readonly activity?: boolean;
  /** Which traffic changes is worked out for a plan, and not for a deploy, which shows it to nobody. */
  readonly traffic?: boolean;
}

/** One {@link HostPlan} a host, in the order given; a host that cannot be read has one as well. */
export async function planFleet(
  fleet: Fleet,
  hosts: readonly Host[],
  client: Pick<HostClient, 'read'>,
  options: PlanOptions = {},
): Promise<Plan> {
  const assessed = await assessFleet(fleet, hosts, client, { activity: !fleet.skipActivity, ...options });
  return {
    ...planOf(
      assessed.map(({ plan }) => plan),
      options.commit,
    ),
    states: statesOf(assessed, fleet.ownership),
    names: policyNames(fleet),
    ...(options.map ? { map: planMap(fleet, assessed) } : {}),
  };
}

/** Reads and assesses every host, `parallel` at a time. */
export async function assessFleet(
  fleet: Fleet,
  hosts: readonly Host[],
  client: Pick<HostClient, 'read'>,
  options: Omit<PlanOptions, 'commit'> = {},
): Promise<readonly HostAssessment[]> {
  const { onEvent = () => {}, acceptLockoutRisk = [], activity = false, traffic = true } = options;
  onEvent({ kind: 'begin', hosts: hosts.map(({ name }) => name) });
  const all = await pMap(
    hosts,
    async (host) => {
      onEvent({ kind: 'reading', host: host.name });
      const assessed = await readAndAssess(fleet, host, client, { acceptLockoutRisk, activity, traffic });
      const { status, reason = '' } = assessed.plan;
      onEvent({ kind: 'read', host: host.name, status, words: reason });
      return assessed;
    },
    { concurrency: options.parallel ?? fleet.rollout.parallel },
  );
  return withSharedMachines(all);
}

/** What is wrong with hosts only beside each other. */
function withSharedMachines(all: readonly HostAssessment[]): readonly HostAssessment[] {
  const shared = sharedMachines(all.flatMap(({ deployable }) => deployable ?? []));
  return all.map((one) => {
    const problem = shared.get(one.host.name);
    if (problem === undefined) return one;
    return { ...one, plan: { ...one.plan, findings: [findingOf(problem), ...one.plan.findings] } };
  });
}
