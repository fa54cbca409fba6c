/** Which hosts come when, and how many may fail. */
import type { RolloutSettings } from '../../policy/fleet.js';

export interface Wave {
  /** 0 is the canary. */
  readonly number: number;
  readonly hosts: readonly string[];
}

/**
 * The canary first, then the rest by name. The sizes of waves are cumulative and count every host of the rollout, the
 * canary among them; a wave that adds nobody is left out, and whoever is left comes last.
 * @param passages Hosts that others are reached through, in the order in which they may be changed: each comes alone,
 * after all who need it. The canary is where the policy puts it.
 */
export function wavesOf(
  hosts: readonly string[],
  { canary, waves }: Pick<RolloutSettings, 'canary' | 'waves'>,
  bastions: ReadonlySet<string> = new Set(),
): readonly Wave[] {
  const first = hosts.filter((host) => canary.includes(host)).toSorted();
  const others = hosts.filter((host) => !canary.includes(host));
  const rest = others.filter((host) => !bastions.has(host)).toSorted();
  const last = [...bastions].filter((host) => others.includes(host)).map((host) => [host]);
  const groups: (readonly string[])[] = [];
  let done = 0;
  for (const size of [...waves, { percent: 100 }]) {
    const upTo = Math.min(first.length + rest.length, share(size, hosts.length)) - first.length;
    if (upTo <= done) continue;
    groups.push(rest.slice(done, upTo));
    done = upTo;
  }
  return [
    ...(first.length === 0 ? [] : [{ number: 0, hosts: first }]),
    ...[...groups, ...last].map((group, index) => ({ number: index + 1, hosts: group })),
  ];
}

/** A share of a fleet is at least one host. */
const share = (size: { readonly percent: number } | { readonly count: number }, hosts: number): number =>
  'count' in size ? size.count : Math.ceil((hosts * size.percent) / 100);

/** How many hosts of a rollout may fail without stopping it; a percentage is rounded down. */
export const failuresAllowed = (
  { maxFailures }: Pick<RolloutSettings, 'maxFailures'>,
  hosts: number,
): number => ('count' in maxFailures ? maxFailures.count : Math.floor((hosts * maxFailures.percent) / 100));
