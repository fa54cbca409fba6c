/** The position of the jump to an owned chain among foreign rules, and which of them decide before it. */
import type { Chain, Rule, Table } from '../../netfilter/model.js';
import { chainOf } from '../../netfilter/tables.js';
import { isEntryJump, isOwned, ownedChain } from '../names.js';
import { isDropTail, isInvalidDrop, withoutTail } from '../rules/baseline.js';

/** Targets after which a packet continues with the next rule. */
const CONTINUES: ReadonlySet<string> = new Set(
  'AUDIT CHECKSUM CLASSIFY CONNMARK CONNSECMARK CT DSCP ECN HL HMARK IDLETIMER LED LOG MARK NFLOG NOTRACK RATEEST SECMARK SET TCPMSS TCPOPTSTRIP TEE TOS TRACE TTL ULOG'.split(
    ' ',
  ),
);
const DENIES: ReadonlySet<string> = new Set(['DROP', 'REJECT']);

/**
 * Whether a foreign rule of a built-in chain may accept a packet before the rules after it. An unknown target counts as
 * accepting.
 */
function mayAccept(rule: Rule, table: Table, policy: Chain['policy']): boolean {
  const { target } = rule;
  if (target === undefined) return false;
  // After RETURN, or at the end of a chain entered by goto, the policy of the built-in chain decides.
  if (target.name === 'RETURN') return policy !== 'DROP';
  if (!target.chain) return !DENIES.has(target.name) && !CONTINUES.has(target.name);
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
    return !DENIES.has(target.name) && !CONTINUES.has(target.name);
  });
}

/** One of the built-in chains of a live table, and the table that is desired. */
export interface BuiltInChain {
  readonly live: Table;
  readonly desired: Table | undefined;
  readonly chain: Chain;
}

/**
 * Foreign rules above the first entry jump that may accept what the policy drops. None in nat, which gives no verdict,
 * and none where FORWARD only allows: what it does not decide is left to foreign rules, so their order does not matter.
 */
export function bypassing({ live, desired, chain }: BuiltInChain): readonly Rule[] {
  if (live.name === 'nat') return [];
  if (live.name === 'filter' && chain.name === 'FORWARD' && desired !== undefined && !forwardDenies(desired))
    return [];
  const policy = chainOf(desired, chain.name)?.policy ?? chain.policy;
  return aboveEntryJump(chain.rules).filter((rule) => mayAccept(rule, live, policy));
}

/** The foreign rules above the first entry jump; none where there is no jump. */
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
 * The rules of a built-in chain with its entry jumps: those that are not bypassed stay where they are; otherwise they
 * come before the first foreign rule that may accept. Rules that can only deny (a jump to bans) stay above.
 */
export function withEntryJumps(context: BuiltInChain, jumps: readonly Rule[]): readonly Rule[] {
  const { live, desired, chain } = context;
  const present = chain.rules.filter(isEntryJump);
  const same =
    present.length === jumps.length && present.every(({ text }, index) => text === jumps[index]?.text);
  if (same && bypassing(context).length === 0) return chain.rules;
  const foreign = chain.rules.filter((rule) => !isEntryJump(rule));
  const policy = chainOf(desired, chain.name)?.policy ?? chain.policy;
  const accepting = foreign.findIndex((rule) => live.name === 'nat' || mayAccept(rule, live, policy));
  const at = accepting === -1 ? foreign.length : accepting;
  return [...foreign.slice(0, at), ...jumps, ...foreign.slice(at)];
}

/** Whether foreign rules follow the entry jump: they get what the owned chain leaves undecided. */
export function hasForeignBelow({ rules }: Pick<Chain, 'rules'>): boolean {
  const at = rules.findIndex(isEntryJump);
  return at !== -1 && rules.slice(at + 1).some((rule) => !isEntryJump(rule));
}

/** Whether an owned chain ends in the drop of the baseline. */
export const endsInDrop = (chain: Chain | undefined): boolean => isDropTail(chain?.rules.at(-1));
