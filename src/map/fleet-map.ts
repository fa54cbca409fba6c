/** The map of a whole fleet, against an earlier one where there is one, and its one-sided flows. */
import type { Problem } from '../lib/problem.js';
import { createAddressNames } from '../naming/address-names.js';
import { createServiceNames } from '../naming/service-names.js';
import type { Fleet } from '../policy/fleet.js';
import { joinMaps } from './change.js';
import type { MapContext, MapHost } from './context.js';
import { buildMap, collectPeers } from './map.js';
import type { FleetMap } from './model.js';
import { findOneSided, oneSidedNotes } from './one-sided.js';
import { createReachCache } from './reach-cache.js';

export interface MapResult {
  readonly map: FleetMap;
  /** One-sided flows, a note each. */
  readonly notes: readonly Problem[];
}

export interface EarlierFleet {
  /** Where it is another policy than the one whose names are used. */
  readonly fleet?: Fleet;
  readonly hosts: readonly MapHost[];
}

/**
 * Draws the map of a fleet.
 * @param hosts with what each runs, or would run.
 * @param earlier what they ran before; names are those of `fleet` wherever it has one for the same addresses.
 */
export function mapFleet(fleet: Fleet, hosts: readonly MapHost[], earlier?: EarlierFleet): MapResult {
  const context = contextOf(fleet, earlier?.fleet);
  const oneSided = findOneSided(hosts, context);
  const now = collectPeers(hosts, context);
  const notes = oneSidedNotes(oneSided, fleet, context.addressNames);
  if (earlier === undefined) return { map: buildMap(now, oneSided, context), notes };
  const past = collectPeers(earlier.hosts, context);
  const before = buildMap(past, findOneSided(earlier.hosts, context), context, {
    peers: now,
    change: 'removed',
  });
  const after = buildMap(now, oneSided, context, { peers: past, change: 'added' });
  return { map: joinMaps(before, after), notes };
}

/** The one-sided flows of a fleet alone, without a map. */
export function oneSidedFlows(fleet: Fleet, hosts: readonly MapHost[]): readonly Problem[] {
  const context = contextOf(fleet);
  return oneSidedNotes(findOneSided(hosts, context), fleet, context.addressNames);
}

const contextOf = (fleet: Fleet, earlier?: Fleet): MapContext => ({
  addressNames: createAddressNames(fleet, earlier),
  nameServices: createServiceNames(new Map([...(earlier?.services ?? []), ...fleet.services])),
  reach: createReachCache(),
});
