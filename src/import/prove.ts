/** Searches for a policy of one host with equal traffic, proved, and with the fewest literal rules. */

import { type Ownership, replaceManaged } from '../compile/merge/replace-managed.js';
import { ownedChain } from '../compile/names.js';
import { compileHost } from '../compile/rules/compile.js';
import { FAMILIES, type Family } from '../lib/family.js';
import { failure, type Problem, type Result, startOf } from '../lib/problem.js';
import type { Rule, Ruleset, Tables } from '../netfilter/model.js';
import { validate } from '../netfilter/rule/validate.js';
import { chainOf, tableOf } from '../netfilter/tables.js';
import { parseRules } from '../netfilter/text/parse.js';
import { withoutComment } from '../netfilter/text/print.js';
import { readFleet } from '../policy/resolve/fleet.js';
import type { Flow, TrafficDiff } from '../traffic/model.js';
import { compareTraffic, differingHooks } from '../traffic/questions/compare.js';
import {
  type BuiltInChain,
  type DraftOptions,
  draftHost,
  type HostDraft,
  type ImpliedRules,
  type LiteralLevel,
  NOTHING_IMPLIED,
} from './draft/host.js';
import type { BaselineParts } from './draft/packets.js';
import { NEVER_MATCHES } from './draft/unmanaged.js';
import type { ImportHost } from './model.js';
import { type Direction, directionOf, HOOK_OF, type Statement } from './read/statement.js';
import { translate } from './read/translate.js';
import { type FleetDraft, writeFleet } from './write/write.js';

/** One host, and everything that its proof depends on. */
export interface ProofContext {
  readonly host: ImportHost;
  readonly chains: readonly BuiltInChain[];
  /** The rules that stay when the imported ones are removed. */
  readonly unmanaged: Ruleset;
  /** What the policy is compared with: the live rules, with SSH from the given administrators. */
  readonly before: Ruleset;
  readonly admin: readonly string[];
  readonly ownership: Ownership;
  readonly today: string;
}

/** From the strictest on; rules express the parts that are missing. */
const BASELINES: readonly BaselineParts[] = [
  { loopback: true, established: true, invalid: true, ssh: true },
  { loopback: true, established: true, invalid: false, ssh: true },
  { loopback: true, established: true, invalid: true, ssh: false },
  { loopback: true, established: true, invalid: false, ssh: false },
  { loopback: false, established: true, invalid: false, ssh: false },
  { loopback: true, established: false, invalid: false, ssh: false },
  { loopback: false, established: false, invalid: false, ssh: false },
];

const FEWEST_LITERAL: DraftOptions['levels'] = { input: 0, forward: 0, output: 0, nat: 0 };

const NO_BASELINE: DraftOptions = {
  parts: { loopback: false, established: false, invalid: false, ssh: false },
  icmp: 'none',
  levels: FEWEST_LITERAL,
};

/** The drafts with the fewest differences that are refined with literal rules. */
const MAX_REFINED = 3;

interface TestedDraft {
  readonly options: DraftOptions;
  readonly draft: HostDraft;
  readonly proved: boolean;
  /** Where the traffic differs. */
  readonly hooks: readonly Flow['hook'][];
}

const isEqual = ({ proved, hooks }: TestedDraft): boolean => proved && hooks.length === 0;
const distance = ({ proved, hooks }: TestedDraft): number => hooks.length + (proved ? 0 : 10);

/** The first draft that is proved equal, else the one that differs in the fewest hooks; `undefined` if none compiles. */
export function proveHost(
  context: ProofContext,
): { readonly draft: HostDraft; readonly equal: boolean } | undefined {
  const tested: TestedDraft[] = [];
  for (const icmp of icmpOrder(context.chains))
    for (const parts of BASELINES) {
      const found = testDraft(context, { parts, icmp, levels: FEWEST_LITERAL });
      if (found !== undefined && isEqual(found)) return { draft: found.draft, equal: true };
      if (found !== undefined) tested.push(found);
    }
  tested.sort((a, b) => distance(a) - distance(b));
  const closest = tested.slice(0, MAX_REFINED).map(({ options }) => options);
  for (const options of [...closest, NO_BASELINE]) {
    const found = refine(context, options);
    if (found !== undefined && isEqual(found)) return { draft: found.draft, equal: true };
    if (found !== undefined) tested.push(found);
  }
  // Among equally close drafts, the one with more literal rules shows best what cannot be expressed.
  const [best] = tested.toReversed().toSorted((a, b) => distance(a) - distance(b));
  return best && { draft: best.draft, equal: false };
}

