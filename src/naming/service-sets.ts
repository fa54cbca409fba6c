/** Sets of services, joined for one row: protocols with their ports or types. */
import { groupBy } from '../lib/group.js';
import { normalise, type Range } from '../lib/ranges.js';
import type { Flow } from '../traffic/model.js';
import { numbersText } from '../traffic/program/fields.js';

/** One protocol with its ports or ICMP types; empty lists are all of them. */
export interface RowService {
  /** As in {@link Flow}: `tcp`, `any`, `any but icmp, tcp`. */
  readonly protocol: string;
  readonly dport: readonly string[];
  readonly type: readonly string[];
}

/** All services, each protocol once. */
export function joinServices(services: readonly RowService[]): readonly RowService[] {
  const byProtocol = groupBy(services, ({ protocol }) => protocol);
  return [...byProtocol].map(([protocol, some]) => ({
    protocol,
    dport: joinNumbers(some.map(({ dport }) => dport)),
    type: some.some(({ type }) => type.length === 0) ? [] : [...new Set(some.flatMap(({ type }) => type))],
  }));
}

function joinNumbers(lists: readonly (readonly string[])[]): readonly string[] {
  if (lists.some((list) => list.length === 0)) return [];
  return numbersText(normalise(lists.flat().map(numberRange)));
}

function numberRange(text: string): Range {
  const [from = '0', to = from] = text.split('-');
  return [BigInt(from), BigInt(to)];
}
