/** The rules that a plan saw, kept with it: so that a later deploy can say what changed since it was reviewed. */
import { isOwned } from '../../compile/names.js';
import { isDynamicSet, programOfChain, programOfRule } from '../../compile/programs.js';
import { readRuleset } from '../../compile/read.js';
import { renderHost } from '../../compile/render.js';
import type { Ruleset, RulesText, Tables } from '../../netfilter/model.js';
import type { Fleet } from '../../policy/fleet.js';
import { diffStates } from '../results/differences.js';
import type { Plan, PlanChange } from '../results/model.js';
import type { DeployableHost, HostAssessment } from './assess.js';

/** By the digest of each host's live rules; hosts that run the same share one. */
export function statesOf(
  assessed: readonly HostAssessment[],
  ownership: Fleet['ownership'],
): NonNullable<Plan['states']> {
  const states: { [digest: string]: RulesText } = {};
  for (const { plan, deployable } of assessed)
    if (deployable !== undefined && plan.live !== undefined)
      states[plan.live] ??= renderHost(lasting(deployable.transitions.live.before, ownership));
  return states;
}

/** Without what programs change while they run, which no digest counts either. */
function lasting(ruleset: Ruleset, ownership: Fleet['ownership']): Ruleset {
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

/** Three ways: from what was reviewed to what the host runs now, and from there to what a deploy would make of it. */
export function changeSince(reviewed: Plan, { host, transitions, ownership }: DeployableHost): PlanChange {
  const { before } = transitions.live;
  const next = diffStates(before, transitions.live.next);
  const then = reviewed.hosts.find((plan) => plan.host === host.name);
  const { states = {} } = reviewed;
  const live = then?.live ?? '';
  const text = Object.hasOwn(states, live) ? states[live] : undefined;
  const seen = text === undefined ? undefined : readRuleset(text, `${host.name} reviewed`);
  return seen?.ok === true ? { since: diffStates(seen.value, lasting(before, ownership)), next } : { next };
}
