/** Where the hook of an owned chain stands among the rules of others, and what decides before it. */
import type { Chain, Rule, Table } from '../../netfilter/model.js';
import { chainOf } from '../../netfilter/tables.js';
import { isEntryJump, isOwned, ownedChain } from '../names.js';
import { isEnding, isInvalidDrop, withoutTail } from '../rules/baseline.js';

/** Targets after which a packet goes on to the next rule. */
const GOES_ON: ReadonlySet<string> = new Set(
  'AUDIT CHECKSUM CLASSIFY CONNMARK CONNSECMARK CT DSCP ECN HL HMARK IDLETIMER LED LOG MARK NFLOG NOTRACK RATEEST SECMARK SET TCPMSS TCPOPTSTRIP TEE TOS TRACE TTL ULOG'.split(
    ' ',
  ),
);
const DENIES: ReadonlySet<string> = new Set(['DROP', 'REJECT']);

/**
 * Whether some packet may be accepted by a foreign rule of a built-in chain without having seen the rules after it. What
 * is not known counts as accepting.
 */
function mayAccept(rule: Rule, table: Table, policy: Chain['policy']): boolean {
  const { target } = rule;
  if (target === undefined) return false;
  // RETURN, or the end of a chain that was gone to, is where the built-in chain's policy decides.
  if (target.name === 'RETURN') return policy !== 'DROP';
  if (!target.chain) return !DENIES.has(target.name) && !GOES_ON.has(target.name);
  return (target.goto && policy !== 'DROP') || chainMayAccept(target.name, table, new Set());
}

function chainMayAccept(name: string, table: Table, seen: Set<string>): boolean {
  if (seen.has(name) || isOwned(name)) return false;
  seen.add(name);
  const chain = chainOf(table, name);
  if (chain === undefined) return true;
  return chain.rules.some(({ target }) => {
    if (target === undefined || target.name === 'RETURN') return false;
    if (target.chain) return chainMayAccept(target.name, table, seen);
    return !DENIES.has(target.name) && !GOES_ON.has(target.name);
  });
}

/** A table as it is, the owned chains that it will have, and one of its built-in chains. */
export interface BuiltInChain {
  readonly live: Table;
  readonly desired: Table | undefined;
  readonly chain: Chain;
}

/**
 * Rules of others above the first hook that accept what ours would have dropped. In nat there are none: it gives no
 * verdict. Neither where FORWARD only allows: it leaves to others' rules what it does not decide, so that their order
 * changes nothing.
 */
export function bypassing({ live, desired, chain }: BuiltInChain): readonly Rule[] {
  if (live.name === 'nat') return [];
  if (live.name === 'filter' && chain.name === 'FORWARD' && desired !== undefined && !forwardDenies(desired))
    return [];
  const policy = chainOf(desired, chain.name)?.policy ?? chain.policy;
  return aboveEntryJump(chain.rules).filter((rule) => mayAccept(rule, live, policy));
}

/** The rules of others before the first hook; none where there is no hook. */
export const aboveEntryJump = (rules: readonly Rule[]): readonly Rule[] =>
  rules.slice(0, Math.max(0, rules.findIndex(isEntryJump)));

function forwardDenies(desired: Table): boolean {
  const start = ownedChain('FORWARD');
  return desired.chains
    .filter(({ name }) => name === start || name.startsWith(`${start}-`))
    .some(({ name, rules }) =>
      (name === start ? withoutTail(rules) : rules).some(
        (rule) => DENIES.has(rule.target?.name ?? '') && !isInvalidDrop(rule),
      ),
    );
}

/**
 * The rules of a built-in chain with its hooks in their place: a hook that is not bypassed stays where it is; else it
 * comes before everything of others that may accept. What can only deny (a jump to bans) stays above and keeps its
 * effect.
 */
export function withEntryJumps(hooking: BuiltInChain, hooks: readonly Rule[]): readonly Rule[] {
  const { live, desired, chain } = hooking;
  const present = chain.rules.filter(isEntryJump);
  const same =
    present.length === hooks.length && present.every(({ text }, index) => text === hooks[index]?.text);
  if (same && bypassing(hooking).length === 0) return chain.rules;
  const others = chain.rules.filter((rule) => !isEntryJump(rule));
  const policy = chainOf(desired, chain.name)?.policy ?? chain.policy;
  const accepting = others.findIndex((rule) => live.name === 'nat' || mayAccept(rule, live, policy));
  const at = accepting === -1 ? others.length : accepting;
  return [...others.slice(0, at), ...hooks, ...others.slice(at)];
}

/** Whether rules of others stand below the hook: what the owned chain leaves undecided comes to them. */
export function hasOthersBelow({ rules }: Pick<Chain, 'rules'>): boolean {
  const at = rules.findIndex(isEntryJump);
  return at !== -1 && rules.slice(at + 1).some((rule) => !isEntryJump(rule));
}

/** The FORWARD chain ends in a drop. */
export const endsInDrop = (chain: Chain | undefined): boolean => isEnding(chain?.rules.at(-1));
