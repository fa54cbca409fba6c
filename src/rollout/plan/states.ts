/** The live rules that a plan read, stored with it, so that a deploy can report what changed since the review. */
import { isOwned } from '../../compile/names.js';
import { isDynamicSet, programOfChain, programOfRule } from '../../compile/programs.js';
import { readRuleset, renderRuleset } from '../../compile/render.js';
import type { Ruleset, RulesText, Tables } from '../../netfilter/model.js';
import type { Fleet } from '../../policy/fleet.js';
import { diffStates } from '../results/differences.js';
import type { Plan, PlanChange } from '../results/model.js';
import type { DeployableHost, HostAssessment } from './assess.js';

/** Digest of live rules → their text; hosts with equal rules share one. */
export function statesOf(
  assessed: readonly HostAssessment[],
  ownership: Fleet['ownership'],
): NonNullable<Plan['states']> {
  const states: { [digest: string]: RulesText } = {};
  for (const { plan, deployable } of assessed)
    if (deployable !== undefined && plan.live !== undefined)
      states[plan.live] ??= renderRuleset(withoutDynamic(deployable.transitions.live.before, ownership));
  return states;
}

/** Without the dynamic rules of programs (bans, containers), which digests leave out as well. */
function withoutDynamic(ruleset: Ruleset, ownership: Fleet['ownership']): Ruleset {
  if (ownership === 'tables') return ruleset;
  const tables = (of: Tables): Tables =>
    of.map((table) => ({
      ...table,
      chains: table.chains
        .filter(({ name }) => programOfChain(name) === undefined)
        .map((chain) => ({
          ...chain,
          rules: chain.rules.filter((rule) => programOfRule(chain.name, rule) === undefined),
        })),
    }));
  const sets = ruleset.sets.filter((set) => isOwned(set.name) || !isDynamicSet(set));
  return { v4: tables(ruleset.v4), v6: tables(ruleset.v6), sets };
}

/** The diff from the reviewed live state to the current one, and from that to the state after a deploy. */
export function changeSince(reviewed: Plan, { host, transitions, ownership }: DeployableHost): PlanChange {
  const { before } = transitions.live;
  const next = diffStates(before, transitions.live.next);
  const { states = {} } = reviewed;
  const live = reviewed.hosts.find((plan) => plan.host === host.name)?.live ?? '';
  const text = Object.hasOwn(states, live) ? states[live] : undefined;
  const seen = text === undefined ? undefined : readRuleset(text, `${host.name} reviewed`, true);
  return seen?.ok === true
    ? { since: diffStates(seen.value, withoutDynamic(before, ownership)), next }
    : { next };
}
