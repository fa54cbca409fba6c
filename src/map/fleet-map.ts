/** The map of a whole fleet, against an earlier one where there is one, and what is one-sided in it. */

import type { Problem } from '../lib/problem.js';
import { createAddressNames } from '../naming/address-names.js';
import { naming } from '../naming/service-names.js';
import type { Fleet } from '../policy/fleet.js';
import { joinMaps } from './change.js';
import { buildMap, survey } from './map.js';
import type { FleetMap } from './model.js';
import { findOneSided, oneSidedNotes } from './one-sided.js';
import { createReachCache } from './reaches.js';
import type { MapContext, MapHost } from './tools.js';

export interface MapResult {
  readonly map: FleetMap;
  /** One-sided flows, a note each. */
  readonly notes: readonly Problem[];
}

export interface EarlierFleet {
  /** Where it is another policy than the one that names things. */
  readonly fleet?: Fleet;
  readonly hosts: readonly MapHost[];
}

/**
 * @param hosts with what each runs, or would run.
 * @param earlier what they ran before; names are those of `fleet` wherever it has one for the same addresses.
 */
export function mapFleet(fleet: Fleet, hosts: readonly MapHost[], earlier?: EarlierFleet): MapResult {
  const tools = toolsFor(fleet, earlier?.fleet);
  const oneSided = findOneSided(hosts, tools);
  const [now, past] = [survey(hosts, tools), earlier && survey(earlier.hosts, tools)];
  const notes = oneSidedNotes(oneSided, fleet, tools.addressNames);
  if (earlier === undefined || past === undefined) return { map: buildMap(now, oneSided, tools), notes };
  const before = buildMap(past, findOneSided(earlier.hosts, tools), tools, {
    survey: now,
    change: 'removed',
  });
  const after = buildMap(now, oneSided, tools, { survey: past, change: 'added' });
  return { map: joinMaps(before, after), notes };
}

/** What is one-sided alone, without a map. */
export function oneSidedFlows(fleet: Fleet, hosts: readonly MapHost[]): readonly Problem[] {
  const tools = toolsFor(fleet);
  return oneSidedNotes(findOneSided(hosts, tools), fleet, tools.addressNames);
}

const toolsFor = (fleet: Fleet, earlier?: Fleet): MapContext => ({
  addressNames: createAddressNames(fleet, earlier),
  naming: naming(new Map([...(earlier?.services ?? []), ...fleet.services])),
  reach: createReachCache(),
});