/** Makes more rules literal where the traffic differs, until it is equal or all are. */
function refine(context: ProofContext, start: DraftOptions): TestedDraft | undefined {
  let best: TestedDraft | undefined;
  let options = start;
  for (let round = 0; ; round++) {
    const found = testDraft(context, options);
    if (found !== undefined && isEqual(found)) return found;
    if (found !== undefined && (best === undefined || distance(found) < distance(best))) best = found;
    const hooks = found === undefined || !found.proved ? Object.values(HOOK_OF) : found.hooks;
    const levels: { -readonly [key in keyof DraftOptions['levels']]: LiteralLevel } = { ...options.levels };
    for (const hook of hooks) {
      const direction = directionOf(hook);
      if (direction !== undefined) levels[direction] = levels[direction] === 0 ? 1 : 2;
    }
    if (round > 0) levels.nat = 2;
    if (JSON.stringify(levels) === JSON.stringify(options.levels)) return best;
    options = { ...options, levels };
  }
}

function testDraft(context: ProofContext, options: DraftOptions): TestedDraft | undefined {
  const draft = draftHost(context.chains, options, impliedRules(context, options));
  const compiled = draft && compileDraft(context, draft);
  if (draft === undefined || compiled === undefined || !compiled.ok) return undefined;
  const { before, after } = rulesetPair(context, compiled.value);
  return { options, draft, ...differingHooks(before, after, { addresses: context.host.addresses }) };
}

/** The host as it is, and with the policy in place of its imported rules; without families whose rules are not known. */
function rulesetPair({ host, before, unmanaged, ownership }: ProofContext, desired: Ruleset) {
  const { next } = replaceManaged(unmanaged, desired, ownership);
  const known = (ruleset: Ruleset): Ruleset => ({
    ...ruleset,
    v4: host.families.includes('v4') ? ruleset.v4 : [],
    v6: host.families.includes('v6') ? ruleset.v6 : [],
  });
  return { before: known(before), after: known(next) };
}

/** Compares the traffic of the host's rules and of the policy. */
export function trafficDiff(context: ProofContext, desired: Ruleset): TrafficDiff {
  const { before, after } = rulesetPair(context, desired);
  return compareTraffic(before, after, { addresses: context.host.addresses });
}

/** Why no draft is equal: rules that no host would load, problems of compiling, or the traffic of the best draft. */
export function explainFailure(
  context: ProofContext,
  draft: HostDraft | undefined,
): TrafficDiff | readonly Problem[] {
  const { live, name } = context.host;
  const invalid = FAMILIES.flatMap((family) =>
    validate(live[family], family, live.sets, `${name} ${family}`),
  ).filter(({ id }) => id !== NEVER_MATCHES);
  if (invalid.length > 0) return invalid;
  const best = draft ?? draftHost(context.chains, NO_BASELINE, NOTHING_IMPLIED);
  const compiled = best && compileDraft(context, best);
  return compiled?.ok ? trafficDiff(context, compiled.value) : (compiled?.problems ?? []);
}

const FOLDER = 'policies';

/** Reads the files of a policy, by their paths below its folder. */
export function fleetOfFiles(files: ReadonlyMap<string, string>, today: string) {
  const paths = new Map([...files].map(([path, text]) => [`${FOLDER}/${path}`, text]));
  return readFleet(paths, FOLDER, { today });
}

/** A host and its draft, to be written. */
export const fleetHost = (
  host: ImportHost,
  draft: HostDraft,
  remarks: ReadonlyMap<Rule, string> = new Map(),
): FleetDraft['hosts'][number] => ({
  name: host.name,
  address: host.address,
  addresses: host.addresses,
  user: host.user,
  port: host.port,
  sets: host.live.sets,
  draft,
  remarks,
});

function compileDraft({ host, admin, ownership, today }: ProofContext, draft: HostDraft): Result<Ruleset> {
  const files = writeFleet({ hosts: [fleetHost(host, draft)], admin, ownership, suppressions: new Map() });
  const fleet = fleetOfFiles(files, today);
  if (!fleet.ok) return fleet;
  const [only] = fleet.value.hosts;
  return only === undefined ? failure() : compileHost(fleet.value, only);
}

const IMPLIED = new WeakMap<ProofContext, Map<string, ImpliedRules>>();

/** The rules that the policy of a draft has without those of the host, as the compiler makes them. */
function impliedRules(context: ProofContext, options: DraftOptions): ImpliedRules {
  const known = IMPLIED.get(context) ?? new Map<string, ImpliedRules>();
  IMPLIED.set(context, known);
  const key = JSON.stringify([options.parts, options.icmp, options.levels.nat]);
  const found = known.get(key) ?? compileImplied(context, options);
  known.set(key, found);
  return found;
}

