/** What the parts of a map share: the hosts it is drawn from, and what it names them by. */
import type { AddressNames } from '../naming/address-names.js';
import type { Naming } from '../naming/service-names.js';
import type { Ruleset } from '../netfilter/model.js';
import type { Host } from '../policy/fleet.js';
import type { ReachCache } from './reaches.js';

export interface MapHost {
  readonly host: Pick<Host, 'name' | 'addresses'>;
  readonly ruleset: Ruleset;
}

export interface MapContext {
  readonly addressNames: AddressNames;
  readonly naming: Naming;
  readonly reach: ReachCache;
}
