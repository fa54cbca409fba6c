/** What a reviewer should know of a host beyond the differences of its rules. */
import { lintForeign } from '../../compile/lint/foreign.js';
import type { HostState } from '../../host/client.js';
import { includesAddress } from '../../lib/ip.js';
import { error, note, type Problem, warning } from '../../lib/problem.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import type { TrafficDiff } from '../../traffic/model.js';
import { blockedEssentials } from '../../traffic/questions/essentials.js';
import { publishedPorts } from './docker.js';
import { deployedAsAnotherHost } from './machine.js';
import { type HostTransitions, hasIpv6, sameRuleset } from './transition.js';

/**
 * What the host's own state tells: unfinished changes, the saved file, the boot, the address of the runner; and what the
 * rules of others do beside the policy's.
 */
export function stateFindings(
  fleet: Fleet,
  host: Host,
  state: HostState,
  transitions: HostTransitions,
): readonly Problem[] {
  return [
    ...foreign(host, state, transitions),
    ...(state.recorded === true ? [] : own(fleet, host, state, transitions)),
  ];
}

/** Of others' rules, and of literal ones, which may stand before the baseline. */
function foreign(host: Host, { facts }: HostState, transitions: HostTransitions): readonly Problem[] {
  const { next, foreign: others } = transitions.live;
  if (others.rules === 0 && host.raw.length === 0) return [];
  return [
    ...lintForeign(next),
    ...publishedPorts(next, facts.interfaces),
    ...blockedEssentials(next, [...new Set([...host.addresses, ...facts.addresses])]),
  ];
}

function own(fleet: Fleet, host: Host, state: HostState, transitions: HostTransitions): readonly Problem[] {
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

/** The fault of a host, not of the policy: it alone is refused. */
export const OTHER_MANAGER = 'other-manager';

function managers(host: Host, { facts }: HostState): readonly Problem[] {
  return (facts.managers ?? []).map((manager) =>
    error(
      OTHER_MANAGER,
      `${manager} is active on ${host.name} and would write over the same chains.`,
      undefined,
      'Switch it off on the host, once its rules are in the policy: until then a deploy refuses this host.',
    ),
  );
}

/** Rules that go while traffic stays: the policy says what they said, as after an import. One sentence for all of them. */
export function takenOver(
  problems: readonly Problem[],
  traffic: TrafficDiff | undefined,
): readonly Problem[] {
  const going = problems.filter(({ id }) => id === 'removes-foreign');
  if (traffic?.equal !== true || going.length === 0) return problems;
  return [
    ...problems.filter(({ id }) => id !== 'removes-foreign'),
    note(
      'takes-over',
      `${going.length === 1 ? 'One rule that is' : `${going.length} rules that are`} not the policy's ${going.length === 1 ? 'goes' : 'go'}, and the policy does the same: every packet has the verdict that it had.`,
    ),
  ];
}

function pending(host: Host, { record }: HostState): readonly Problem[] {
  if (record.pending === undefined) return [];
  const { owner, phase, secondsLeft } = record.pending;
  return [
    warning(
      'pending-transaction',
      `${host.name} has an unfinished change of ${owner} in phase ${phase}.`,
      undefined,
      `It rolls itself back in ${secondsLeft} s; plan again after that.`,
    ),
  ];
}

function ipv6(host: Host, state: HostState): readonly Problem[] {
  if (hasIpv6(state)) return [];
  return [
    note(
      'no-ipv6',
      `${host.name} has no IPv6, so it gets the IPv4 rules alone.`,
      undefined,
      'Deploy again when IPv6 is switched on: until then drift tells.',
    ),
  ];
}

function runner(fleet: Fleet, host: Host, { facts }: HostState): readonly Problem[] {
  if (facts.client === undefined || includesAddress(fleet.admin, facts.client)) return [];
  return [
    note(
      'runner-not-admin',
      `${host.name} is reached from ${facts.client}, which is in none of the admin networks.`,
      undefined,
      'Add it to `admin` when deploys come from there: the rules need not let it in otherwise.',
    ),
  ];
}

function saved(host: Host, state: HostState, transitions: HostTransitions): readonly Problem[] {
  if (!transitions.saved.ok)
    return transitions.saved.problems.map((problem) =>
      error(
        'saved-unreadable',
        `What ${host.name} loads at boot cannot be read: ${problem.message}`,
        problem.location,
        `Mend or remove the file on the host, then plan again.`,
      ),
    );
  if (state.saved.v4 === undefined && state.saved.v6 === undefined)
    return [
      note(
        'saved-missing',
        `${host.name} has no saved rules: after a reboot it would run none of what it runs now.`,
        undefined,
        'A deploy writes them.',
      ),
    ];
  const { before, next } = transitions.saved.value;
  const bootsLive = sameRuleset(transitions.live.before, transitions.live.next);
  return bootsLive && !sameRuleset(before, next)
    ? [
        warning(
          'saved-differs',
          `${host.name} runs the policy, but would load other rules at its next boot.`,
          undefined,
          'A deploy writes the saved files anew.',
        ),
      ]
    : [];
}

function boot(host: Host, { boot: { loader, enabled } }: HostState): readonly Problem[] {
  if (loader === 'none' && host.boot.paths === undefined)
    return [
      warning(
        'no-boot-loader',
        `Nothing on ${host.name} loads firewall rules at boot.`,
        undefined,
        'Install iptables-persistent (Debian, Ubuntu) or iptables-services (RHEL family), or name `boot.paths`.',
      ),
    ];
  if (enabled || loader === 'none') return [];
  return host.boot.enable
    ? [note('boot-disabled', `${loader} is not enabled on ${host.name}; a deploy enables it.`)]
    : [
        warning(
          'boot-disabled',
          `${loader} is not enabled on ${host.name}: after a reboot it would run no rules.`,
          undefined,
          'Enable it on the host, or say `boot: {enable: true}`.',
        ),
      ];
}
