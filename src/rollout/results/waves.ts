/** The waves of a rollout, which of them a job changes, and how many hosts may fail. */
import type { RolloutSettings } from '../../policy/fleet.js';
import { inShard, type Shard } from './shard.js';

export interface Wave {
  /** 0 is the canary. */
  readonly number: number;
  readonly hosts: readonly string[];
}

/**
 * The canary first, then the rest by name. The sizes of waves are cumulative and count every host of the rollout, the
 * canary included; a wave that adds no host is left out, and the hosts that are left come last.
 * @param bastions In the order in which they may be changed: each comes alone, after the hosts behind it. A bastion that
 * is a canary stays one.
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

/**
 * How many hosts of a rollout or of a shard may fail without stopping it; rounded down. The shards of a rollout together
 * never allow more failures than the policy does for the fleet.
 */
export const failuresAllowed = (
  { maxFailures }: Pick<RolloutSettings, 'maxFailures'>,
  hosts: number,
  shard?: Shard,
): number =>
  'count' in maxFailures
    ? Math.floor(maxFailures.count / (shard?.of ?? 1))
    : Math.floor((hosts * maxFailures.percent) / 100);

/** Waves by number, 0 is the canary; without `to`, all that follow. */
interface WaveRange {
  readonly from: number;
  readonly to?: number;
}

/** What one of several jobs changes: some waves, and of these one shard. */
export interface RolloutPart {
  readonly shard?: Shard;
  /** `bastions`: they come after all other waves. */
  readonly waves?: WaveRange | 'bastions';
}

/** `canary`, `2`, `2+` for the second wave and all after it, or `bastions`; `undefined` for any other text. */
export function readWaves(text: string): RolloutPart['waves'] {
  if (text === 'bastions') return text;
  if (text === 'canary') return { from: 0, to: 0 };
  const [, number, more] = /^([1-9]\d{0,3})(\+?)$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  return more === '+' ? { from: Number(number) } : { from: Number(number), to: Number(number) };
}

/** The canary and the bastions are one job each, without shards. */
export const isWhole = ({ waves }: RolloutPart): boolean =>
  waves === 'bastions' || (waves?.from === 0 && waves.to === 0);

export interface PartWaves {
  /** What this job changes. */
  readonly waves: readonly Wave[];
  /** Canaries that another job changes: they must run the new rules before this one begins. */
  readonly gate: readonly string[];
  /** Whether waves follow after the last one of this job. */
  readonly more: boolean;
}

/**
 * The waves of one job. Canary and bastions are only in jobs without a shard, in whatever wave they are: another shard
 * may be changing hosts behind a bastion.
 */
export function wavesOfPart(
  whole: readonly Wave[],
  { shard, waves = { from: 0 } }: RolloutPart,
  bastions: ReadonlySet<string>,
): PartWaves {
  const isBastionWave = ({ number, hosts }: Wave): boolean =>
    number > 0 && hosts.every((host) => bastions.has(host));
  const takes = (wave: Wave): boolean => {
    if (isBastionWave(wave)) return shard === undefined && (waves === 'bastions' || within(wave, waves));
    if (waves === 'bastions') return false;
    return within(wave, waves) && (wave.number > 0 || shard === undefined);
  };
  const own = whole.filter(takes);
  const last = own.at(-1)?.number ?? Number.POSITIVE_INFINITY;
  return {
    waves: own.map(({ number, hosts }) => ({ number, hosts: hosts.filter((host) => inShard(host, shard)) })),
    gate: own.some(({ number }) => number === 0)
      ? []
      : (whole.find(({ number }) => number === 0)?.hosts ?? []),
    more: whole.some(({ number }) => number > last),
  };
}

const within = ({ number }: Wave, { from, to = Number.POSITIVE_INFINITY }: WaveRange): boolean =>
  number >= from && number <= to;
