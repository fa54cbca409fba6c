/** What the meaning of an nft expression depends on: the family of the packets, the table, and where its chain is called. */
import type { NftTable } from '../../../netfilter/nftables/model.js';
import type { MatchContext } from '../match-context.js';

/**
 * Where a chain is called. One that is called at several is compiled for each: before connection tracking every packet
 * has the state INVALID, and on arrival it has no outgoing interface yet.
 */
export type CallSite = 'arriving' | 'passing' | 'leaving';

export interface NativeContext extends MatchContext {
  readonly native: NftTable;
  readonly site: CallSite;
  /** Called before connection tracking. */
  readonly untracked: boolean;
}