/** The comment of a rule that marks where the baseline ends. */
const MARKER = 'the rules of the host begin here';

const markerRules = (direction: Direction): HostDraft['lists'][Direction] => [
  {
    statement: { kind: 'rule', direction, verb: 'deny', services: ['any'], comment: MARKER },
    families: FAMILIES,
    origins: [],
  },
];

function compileImplied(context: ProofContext, options: DraftOptions): ImpliedRules {
  const natOnly = draftHost(
    context.chains.filter(({ table }) => table === 'nat'),
    options,
    NOTHING_IMPLIED,
  );
  if (natOnly === undefined) return NOTHING_IMPLIED;
  const compiled = compileDraft(context, {
    baseline: { ...natOnly.baseline, output: 'drop' },
    lists: {
      nat: natOnly.lists.nat,
      raw: [],
      input: markerRules('input'),
      output: markerRules('output'),
      forward: markerRules('forward'),
    },
  });
  if (!compiled.ok) return NOTHING_IMPLIED;
  const sets = new Map(compiled.value.sets.map((set) => [set.name, set]));
  const baseline = new Map<string, readonly Statement[]>();
  const fromNat = new Set<string>();
  for (const family of FAMILIES)
    for (const hook of Object.values(HOOK_OF)) {
      const rules = chainOf(tableOf(compiled.value[family], 'filter'), ownedChain(hook))?.rules ?? [];
      const end = rules.findIndex(({ text }) => text.includes(MARKER));
      baseline.set(
        `${family} ${hook}`,
        rules.slice(0, Math.max(end, 0)).flatMap((rule) => translate(rule, hook, { family, sets }) ?? []),
      );
      for (const rule of rules) if (/--ctstate \S*DNAT/.test(rule.text)) fromNat.add(withoutComment(rule));
    }
  return { baseline: (family, direction) => baseline.get(`${family} ${HOOK_OF[direction]}`) ?? [], fromNat };
}

/** The settings of `icmp`, beginning with what the host does. */
function icmpOrder(chains: readonly BuiltInChain[]): readonly DraftOptions['icmp'][] {
  const inputs = chains.filter(({ table, chain }) => table === 'filter' && chain === 'INPUT');
  const allows = ({ family, items, policy }: BuiltInChain, services: readonly string[]): boolean =>
    policy === 'ACCEPT' ||
    services.every((service) =>
      items.some(
        ({ statement }) =>
          statement?.kind === 'rule' &&
          statement.verb === 'allow' &&
          [statement.to, statement.in, statement.except].every((part) => part === undefined) &&
          (statement.from === undefined || family === 'v6') &&
          [service, 'icmp', 'any'].some((one) => statement.services.includes(one)),
      ),
    );
  if (inputs.every((chain) => allows(chain, ['icmp']))) return ['all', 'essential', 'none'];
  const essential = inputs.every((chain) => allows(chain, ESSENTIAL_ICMP[chain.family]));
  return essential ? ['essential', 'none', 'all'] : ['none', 'essential', 'all'];
}

const ESSENTIAL_ICMP: { readonly [family in Family]: readonly string[] } = {
  v4: ['icmp/3', 'icmp/11', 'icmp/12'],
  v6: ['icmpv6/2', 'icmpv6/135', 'icmpv6/136'],
};

/** The live rules with SSH from these networks allowed first. */
export function withAdmin(host: ImportHost, admin: readonly string[]): Ruleset {
  const tables = (family: Family): Tables =>
    host.live[family].map((table) => {
      if (table.name !== 'filter') return table;
      const chains = table.chains.map((chain) =>
        chain.name === 'INPUT'
          ? { ...chain, rules: [...adminRules(host, admin, family), ...chain.rules] }
          : chain,
      );
      return { ...table, chains };
    });
  return { ...host.live, v4: tables('v4'), v6: tables('v6') };
}

/** SSH from the networks of one family; the comment becomes the reason of the rule in the policy. */
export const adminRules = ({ port }: ImportHost, admin: readonly string[], family: Family): readonly Rule[] =>
  admin
    .filter((network) => network.includes(':') === (family === 'v6'))
    .flatMap((network) => {
      const text = `-s ${network} -p tcp -m tcp --dport ${port} -m conntrack --ctstate NEW -m comment --comment "SSH from the administrators" -j ACCEPT`;
      const location = startOf('file', '--admin');
      const parsed = parseRules(text, { family, table: 'filter', chain: 'INPUT', location });
      return parsed.ok ? parsed.value : [];
    });
