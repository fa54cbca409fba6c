/** Claims about every packet of a set: that all are accepted, or that none is. */
import type { Hook, Packet } from '../model.js';
import { type CompiledRuleset, FRAGMENT } from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import { narrowed } from '../program/narrow.js';
import type { Predicate } from '../program/predicate.js';
import { type Budget, FALSE, LEAF } from '../space/bdd.js';
import { enumerateCubes } from '../space/cubes.js';
import { verdictsOnly } from '../space/decisions.js';
import { EVALUATION_PREDICATES, evaluate } from '../space/evaluate.js';
import { createSpace, type Space } from '../space/space.js';
import { examplePacket } from '../trace/example.js';
import { quickProof } from './quick-proof.js';

export interface Claim {
  readonly hook: Hook;
  /** Consists of fields alone. */
  readonly packets: Predicate;
  readonly verdict: 'accept' | 'refuse';
  /** Texts of pure unmodelled matches that are true of these packets. */
  readonly given?: readonly string[];
  /** A packet that nat redirects does not count as accepted for sure. */
  readonly nat?: 'unknown';
}

export type Proof =
  | { readonly verdict: 'proved' }
  /** `example` is a packet for which the claim is false, whatever is unknown. */
  | { readonly verdict: 'violated'; readonly example: Packet }
  /** The claim depends on unmodelled matches, or on what it leaves open, such as the interface. */
  | { readonly verdict: 'not-proven'; readonly example: Packet; readonly because: readonly string[] };

/** Fields that no claim fixes: accepted for one value and not for another counts as unknown, not as refused. */
const OPEN: readonly Field[] = ['in', 'out', 'mac', 'uid', 'gid'];

/** Proves claims about one ruleset, which must all be listed. @throws OverBudget, ChainLoopError */
export function createProver(
  whole: CompiledRuleset,
  claims: readonly Claim[],
  budget: Budget,
): (claim: Claim) => Proof {
  const packets = claims.map((claim) => claim.packets);
  const ruleset = narrowed(whole, packets);
  let space: Space | undefined;
  return (claim) => {
    if (claim.verdict === 'accept' && quickProof(ruleset, claim.hook, claim.packets))
      return { verdict: 'proved' };
    space ??= createSpace(ruleset.family, [ruleset], [...EVALUATION_PREDICATES, ...packets], budget);
    return prove(space, ruleset, claim);
  };
}

function prove(space: Space, ruleset: CompiledRuleset, claim: Claim): Proof {
  const { manager, unknownsFrom } = space;
  const { hook, nat, given = [] } = claim;
  const packets = space.encode(claim.packets);
  const decisions = verdictsOnly(manager);
  const result = evaluate({ space, ruleset, hook, decisions, relevant: packets, nat });
  const accepted = manager.and(packets, assume(space, decisions.where(result, 'accept'), given));
  const surely = manager.forAll(accepted, unknownsFrom, LEAF);
  const possibly = manager.exists(accepted, unknownsFrom, LEAF);
  const example = (node: number): Packet => {
    const [[cube] = []] = enumerateCubes(space, node, 1).cubes.values();
    return examplePacket(space.family, hook, cube ?? new Map(), ruleset.addresses);
  };
  if (claim.verdict === 'refuse') {
    if (possibly === FALSE) return { verdict: 'proved' };
    if (surely !== FALSE) return { verdict: 'violated', example: example(surely) };
    return { verdict: 'not-proven', example: example(possibly), because: because(space, accepted) };
  }
  const failing = manager.diff(packets, surely);
  if (failing === FALSE) return { verdict: 'proved' };
  const refused = manager.and(packets, forAllOpen(space, manager.diff(packets, possibly), packets));
  if (refused !== FALSE) return { verdict: 'violated', example: example(refused) };
  return {
    verdict: 'not-proven',
    example: example(failing),
    because: because(space, manager.and(failing, accepted)),
  };
}

/** Packets that are in `node` for every value of the open fields which `packets` allows. */
const forAllOpen = (space: Space, node: number, packets: number): number =>
  OPEN.reduce(space.forAll, space.manager.or(node, space.manager.not(packets)));

/** `node` for packets that are not fragments, and for which the `given` unmodelled matches are true. */
export function assume(space: Space, node: number, given: readonly string[] = []): number {
  const facts = [[FRAGMENT.text, 0] as const, ...given.map((text) => [text, 1] as const)];
  return facts.reduce((sum, [text, value]) => {
    const unknowns = ['before', 'after'].map((phase) => space.unknown(`${text}\n@${phase}`));
    return unknowns.reduce(
      (each, unknown) => space.manager.restrict(each, space.manager.level(unknown), 1, value),
      sum,
    );
  }, node);
}

/** The unmodelled matches that the claim depends on; none where it depends on an open field alone. */
const because = (space: Space, node: number): readonly string[] => [
  ...new Set(space.unknownsOf(node).map(unknownText)),
];

/** The last line but one of a name is the text of the match; the last is where it is evaluated. */
function unknownText(name: string): string {
  const lines = name.split('\n').filter((line) => !line.startsWith('@') && !/^[=~]?\d+$/.test(line));
  const text = lines.find((line) => line.startsWith('-j ')) ?? lines.at(-1) ?? name;
  return text.startsWith('-') ? text : `-m ${text}`;
}
