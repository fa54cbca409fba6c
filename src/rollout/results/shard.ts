/** Shards of a fleet: by their names alone, so that a host keeps its shard when others are added or removed. */
import { createHash } from 'node:crypto';

/** `2/4` is `{index: 2, of: 4}`. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly of: number;
}

/** GitHub runs at most 256 jobs of one matrix. */
export const MOST_SHARDS = 256;

/** `2/4` → shard; `undefined` when the text is not one. */
export function readShard(text: string): Shard | undefined {
  const [, index, of] = /^(\d{1,3})\/(\d{1,3})$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || of === undefined) return undefined;
  return index >= 1 && index <= of && of <= MOST_SHARDS ? { index, of } : undefined;
}

/** `2/4`. */
export const shardText = ({ index, of }: Shard): string => `${index}/${of}`;

/** From 1: the first 32 bits of the SHA-256 of the name, modulo. */
const shardOf = (host: string, of: number): number =>
  (createHash('sha256').update(host).digest().readUInt32BE(0) % of) + 1;

/** Whether a host belongs to the shard; without a shard, every host does. */
export const inShard = (host: string, shard: Shard | undefined): boolean =>
  shard === undefined || shardOf(host, shard.of) === shard.index;
