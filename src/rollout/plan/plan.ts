/** The plan of a fleet: every host read in parallel, assessed, and put together under one digest. */
import pMap from 'p-map';
import type { HostClient } from '../../host/client.js';
import { policyNames } from '../../naming/policy-names.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import type { OnEvent } from '../results/events.js';
import { findingOf } from '../results/finding.js';
import type { Plan } from '../results/model.js';
import { planOf } from '../results/plan-digest.js';
import { type HostAssessment, readAndAssess } from './assess.js';
import { sharedMachines } from './machine.js';
import { planMap } from './plan-map.js';
import { statesOf } from './states.js';

export interface PlanOptions {
  readonly commit?: string;
  /** Names of hosts whose lockout proof may fail. */
  readonly acceptLockoutRisk?: readonly string[];
  /** Default: the policy's. */
  readonly parallel?: number;
  readonly onEvent?: OnEvent;
  /** Also make the map of the hosts. */
  readonly map?: boolean;
  /** Read the current flows and listening ports: for a plan, not for a deploy. */
  readonly activity?: boolean;
  /** Compute which traffic changes: for a plan, not for a deploy, which does not show it. */
  readonly traffic?: boolean;
}

/** Reads all hosts and makes their plan, in the order given; hosts that cannot be read are in it with a reason. */
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
    map: options.map ? planMap(fleet, assessed) : undefined,
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

/** Adds the problems that only show when hosts are compared. */
function withSharedMachines(all: readonly HostAssessment[]): readonly HostAssessment[] {
  const shared = sharedMachines(all.flatMap(({ deployable }) => deployable ?? []));
  return all.map((one) => {
    const problem = shared.get(one.host.name);
    if (problem === undefined) return one;
    return { ...one, plan: { ...one.plan, findings: [findingOf(problem), ...one.plan.findings] } };
  });
}
