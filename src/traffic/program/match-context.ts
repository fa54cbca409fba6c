/** What a match is read against: the table, the sets and the host it stands on. */
import type { Family } from '../../lib/family.js';
import type { Ranges } from '../../lib/ranges.js';
import type { IpSet, TableName } from '../../netfilter/model.js';

/** What the meaning of a match depends on. */
export interface MatchContext {
  readonly family: Family;
  readonly table: TableName;
  readonly sets: ReadonlyMap<string, IpSet>;
  /** Sets whose contents rules change. */
  readonly changing: ReadonlySet<string>;
  /** Addresses of the host in this family; empty when they are not known. */
  readonly addresses: Ranges;
}
