/** The drift of one host as sentences: live rules, saved files, boot. */
import { nativeDigests, readNativeDigests } from '../../compile/merge/native-digests.js';
import type { HostState } from '../../host/client.js';
import { FAMILIES, type Family } from '../../lib/family.js';
import { diffSets, diffTables } from '../../netfilter/diff.js';
import type { RuleChange, Ruleset, SetDiff } from '../../netfilter/model.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { type ExpiredRules, expiredRules, expiryKey } from '../plan/expiry.js';
import type { HostTransitions, Transition } from '../plan/transition.js';
import type { DriftItem } from '../results/model.js';

/** Live rules against the policy, and unmanaged rules that decide before those of the policy. */
export function liveDrift(
  fleet: Fleet,
  host: Host,
  { before, next, problems }: Transition,
): readonly DriftItem[] {
  const bypasses = problems
    // Other problems of unmanaged rules are among the differences.
    .filter(({ id }) => id === 'bypass')
    .map(({ message }): DriftItem => ({ kind: 'bypass', message }));
  return [...differences(before, next, expiredRules(fleet, host)), ...bypasses];
}

/** Native nft tables that are not as they were at the last deploy: their chains decide beside those of the policy. */
export function nativeDrift({ record }: HostState, { before: { nft } }: Transition): readonly DriftItem[] {
  const then = record.current?.native;
  if (then === undefined || nft === undefined || nft.unread !== undefined) return [];
  const [old, now] = [readNativeDigests(then), nativeDigests(nft)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((name): readonly DriftItem[] => {
    if (old.get(name) === now.get(name)) return [];
    const what = !old.has(name) ? 'is new' : now.has(name) ? 'has changed' : 'is gone';
    const message = `The native nft table "${name}" ${what} since the last deploy: it decides on packets beside the rules of the policy. A deploy records it as it is.`;
    return [{ kind: 'native', message }];
  });
}

/** What a reboot would load against the policy: missing, invalid and different saved files. */
export function savedDrift(
  fleet: Fleet,
  host: Host,
  state: HostState,
  { desired, saved }: HostTransitions,
): readonly DriftItem[] {
  if (!saved.ok)
    return saved.problems.map(
      ({ message, location }): DriftItem => ({
        kind: 'file',
        message: `The saved file does not load: ${message}`,
        source: location,
      }),
    );
  const missing = FAMILIES.filter(
    (family) => state.saved[family] === undefined && desired[family].length > 0,
  ).map(
    (family): DriftItem => ({
      kind: 'file',
      family,
      message: `${state.boot.paths[family] || 'The saved file'} is missing: a reboot would load none of these rules.`,
    }),
  );
  const withFile = (ruleset: Ruleset): Ruleset => ({
    v4: state.saved.v4 === undefined ? [] : ruleset.v4,
    v6: state.saved.v6 === undefined ? [] : ruleset.v6,
    sets: ruleset.sets,
  });
  const { before, next } = saved.value;
  return [...missing, ...differences(withFile(before), withFile(next), expiredRules(fleet, host))];
}

/** Whether anything loads the saved files at boot. */
export function bootDrift(host: Host, { boot: { loader, enabled } }: HostState): readonly DriftItem[] {
  if (loader === 'none' && host.boot.paths === undefined)
    return [{ kind: 'boot', message: 'Nothing on this host loads firewall rules at boot.' }];
  return enabled || loader === 'none'
    ? []
    : [{ kind: 'boot', message: `${loader} is not enabled: a reboot would load no rules.` }];
}

function differences(before: Ruleset, after: Ruleset, expired: ExpiredRules): readonly DriftItem[] {
  const rules = FAMILIES.flatMap((family) => {
    const { added, removed, moved } = diffTables(before[family], after[family]);
    return [
      ...added.map((change) => missing(change, family)),
      ...removed
        .filter(({ text }) => !text.startsWith('-P '))
        .map((change) => extra(change, family, expired)),
      ...moved.map(
        (change): DriftItem => ({
          ...item('moved', family, change),
          message: /^-j SALLYPORT-/.test(change.text)
            ? `The entry jump in ${chainOf(change)} was moved.`
            : `A rule in ${chainOf(change)} was moved.`,
        }),
      ),
    ];
  });
  return [...rules, ...diffSets(before.sets, after.sets).map(setItem)];
}

const chainOf = ({ table, chain }: RuleChange): string => (table === 'filter' ? chain : `${table} ${chain}`);

const item = (kind: DriftItem['kind'], family: Family, change: RuleChange) => ({
  kind,
  family,
  rule: change.text.startsWith('-N ') ? change.text : `-A ${change.chain} ${change.text}`,
});

/** A diff of rules has `-P` for chain policies and `-N` for chains. */
function missing(change: RuleChange, family: Family): DriftItem {
  const [, policy] = /^-P \S+ (\S+)$/.exec(change.text) ?? [];
  if (policy !== undefined)
    return { kind: 'policy', family, message: `The policy of ${chainOf(change)} is not ${policy}.` };
  const what = change.text.startsWith('-N ')
    ? `The chain ${chainOf(change)} is missing.`
    : `A rule is missing from ${chainOf(change)}.`;
  return { ...item('missing', family, change), message: what, source: change.source };
}

function extra(change: RuleChange, family: Family, expired: ExpiredRules): DriftItem {
  const expiredRule = expired.get(expiryKey(family, change));
  if (expiredRule !== undefined)
    return {
      ...item('expired', family, change),
      message: `A rule that was valid until ${expiredRule.expires} is still in ${chainOf(change)}: a deploy removes it.`,
      source: expiredRule.location,
    };
  const what = change.text.startsWith('-N ')
    ? `The chain ${chainOf(change)} is not in the policy.`
    : `A rule in ${chainOf(change)} is not in the policy.`;
  return { ...item('extra', family, change), message: what };
}

function setItem({ name, added, removed, options }: SetDiff): DriftItem {
  const parts = [
    ...(options === undefined ? [] : [`was created as "${options.before}" instead of "${options.after}"`]),
    ...(added.length > 0 ? [`lacks ${added.length} (${added[0]}${added.length > 1 ? ', …' : ''})`] : []),
    ...(removed.length > 0
      ? [`has ${removed.length} that are not in the policy (${removed[0]}${removed.length > 1 ? ', …' : ''})`]
      : []),
  ];
  return {
    kind: 'set',
    message: parts.length === 0 ? `The set ${name} is missing.` : `The set ${name} ${parts.join(' and ')}.`,
  };
}
