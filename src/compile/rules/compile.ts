/** From a host of the fleet to the rules that it must run: the owned part alone. */

import { FAMILIES, type Family } from '../../lib/family.js';
import {
  byLocation,
  error,
  hasErrors,
  type Problem,
  type Result,
  type SourceLocation,
} from '../../lib/problem.js';
import {
  BUILT_IN_CHAINS,
  type Chain,
  type IpSet,
  type Rule,
  type Ruleset,
  type Table,
  type TableName,
  type Tables,
} from '../../netfilter/model.js';
import { inSetOrder } from '../../netfilter/sets.js';
import { inSaveOrder, TABLE_NAMES } from '../../netfilter/tables.js';
import type { Fleet, Host, NatRule, PolicyRule } from '../../policy/fleet.js';
import { ownedChain } from '../names.js';
import { dropTail, forwardBaseline, inputBaseline, outputBaseline } from './baseline.js';
import { type Canonical, canonicalRules } from './canonical.js';
import { EMPTY_FRAGMENT, type LogOptions, logOptions, type RuleFragment } from './fragment.js';
import { type Translation, translate } from './nat.js';
import { rawLine, ruleLines, ruleProblems } from './rules.js';

/** Lines that come from one place of the policy, and the built-in chain in whose owned chain they stand. */
interface Part {
  readonly table: TableName;
  readonly chain: string;
  readonly location: SourceLocation;
  readonly lines: RuleFragment;
}

/** Roles share their rules between hosts as the same objects: each is written and read once for a way of logging. */
const WRITTEN = new WeakMap<PolicyRule, Map<string, RuleFragment>>();
const READ = new WeakMap<RuleFragment, Read>();
const KNOWN = new WeakMap<Fleet, Canonical>();

