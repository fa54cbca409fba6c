/** Claims about every packet of a set: that all are accepted, or that none is. */
import type { Family } from '../../lib/family.js';
import type { Hook, Packet } from '../model.js';
import { type CompiledRuleset, FRAGMENT } from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import { narrowed } from '../program/narrow.js';
import type { Predicate } from '../program/predicate.js';
import { type Budget, FALSE, LEAF } from '../space/bdd.js';
import { enumerateCubes } from '../space/cubes.js';
import { verdictsOnly } from '../space/decisions.js';
import { EVALUATION_PREDICATES, evaluate, where } from '../space/evaluate.js';
import { createSpace, type Space } from '../space/space.js';
import { examplePacket } from '../trace/example.js';
import { quickProof } from './quick-proof.js';

export interface Claim {
  readonly hook: Hook;
  /** Made of fields alone. */
  readonly packets: Predicate;
  readonly verdict: 'accept' | 'refuse';
  /** Texts of pure unmodelled matches that are true of these packets. */
  readonly given?: readonly string[];
  /** A packet that nat sends elsewhere does not count as accepted for sure. */
  readonly nat?: 'unknown';
}

export type Proof =
  | { readonly verdict: 'proved' }
  /** `example` is one packet for which the claim fails, whatever is not known. */
  | { readonly verdict: 'violated'; readonly example: Packet }
  /** The claim hangs on unmodelled matches, or on what the claim leaves open, such as the interface. */
  | { readonly verdict: 'not-proven'; readonly example: Packet; readonly because: readonly string[] };

/** Facts that no claim states: accepted on one interface and not on another is not known, not refused. */
const OPEN: readonly Field[] = ['in', 'out', 'mac', 'uid', 'gid'];

/** @throws OverBudget, LoopingChain */
export function createProver(
  whole: CompiledRuleset,
  claims: readonly Claim[],
  budget: Budget,
): (claim: Claim) => Proof {
  const questions = claims.map((claim) => claim.packets);
  const program = narrowed(whole, questions);
  let space: Space | undefined;
  return (claim) => {
    if (claim.verdict === 'accept' && quickProof(program, claim.hook, claim.packets))
      return { verdict: 'proved' };
    space ??= createSpace(program.family, [program], [...EVALUATION_PREDICATES, ...questions], budget);
    return prove(space, program, claim);
  };
}

function prove(space: Space, program: CompiledRuleset, claim: Claim): Proof {
  const { manager: store, unknownsFrom } = space;
  const packets = space.encode(claim.packets, space.nameOf);
  const decisions = verdictsOnly(store);
  const result = evaluate({
    space,
    ruleset: program,
    hook: claim.hook,
    decisions,
    relevant: packets,
    ...(claim.nat && { nat: claim.nat }),
  });
  const accepted = store.and(
    packets,
    assume(
      space,
      where(space, result, (leaf) => decisions.verdictOf(leaf) === 'accept'),
      claim.given ?? [],
    ),
  );
  const surely = store.forAll(accepted, unknownsFrom, LEAF);
  const perhaps = store.exists(accepted, unknownsFrom, LEAF);
  const example = (node: number): Packet => oneOf(space, program, claim.hook, node);
  if (claim.verdict === 'refuse') {
    if (perhaps === FALSE) return { verdict: 'proved' };
    if (surely !== FALSE) return { verdict: 'violated', example: example(surely) };
    return { verdict: 'not-proven', example: example(perhaps), because: because(space, accepted) };
  }
  const failing = store.diff(packets, surely);
  if (failing === FALSE) return { verdict: 'proved' };
  const refused = store.and(packets, onAny(space, store.diff(packets, perhaps), packets));
  if (refused !== FALSE) return { verdict: 'violated', example: example(refused) };
  return {
    verdict: 'not-proven',
    example: example(failing),
    because: because(space, store.and(failing, accepted)),
  };
}

/** Packets that are in `node` whatever the open facts are, as far as `packets` leaves them open. */
function onAny(space: Space, node: number, packets: number): number {
  const { manager: store } = space;
  let every = store.or(node, store.not(packets));
  for (const field of OPEN) {
    const axis = space.axes.get(field);
    if (axis !== undefined) every = store.forAll(every, axis.first, axis.first + axis.width);
  }
  return every;
}

/** Whole packets, and what the claim knows of its packets. */
export function assume(space: Space, node: number, given: readonly string[]): number {
  const facts = [[FRAGMENT.text, 0] as const, ...given.map((text) => [text, 1] as const)];
  return facts.reduce((sum, [text, value]) => {
    const named = ['before', 'after'].map((phase) => space.unknown(`${text}\n@${phase}`));
    return named.reduce(
      (each, variable) => space.manager.restrict(each, space.manager.level(variable), 1, value),
      sum,
    );
  }, node);
}

function oneOf(space: Space, program: CompiledRuleset, hook: Hook, node: number): Packet {
  const [[box] = []] = enumerateCubes(space, node, 1).cubes.values();
  return examplePacket(space.family, hook, box ?? new Map(), program.addresses);
}

/** What the claim hangs on, in words; nothing where it is one of the open facts alone. */
const because = (space: Space, node: number): readonly string[] => [
  ...new Set(space.unknownsOf(node).map(occurrenceInWords)),
];

/** The last line but one of a name is the text of the match; the last says where it is asked. */
function occurrenceInWords(name: string): string {
  const lines = name.split('\n').filter((line) => !line.startsWith('@') && !/^[=~]?\d+$/.test(line));
  const text = lines.find((line) => line.startsWith('-j ')) ?? lines.at(-1) ?? name;
  return text.startsWith('-') ? text : `-m ${text}`;
}

export const familyName = (family: Family): string => (family === 'v4' ? 'IPv4' : 'IPv6');
