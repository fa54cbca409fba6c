/** Looks a packet up in the diagrams of the traffic diff, to test them against `explain`. */
import type { Ruleset } from '../../../src/netfilter/model.js';
import type { Packet, Verdict } from '../../../src/traffic/model.js';
import { compileRuleset } from '../../../src/traffic/program/compiled-ruleset.js';
import { FIELDS } from '../../../src/traffic/program/fields.js';
import { HOOKS } from '../../../src/traffic/program/pipeline.js';
import { LEAF } from '../../../src/traffic/space/bdd.js';
import { verdictsOnly } from '../../../src/traffic/space/decisions.js';
import { EVALUATION_PREDICATES, evaluate } from '../../../src/traffic/space/evaluate.js';
import { createSpace } from '../../../src/traffic/space/space.js';
import { familyOf, packetValues } from '../../../src/traffic/trace/packet.js';

/** Returns every verdict that a packet may get, for all results of unmodelled matches. */
export function classifier(
  ruleset: Ruleset,
  family: 'v4' | 'v6',
  addresses: readonly string[],
): (packet: Packet) => ReadonlySet<Verdict> {
  const compiled = compileRuleset(ruleset, family, addresses);
  const space = createSpace(family, [compiled], EVALUATION_PREDICATES, {
    nodes: 4_000_000,
    milliseconds: 30_000,
  });
  const { manager } = space;
  const decisions = verdictsOnly(manager);
  const diagrams = new Map(
    HOOKS.map((hook) => [hook, evaluate({ space, ruleset: compiled, hook, decisions })]),
  );
  return (packet) => {
    if (familyOf(packet) !== family) throw new Error('The packet is of the other family.');
    const values = packetValues(packet, family);
    const bits = new Map<number, number>();
    for (const field of FIELDS) {
      const axis = space.axes.get(field);
      const value = values.get(field);
      if (axis === undefined || value === undefined) continue;
      const piece = space.pieceOf(field, value);
      for (let bit = 0; bit < axis.width; bit++)
        bits.set(axis.first + bit, (piece >> (axis.width - 1 - bit)) & 1);
    }
    const found = new Set<Verdict>();
    const seen = new Set<number>();
    const visit = (node: number): void => {
      if (seen.has(node)) return;
      seen.add(node);
      const level = manager.level(node);
      const bit = bits.get(level);
      if (level === LEAF) found.add(decisions.decisionOf(node).verdict);
      else if (bit === undefined) for (const child of [manager.low(node), manager.high(node)]) visit(child);
      else visit(bit === 1 ? manager.high(node) : manager.low(node));
    };
    visit(diagrams.get(packet.hook) ?? 0);
    return found;
  };
}
