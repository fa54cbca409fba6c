/** What the meaning of a match depends on: its table, the sets and the host. */
import type { Family } from '../../lib/family.js';
import type { Ranges } from '../../lib/ranges.js';
import type { IpSet, TableName } from '../../netfilter/model.js';

export interface MatchContext {
  readonly family: Family;
  readonly table: TableName;
  readonly sets: ReadonlyMap<string, IpSet>;
  /** Sets that rules add to or delete from. */
  readonly changing: ReadonlySet<string>;
  /** Addresses of the host in this family; empty when they are not known. */
  readonly addresses: Ranges;
}
