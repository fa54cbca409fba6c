/** Findings of a host's plan beyond the diff of its rules. */
import { lintForeign } from '../../compile/lint/foreign.js';
import { isDynamicSet } from '../../compile/programs.js';
import type { HostState } from '../../host/client.js';
import { FAMILIES } from '../../lib/family.js';
import { includesAddress } from '../../lib/ip.js';
import { error, note, type Problem, warning } from '../../lib/problem.js';
import { list } from '../../lib/text.js';
import type { Ruleset } from '../../netfilter/model.js';
import { setsNamedBy } from '../../netfilter/tables.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import type { TrafficDiff } from '../../traffic/model.js';
import { blockedEssentials } from '../../traffic/questions/essentials.js';
import { publishedPorts } from './docker.js';
import { deployedAsAnotherHost } from './machine.js';
import { type HostTransitions, hasIpv6, sameRuleset } from './transition.js';

/**
 * From the host's state: unfinished changes, saved files, boot, the address of the runner; and how rules that are not of
 * the policy interfere with it.
 */
export function stateFindings(
  fleet: Fleet,
  host: Host,
  state: HostState,
  transitions: HostTransitions,
): readonly Problem[] {
  return [
    ...unmanaged(host, state, transitions),
    ...(state.recorded === true ? [] : ofState(fleet, host, state, transitions)),
  ];
}

/** Of unmanaged rules, and of raw ones, which may be before the baseline. */
function unmanaged(host: Host, { facts }: HostState, transitions: HostTransitions): readonly Problem[] {
  const { next, foreign } = transitions.live;
  if (foreign.rules === 0 && host.raw.length === 0) return [];
  return [
    ...lintForeign(next),
    ...bans(host, next),
    ...publishedPorts(next, facts.interfaces),
    ...blockedEssentials(next, [...new Set([...host.addresses, ...facts.addresses])]),
  ];
}

/** One note for all sets by which programs refuse addresses: a proof knows the members that were read. */
function bans({ name }: Host, next: Ruleset): readonly Problem[] {
  const sets = next.sets.filter(isDynamicSet).map((set) => set.name);
  const refusing = new Set(
    FAMILIES.flatMap((family) => next[family])
      .flatMap(({ chains }) => chains.flatMap(({ rules }) => rules))
      .filter(({ target }) => target?.name === 'DROP' || target?.name === 'REJECT')
      .flatMap(setsNamedBy),
  );
  const banning = sets.filter((set) => refusing.has(set));
  if (banning.length === 0) return [];
  return [
    note(
      'bans-may-come',
      `Programs on ${name} refuse the addresses in ${list(banning, 4)}: the plan and the lock-out proof count the members of now, and an administrator may be banned later.`,
      { hint: 'Exclude the admin networks in the configuration of the program.' },
    ),
  ];
}

function ofState(
  fleet: Fleet,
  host: Host,
  state: HostState,
  transitions: HostTransitions,
): readonly Problem[] {
  return [
    ...deployedAsAnotherHost(fleet, host, state),
    ...(state.notes ?? []),
    ...managers(host, state),
    ...pending(host, state),
    ...ipv6(host, state),
    ...runner(fleet, host, state),
    ...saved(host, state, transitions),
    ...boot(host, state),
  ];
}

/** The id of an error of the host, not of the policy: only this host is refused. */
export const OTHER_MANAGER = 'other-manager';

function managers(host: Host, { facts }: HostState): readonly Problem[] {
  return (facts.managers ?? []).map((manager) =>
    error(OTHER_MANAGER, `${manager} is active on ${host.name} and would overwrite the same chains.`, {
      hint: 'Disable it on the host once its rules are in the policy; until then a deploy refuses this host.',
    }),
  );
}

/** One note instead of a problem for each removed rule, where the policy has the same effect, as after an import. */
export function mergeTakeover(
  problems: readonly Problem[],
  traffic: TrafficDiff | undefined,
): readonly Problem[] {
  const others = problems.filter(({ id }) => id !== 'removes-foreign');
  const removed = problems.length - others.length;
  if (traffic?.equal !== true || removed === 0) return problems;
  const rules = removed === 1 ? '1 unmanaged rule is' : `${removed} unmanaged rules are`;
  return [...others, note('takes-over', `${rules} replaced by the policy; every packet keeps its verdict.`)];
}

function pending(host: Host, { record }: HostState): readonly Problem[] {
  if (record.pending === undefined) return [];
  const { owner, phase, secondsLeft } = record.pending;
  return [
    warning('pending-transaction', `${host.name} has an unfinished change of ${owner} in phase ${phase}.`, {
      hint: `It is rolled back in ${secondsLeft} s; plan again after that.`,
    }),
  ];
}

function ipv6(host: Host, state: HostState): readonly Problem[] {
  if (hasIpv6(state)) return [];
  return [
    note('no-ipv6', `${host.name} has no IPv6, so only the IPv4 rules are deployed.`, {
      hint: 'Deploy again when IPv6 is enabled; until then it is reported as drift.',
    }),
  ];
}

function runner(fleet: Fleet, host: Host, { facts }: HostState): readonly Problem[] {
  if (facts.client === undefined || includesAddress(fleet.admin, facts.client)) return [];
  return [
    note(
      'runner-not-admin',
      `${host.name} is reached from ${facts.client}, which is not in an admin network.`,
      { hint: 'Add it to `admin` if deploys come from there: otherwise the rules need not allow it.' },
    ),
  ];
}

function saved(host: Host, state: HostState, transitions: HostTransitions): readonly Problem[] {
  if (!transitions.saved.ok)
    return transitions.saved.problems.map((problem) =>
      error('saved-unreadable', `The saved rules of ${host.name} cannot be read: ${problem.message}`, {
        location: problem.location,
        hint: 'Fix or remove the file on the host, then plan again.',
      }),
    );
  if (state.saved.v4 === undefined && state.saved.v6 === undefined)
    return [
      note(
        'saved-missing',
        `${host.name} has no saved rules: a reboot would load none of its current rules.`,
        { hint: 'A deploy writes them.' },
      ),
    ];
  const { before, next } = transitions.saved.value;
  const bootsLive = sameRuleset(transitions.live.before, transitions.live.next);
  return bootsLive && !sameRuleset(before, next)
    ? [
        warning(
          'saved-differs',
          `${host.name} runs the policy, but would load other rules at its next boot.`,
          { hint: 'A deploy writes the saved files again.' },
        ),
      ]
    : [];
}

function boot(host: Host, { boot: { loader, enabled } }: HostState): readonly Problem[] {
  if (loader === 'none' && host.boot.paths === undefined)
    return [
      warning('no-boot-loader', `Nothing on ${host.name} loads firewall rules at boot.`, {
        hint: 'Install iptables-persistent (Debian, Ubuntu) or iptables-services (RHEL family), or set `boot.paths`.',
      }),
    ];
  if (enabled || loader === 'none') return [];
  return host.boot.enable
    ? [note('boot-disabled', `${loader} is not enabled on ${host.name}; a deploy enables it.`)]
    : [
        warning('boot-disabled', `${loader} is not enabled on ${host.name}: a reboot would load no rules.`, {
          hint: 'Enable it on the host, or set `boot: {enable: true}`.',
        }),
      ];
}