/** Lines as canonical rules. */
interface Read {
  readonly rules: readonly Rule[];
  readonly chains: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/**
 * What Sallyport owns on a host: `SALLYPORT-*` chains, one hook in each built-in chain that has one, the policies of the
 * filter table, and the sets. Every rule's place is its line of the policy; the baseline's is the host's. The same
 * policy gives the same rules.
 */
export function compileHost(fleet: Fleet, host: Host): Result<Ruleset> {
  const problems = [...host.input, ...host.output, ...host.forward].flatMap(ruleProblems);
  if (hasErrors(problems)) return { ok: false, problems: problems.toSorted(byLocation) };
  const known = KNOWN.get(fleet) ?? new Map();
  KNOWN.set(fleet, known);
  const log = logOptions(host.baseline);
  const parts = FAMILIES.map((family) => partsOf(fleet, host, family, log));
  problems.push(...unwritten(host, parts.flat()));
  const [v4 = [], v6 = []] = FAMILIES.map((family, index) =>
    tablesOf(host, family, parts[index] ?? [], known, problems),
  );
  const sorted = problems.toSorted(byLocation);
  return hasErrors(sorted)
    ? { ok: false, problems: sorted }
    : { ok: true, value: { v4, v6, sets: setsOf(parts.flat()) }, problems: sorted };
}

/** Everything of one family in its final order: baseline, literal rules, the policy's rules, what is left is dropped. */
function partsOf(fleet: Fleet, host: Host, family: Family, log: LogOptions): readonly Part[] {
  const { baseline, location } = host;
  const translations = host.nat.flatMap((rule) => {
    const translation = translate(rule, host, family, fleet.setsFrom);
    return translation === undefined ? [] : [{ rule, translation }];
  });
  const key = `${family} ${fleet.setsFrom} ${JSON.stringify(log)}`;
  const rulesOf = (chain: string, rules: readonly PolicyRule[]): readonly Part[] => {
    const context = { family, chain: ownedChain(chain), setsFrom: fleet.setsFrom, log };
    return rules.map((rule): Part => {
      const lines = once(WRITTEN, rule, key, () => ruleLines(rule, context));
      return { table: 'filter', chain, location: rule.location, lines };
    });
  };
  const own = (chain: string, rules: readonly PolicyRule[]): readonly Part[] =>
    [
      ...rawParts(host, family, 'filter', chain),
      ...rulesOf(chain, rules),
      ...broughtTo(chain, translations),
    ].filter(({ lines }) => lines.rules.length > 0);
  const fixed = (chain: string, lines: RuleFragment): Part => ({ table: 'filter', chain, location, lines });
  const rules = (texts: readonly string[]): RuleFragment => ({ ...EMPTY_FRAGMENT, rules: texts });
  const tail = (chain: string, verdict: 'drop' | 'accept'): Part =>
    fixed(chain, rules(verdict === 'drop' ? dropTail(baseline, log) : []));
  const [forward, output] = [own('FORWARD', host.forward), own('OUTPUT', host.output)];
  const guarded = output.length > 0 || baseline.output === 'drop';
  return [
    fixed('INPUT', inputBaseline(fleet, host, family)),
    ...own('INPUT', host.input),
    tail('INPUT', baseline.input),
    fixed('FORWARD', rules(forward.length > 0 ? forwardBaseline(host) : [])),
    ...forward,
    tail('FORWARD', baseline.forward),
    fixed('OUTPUT', rules(guarded ? outputBaseline(host, family) : [])),
    ...output,
    tail('OUTPUT', baseline.output),
    ...TABLE_NAMES.filter((table) => table !== 'filter').flatMap((table) =>
      BUILT_IN_CHAINS[table].flatMap((chain) => rawParts(host, family, table, chain)),
    ),
    ...translations.map(
      ({ rule, translation: { chain, lines } }): Part => ({
        table: 'nat',
        chain,
        location: rule.location,
        lines,
      }),
    ),
  ];
}

const rawParts = (host: Host, family: Family, table: TableName, chain: string): readonly Part[] =>
  host.raw
    .filter((rule) => rule.table === table && rule.chain === chain && rule.families.includes(family))
    .map(
      (rule): Part => ({
        table,
        chain,
        location: rule.location,
        lines: { ...EMPTY_FRAGMENT, rules: [rawLine(rule)] },
      }),
    );

const broughtTo = (
  chain: string,
  translations: readonly { readonly rule: NatRule; readonly translation: Translation }[],
): readonly Part[] =>
  translations.flatMap(({ rule, translation: { brought } }) =>
    brought?.chain === chain
      ? [{ table: 'filter' as const, chain, location: rule.location, lines: brought.lines }]
      : [],
  );

/** A statement from which nothing comes in either family lost what it names: that is never what was meant. */
function unwritten(host: Host, parts: readonly Part[]): readonly Problem[] {
  const written = new Set(
    parts.filter(({ lines }) => lines.rules.length > 0).map(({ location }) => location),
  );
  return [...host.input, ...host.output, ...host.forward, ...host.nat]
    .filter(({ location }) => !written.has(location))
    .map(({ location }) =>
      error(
        'matches-nothing',
        'No packet can match this rule: it has no address and no service of the same family.',
        { location, hint: 'Name addresses and services of one family, or take the rule out.' },
      ),
    );
}

function once(
  memory: WeakMap<PolicyRule, Map<string, RuleFragment>>,
  rule: PolicyRule,
  key: string,
  make: () => RuleFragment,
): RuleFragment {
  const known = memory.get(rule) ?? new Map<string, RuleFragment>();
  memory.set(rule, known);
  const lines = known.get(key) ?? make();
  known.set(key, lines);
  return lines;
}

type Draft = Map<string, Rule[]>;

function tablesOf(
  host: Host,
  family: Family,
  parts: readonly Part[],
  known: Canonical,
  problems: Problem[],
): Tables {
  const drafts = new Map<TableName, Draft>([
    ['filter', new Map(BUILT_IN_CHAINS.filter.map((chain) => [ownedChain(chain), []]))],
  ]);
  for (const part of parts) {
    const draft = drafts.get(part.table) ?? new Map<string, Rule[]>();
    drafts.set(part.table, draft);
    const { rules, chains } = readPart(part, family, known, problems);
    for (const { name, rules: some } of [{ name: ownedChain(part.chain), rules }, ...chains]) {
      const to = draft.get(name) ?? [];
      draft.set(name, to);
      to.push(...some);
    }
  }
  return TABLE_NAMES.flatMap((name) => {
    const draft = drafts.get(name);
    return draft === undefined ? [] : [tableOf(name, draft, host, family, known)];
  });
}

function readPart(
  { table, chain, location, lines }: Part,
  family: Family,
  known: Canonical,
  problems: Problem[],
): Read {
  const before = READ.get(lines);
  if (before !== undefined) return before;
  const found: Problem[] = [];
  const read = (name: string, texts: readonly string[]): readonly Rule[] =>
    texts.flatMap((text) => canonicalRules(text, { family, table, chain: name, location }, known, found));
  const made = {
    rules: read(ownedChain(chain), lines.rules),
    chains: lines.chains.map(({ name, rules }) => ({ name, rules: read(name, rules) })),
  };
  if (found.length === 0) READ.set(lines, made);
  problems.push(...found);
  return made;
}

function tableOf(name: TableName, draft: Draft, host: Host, family: Family, known: Canonical): Table {
  const builtIn = BUILT_IN_CHAINS[name].map((chain): Chain => {
    const spot = { family, table: name, chain, location: host.location };
    const hook = draft.has(ownedChain(chain))
      ? canonicalRules(`-j ${ownedChain(chain)}`, spot, known, [])
      : [];
    return { name: chain, policy: name === 'filter' ? policyOf(chain, host) : 'ACCEPT', rules: hook };
  });
  const own = [...draft].map(([chain, rules]): Chain => ({ name: chain, rules }));
  return { name, chains: inSaveOrder(name, [...builtIn, ...own]) };
}

const BASELINE_KEY: { readonly [chain: string]: 'input' | 'forward' | 'output' } = {
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
};

function policyOf(chain: string, host: Host): 'ACCEPT' | 'DROP' {
  const key = BASELINE_KEY[chain];
  return key !== undefined && host.baseline[key] === 'drop' ? 'DROP' : 'ACCEPT';
}

/** Two statements with one name for a set have the same members: names tell what a set holds. */
const setsOf = (parts: readonly Part[]): readonly IpSet[] =>
  inSetOrder([
    ...new Map(parts.flatMap(({ lines }) => lines.sets.map((set) => [set.name, set] as const))).values(),
  ]);
