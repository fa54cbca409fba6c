/**
 * A fleet in parts, for jobs that share its work. A shard is a share of the hosts by their names alone, so that a host
 * keeps its shard when others come and go; a part of a rollout is some of its waves, and of these one shard.
 */
import { createHash } from 'node:crypto';
import type { RolloutSettings } from '../../policy/fleet.js';
import { failuresAllowed, type Wave } from './waves.js';

/** `2/4` is `{index: 2, of: 4}`. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly of: number;
}

/** Waves by number, 0 being the canary; without `to`, all that follow. */
interface WaveRange {
  readonly from: number;
  readonly to?: number;
}

export interface RolloutPart {
  readonly shard?: Shard;
  /** `bastions`: the hosts that others are reached through, which come after all of these. */
  readonly waves?: WaveRange | 'bastions';
}

/** GitHub runs at most 256 jobs of one matrix. */
export const MOST_SHARDS = 256;

export function readShard(text: string): Shard | undefined {
  const [, index, of] = /^(\d{1,3})\/(\d{1,3})$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || of === undefined) return undefined;
  return index >= 1 && index <= of && of <= MOST_SHARDS ? { index, of } : undefined;
}

/** `canary`, `2`, `2+` for the second wave and all after it, or `bastions`. */
export function readWaves(text: string): RolloutPart['waves'] {
  if (text === 'bastions') return text;
  if (text === 'canary') return { from: 0, to: 0 };
  const [, number, more] = /^([1-9]\d{0,3})(\+?)$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  return more === '+' ? { from: Number(number) } : { from: Number(number), to: Number(number) };
}

export const shardText = ({ index, of }: Shard): string => `${index}/${of}`;

/** The canary, and the hosts that others are reached through, are one job's each. */
export const isWhole = ({ waves }: RolloutPart): boolean =>
  waves === 'bastions' || (waves?.from === 0 && waves.to === 0);

/** From 1: the first 32 bits of the SHA-256 of the name, modulo. */
const shardOf = (host: string, of: number): number =>
  (createHash('sha256').update(host).digest().readUInt32BE(0) % of) + 1;

export const inShard = (host: string, shard: Shard | undefined): boolean =>
  shard === undefined || shardOf(host, shard.of) === shard.index;

export interface PartWaves {
  /** What this job changes. */
  readonly waves: readonly Wave[];
  /** Canaries that another job changes: they must run the new rules before this one begins. */
  readonly gate: readonly string[];
  /** Whether waves follow after the last one of this job. */
  readonly more: boolean;
}

/**
 * The canary is one job's alone, which names no shard; so are the hosts that others are reached through, whatever wave
 * they are in: another shard may be at work behind them.
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

/** The shards of a rollout together never allow more failures than the policy does for the fleet. */
export function failuresAllowedIn(
  settings: Pick<RolloutSettings, 'maxFailures'>,
  hosts: number,
  { shard }: RolloutPart,
): number {
  const { maxFailures } = settings;
  if (shard === undefined || !('count' in maxFailures)) return failuresAllowed(settings, hosts);
  return Math.floor(maxFailures.count / shard.of);
}
