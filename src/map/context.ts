/** What the parts of a map share: its hosts, the names of the policy, and the reach of every host. */
import type { AddressNames } from '../naming/address-names.js';
import type { NameServices } from '../naming/service-names.js';
import type { Ruleset } from '../netfilter/model.js';
import type { Host } from '../policy/fleet.js';
import type { ReachCache } from './reach-cache.js';

/** A host with the rules that it runs, or would run. */
export interface MapHost {
  readonly host: Pick<Host, 'name' | 'addresses'>;
  readonly ruleset: Ruleset;
}

export interface MapContext {
  readonly addressNames: AddressNames;
  readonly nameServices: NameServices;
  readonly reach: ReachCache;
}
