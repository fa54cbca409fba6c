/** From a host of the fleet to the rules that it should run: the part that the policy manages. */

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
import { EMPTY_FRAGMENT, type LogOptions, logOptions, type RuleFragment } from './fragment.js';
import { type Translation, translate } from './nat.js';
import { rawRule, ruleFragment, ruleProblems } from './rules.js';
import { type ParsedRules, rulesWithLocation } from './rules-with-location.js';

/** The rules of one statement of the policy, and the built-in chain to whose owned chain they belong. */
interface Part {
  readonly table: TableName;
  readonly chain: string;
  readonly location: SourceLocation;
  readonly fragment: RuleFragment;
}

/** Hosts share the rules of a role as the same objects: each is compiled and parsed once for the same log options. */
const COMPILED = new WeakMap<PolicyRule, Map<string, RuleFragment>>();
const PARSED = new WeakMap<RuleFragment, ParsedFragment>();
const KNOWN = new WeakMap<Fleet, ParsedRules>();

/** A fragment as canonical rules. */
interface ParsedFragment {
  readonly rules: readonly Rule[];
  readonly chains: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/**
 * What Sallyport owns on a host: `SALLYPORT-*` chains, the jump to each of them from its built-in chain, the policies of
 * the filter table, and the sets. The location of a rule is its line of the policy; of the baseline, that of the host.
 * The same policy gives the same rules.
 */
export function compileHost(fleet: Fleet, host: Host): Result<Ruleset> {
  const problems = [...host.input, ...host.output, ...host.forward].flatMap(ruleProblems);
  if (hasErrors(problems)) return { ok: false, problems: problems.toSorted(byLocation) };
  const known = KNOWN.get(fleet) ?? new Map();
  KNOWN.set(fleet, known);
  const log = logOptions(host.baseline);
  const parts = FAMILIES.map((family) => partsOf(fleet, host, family, log));
  problems.push(...matchingNothing(host, parts.flat()));
  const [v4 = [], v6 = []] = FAMILIES.map((family, index) =>
    tablesOf(host, family, parts[index] ?? [], known, problems),
  );
  const sorted = problems.toSorted(byLocation);
  return hasErrors(sorted)
    ? { ok: false, problems: sorted }
    : { ok: true, value: { v4, v6, sets: setsOf(parts.flat()) }, problems: sorted };
}

/** All rules of one family in their final order: baseline, literal rules, rules of the policy, the final drop. */
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
      const byKey = COMPILED.get(rule) ?? new Map<string, RuleFragment>();
      COMPILED.set(rule, byKey);
      const fragment = byKey.get(key) ?? ruleFragment(rule, context);
      byKey.set(key, fragment);
      return { table: 'filter', chain, location: rule.location, fragment };
    });
  };
  const own = (chain: string, rules: readonly PolicyRule[]): readonly Part[] =>
    [
      ...rawParts(host, family, 'filter', chain),
      ...rulesOf(chain, rules),
      ...acceptParts(chain, translations),
    ].filter(({ fragment }) => fragment.rules.length > 0);
  const fixed = (chain: string, fragment: RuleFragment): Part => ({
    table: 'filter',
    chain,
    location,
    fragment,
  });
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
      ({ rule: { location }, translation: { chain, fragment } }): Part => ({
        table: 'nat',
        chain,
        location,
        fragment,
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
        fragment: { ...EMPTY_FRAGMENT, rules: [rawRule(rule)] },
      }),
    );

const acceptParts = (
  chain: string,
  translations: readonly { readonly rule: NatRule; readonly translation: Translation }[],
): readonly Part[] =>
  translations.flatMap(({ rule: { location }, translation: { accept } }) =>
    accept?.chain === chain ? [{ table: 'filter' as const, chain, location, fragment: accept.fragment }] : [],
  );

/** Statements without a rule in either family: never intended. */
function matchingNothing(host: Host, parts: readonly Part[]): readonly Problem[] {
  const compiled = new Set(
    parts.filter(({ fragment }) => fragment.rules.length > 0).map(({ location }) => location),
  );
  return [...host.input, ...host.output, ...host.forward, ...host.nat]
    .filter(({ location }) => !compiled.has(location))
    .map(({ location }) =>
      error(
        'matches-nothing',
        'No packet can match this rule: it has no address and no service of the same family.',
        { location, hint: 'Name addresses and services of one family, or remove the rule.' },
      ),
    );
}

type Draft = Map<string, Rule[]>;

function tablesOf(
  host: Host,
  family: Family,
  parts: readonly Part[],
  known: ParsedRules,
  problems: Problem[],
): Tables {
  const drafts = new Map<TableName, Draft>([
    ['filter', new Map(BUILT_IN_CHAINS.filter.map((chain) => [ownedChain(chain), []]))],
  ]);
  for (const part of parts) {
    const draft = drafts.get(part.table) ?? new Map<string, Rule[]>();
    drafts.set(part.table, draft);
    const { rules, chains } = parsePart(part, family, known, problems);
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

function parsePart(
  { table, chain, location, fragment }: Part,
  family: Family,
  known: ParsedRules,
  problems: Problem[],
): ParsedFragment {
  const earlier = PARSED.get(fragment);
  if (earlier !== undefined) return earlier;
  const found: Problem[] = [];
  const parse = (name: string, texts: readonly string[]): readonly Rule[] =>
    texts.flatMap((text) => rulesWithLocation(text, { family, table, chain: name, location }, known, found));
  const parsed = {
    rules: parse(ownedChain(chain), fragment.rules),
    chains: fragment.chains.map(({ name, rules }) => ({ name, rules: parse(name, rules) })),
  };
  if (found.length === 0) PARSED.set(fragment, parsed);
  problems.push(...found);
  return parsed;
}

function tableOf(name: TableName, draft: Draft, host: Host, family: Family, known: ParsedRules): Table {
  const builtIn = BUILT_IN_CHAINS[name].map((chain): Chain => {
    const context = { family, table: name, chain, location: host.location };
    const rules = draft.has(ownedChain(chain))
      ? rulesWithLocation(`-j ${ownedChain(chain)}`, context, known, [])
      : [];
    return { name: chain, policy: name === 'filter' ? policyOf(chain, host) : 'ACCEPT', rules };
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

/** Sets of the same name have the same members: the name is derived from what they hold. */
const setsOf = (parts: readonly Part[]): readonly IpSet[] =>
  inSetOrder([
    ...new Map(
      parts.flatMap(({ fragment }) => fragment.sets.map((set) => [set.name, set] as const)),
    ).values(),
  ]);
