/** Looks for the words that say a host's rules and are proved to: the fewest literal rules for which traffic is equal. */

import { type Ownership, replaceManaged } from '../compile/merge/replace-managed.js';
import { ownedChain } from '../compile/names.js';
import { compileHost } from '../compile/rules/compile.js';
import { chainOf, tableOf } from '../compile/tables.js';
import { FAMILIES, type Family } from '../lib/family.js';
import type { Problem, Result } from '../lib/problem.js';
import { startOf } from '../lib/problem.js';
import type { Rule, Ruleset } from '../netfilter/model.js';
import { validate } from '../netfilter/rule/validate.js';
import { parseRules } from '../netfilter/text/parse.js';
import { withoutComment } from '../netfilter/text/print.js';
import { readFleet } from '../policy/resolve/fleet.js';
import type { Flow, TrafficDiff } from '../traffic/model.js';
import { compareTraffic, differingHooks } from '../traffic/questions/compare.js';
import {
  type BuiltInChain,
  type DraftOptions,
  draftHost,
  HOOK_OF,
  type HostDraft,
  type ImpliedRules,
  type LiteralLevel,
  NOTHING_IMPLIED,
} from './draft/host.js';
import type { BaselineParts } from './draft/packets.js';
import { NEVER_MATCHES } from './draft/unmanaged.js';
import type { ImportHost } from './model.js';
import type { Direction, Statement } from './read/statement.js';
import { translate } from './read/translate.js';
import { type FleetDraft, writeFleet } from './write/write.js';

/** One host and all that its proof depends on. */
export interface ProofContext {
  readonly host: ImportHost;
  readonly chains: readonly BuiltInChain[];
  /** What stays when the imported rules are taken out. */
  readonly unmanaged: Ruleset;
  /** What the policy is compared with: the live rules, and SSH from administrators who were named. */
  readonly before: Ruleset;
  readonly admin: readonly string[];
  readonly ownership: Ownership;
  readonly today: string;
}

/** From the strictest baseline on: what is no part of it is said by rules. */
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

/** Nothing but the rules of the host. */
const NO_BASELINE: DraftOptions = {
  parts: { loopback: false, established: false, invalid: false, ssh: false },
  icmp: 'none',
  levels: FEWEST_LITERAL,
};

/** So many attempts with the least differences are taken further with literal rules. */
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

/** The first attempt that is proved equal, else the one that differs in the fewest hooks. */
export function proveHost(
  one: ProofContext,
): { readonly draft: HostDraft; readonly equal: boolean } | undefined {
  const attempts = icmpOrder(one.chains).flatMap((icmp) =>
    BASELINES.map((parts): DraftOptions => ({ parts, icmp, levels: FEWEST_LITERAL })),
  );
  const tried: TestedDraft[] = [];
  for (const options of attempts) {
    const found = testDraft(one, options);
    if (found !== undefined && isEqual(found)) return { draft: found.draft, equal: true };
    if (found !== undefined) tried.push(found);
  }
  tried.sort((a, b) => distance(a) - distance(b));
  const pursued = [...tried.slice(0, MAX_REFINED).map(({ options }) => options), NO_BASELINE];
  for (const options of pursued) {
    const found = refine(one, options);
    if (found !== undefined && isEqual(found)) return { draft: found.draft, equal: true };
    if (found !== undefined) tried.push(found);
  }
  // Of attempts that differ as little, the one with more literal rules says best what stands in the way.
  const [best] = tried.toReversed().toSorted((a, b) => distance(a) - distance(b));
  return best && { draft: best.draft, equal: false };
}

const BY_HOOK: { readonly [hook in Flow['hook']]: Direction } = {
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
};

/** Where the traffic differs, less and less is said in words. */
function refine(one: ProofContext, start: DraftOptions): TestedDraft | undefined {
  let best: TestedDraft | undefined;
  let options = start;
  for (let round = 0; ; round++) {
    const found = testDraft(one, options);
    if (found !== undefined && isEqual(found)) return found;
    if (found !== undefined && (best === undefined || distance(found) < distance(best))) best = found;
    const hooks = found === undefined || !found.proved ? HOOKS : found.hooks;
    const levels = { ...options.levels } as { -readonly [key in keyof DraftOptions['levels']]: LiteralLevel };
    for (const hook of hooks) levels[BY_HOOK[hook]] = Math.min(2, levels[BY_HOOK[hook]] + 1) as LiteralLevel;
    if (round > 0) levels.nat = 2;
    if (JSON.stringify(levels) === JSON.stringify(options.levels)) return best;
    options = { ...options, levels };
  }
}

const HOOKS: readonly Flow['hook'][] = ['INPUT', 'FORWARD', 'OUTPUT'];

function testDraft(one: ProofContext, options: DraftOptions): TestedDraft | undefined {
  const draft = draftHost(one.chains, options, impliedRules(one, options));
  const compiled = draft && compileDraft(one, draft);
  if (draft === undefined || compiled === undefined || !compiled.ok) return undefined;
  const { before, after } = rulesetPair(one, compiled.value);
  return { options, draft, ...differingHooks(before, after, { addresses: one.host.addresses }) };
}

/**
 * The host as it is and with the policy in the place of its rules, beside what stays. A family whose rules are not
 * known is left out.
 */
function rulesetPair({ host, before, unmanaged, ownership }: ProofContext, desired: Ruleset) {
  const { next } = replaceManaged(unmanaged, desired, ownership);
  const known = (ruleset: Ruleset): Ruleset => ({
    ...ruleset,
    v4: host.families.includes('v4') ? ruleset.v4 : [],
    v6: host.families.includes('v6') ? ruleset.v6 : [],
  });
  return { before: known(before), after: known(next) };
}

/** Whether the policy does with every packet what the host's rules did. */
export function trafficDiff(one: ProofContext, desired: Ruleset): TrafficDiff {
  const { before, after } = rulesetPair(one, desired);
  return compareTraffic(before, after, { addresses: one.host.addresses });
}

/** How the best attempt differs; what no host would load of the rules, or why they cannot be written, comes first. */
export function explainFailure(
  one: ProofContext,
  draft: HostDraft | undefined,
): TrafficDiff | readonly Problem[] {
  const { live, name } = one.host;
  const unsound = FAMILIES.flatMap((family) =>
    validate(live[family], family, live.sets, `${name} ${family}`),
  ).filter(({ id }) => id !== NEVER_MATCHES);
  if (unsound.length > 0) return unsound;
  const best = draft ?? draftHost(one.chains, NO_BASELINE, NOTHING_IMPLIED);
  const compiled = best && compileDraft(one, best);
  return compiled?.ok ? trafficDiff(one, compiled.value) : (compiled?.problems ?? []);
}

const FOLDER = 'policies';

export function compileFleet(files: ReadonlyMap<string, string>, today: string) {
  const paths = new Map([...files].map(([path, text]) => [`${FOLDER}/${path}`, text]));
  return readFleet(paths, FOLDER, { today });
}

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
  const fleet = compileFleet(files, today);
  if (!fleet.ok) return fleet;
  const [only] = fleet.value.hosts;
  return only === undefined ? { ok: false, problems: [] } : compileHost(fleet.value, only);
}

const IMPLIED = new WeakMap<ProofContext, Map<string, ImpliedRules>>();

/** What the policy of an attempt says before any rule of the host: asked of the compiler itself. */
function impliedRules(one: ProofContext, options: DraftOptions): ImpliedRules {
  const known = IMPLIED.get(one) ?? new Map<string, ImpliedRules>();
  IMPLIED.set(one, known);
  const key = JSON.stringify([options.parts, options.icmp, options.levels.nat]);
  const found = known.get(key) ?? compileImplied(one, options);
  known.set(key, found);
  return found;
}

const PROBE = 'where the rules of the host begin';

function compileImplied(one: ProofContext, options: DraftOptions): ImpliedRules {
  const plain = draftHost(
    one.chains.filter(({ table }) => table === 'nat'),
    options,
    NOTHING_IMPLIED,
  );
  if (plain === undefined) return NOTHING_IMPLIED;
  const probe = (direction: Direction) => [
    {
      statement: {
        kind: 'rule' as const,
        direction,
        verb: 'deny' as const,
        services: ['any'],
        comment: PROBE,
      },
      families: FAMILIES,
      origins: [],
    },
  ];
  const draft: HostDraft = {
    baseline: { ...plain.baseline, output: 'drop' },
    lists: {
      ...plain.lists,
      raw: [],
      input: probe('input'),
      output: probe('output'),
      forward: probe('forward'),
    },
  };
  const compiled = compileDraft(one, draft);
  if (!compiled.ok) return NOTHING_IMPLIED;
  const rulesOf = (family: Family, direction: Direction): readonly Rule[] =>
    chainOf(tableOf(compiled.value[family], 'filter'), ownedChain(HOOK_OF[direction]))?.rules ?? [];
  const sets = new Map(compiled.value.sets.map((set) => [set.name, set]));
  const baseline = new Map<string, readonly Statement[]>();
  const fromNat = new Set<string>();
  for (const family of FAMILIES)
    for (const direction of ['input', 'output', 'forward'] as const) {
      const rules = rulesOf(family, direction);
      const until = rules.findIndex(({ text }) => text.includes(PROBE));
      const chain = HOOK_OF[direction];
      baseline.set(
        `${family} ${direction}`,
        rules.slice(0, Math.max(until, 0)).flatMap((rule) => translate(rule, chain, { family, sets }) ?? []),
      );
      for (const rule of rules) if (/--ctstate \S*DNAT/.test(rule.text)) fromNat.add(withoutComment(rule));
    }
  return { baseline: (family, direction) => baseline.get(`${family} ${direction}`) ?? [], fromNat };
}

/** What the host does with ICMP now comes first. */
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
          (statement.services.includes(service) ||
            statement.services.includes('icmp') ||
            statement.services.includes('any')),
      ),
    );
  const all = inputs.every((chain) => allows(chain, ['icmp']));
  const essential = inputs.every((chain) =>
    allows(
      chain,
      chain.family === 'v4' ? ['icmp/3', 'icmp/11', 'icmp/12'] : ['icmpv6/2', 'icmpv6/135', 'icmpv6/136'],
    ),
  );
  if (all) return ['all', 'essential', 'none'];
  return essential ? ['essential', 'none', 'all'] : ['none', 'essential', 'all'];
}

/** The live rules with SSH from these networks let in first. */
export function withAdmin(host: ImportHost, admin: readonly string[]): Ruleset {
  const tables = (family: Family) =>
    host.live[family].map((table) =>
      table.name !== 'filter'
        ? table
        : {
            ...table,
            chains: table.chains.map((chain) =>
              chain.name !== 'INPUT'
                ? chain
                : { ...chain, rules: [...adminRules(host, admin, family), ...chain.rules] },
            ),
          },
    );
  return { ...host.live, v4: tables('v4'), v6: tables('v6') };
}

/** SSH from the networks of one family, with the reason that such a rule has in the policy. */
export const adminRules = ({ port }: ImportHost, admin: readonly string[], family: Family): readonly Rule[] =>
  admin
    .filter((network) => network.includes(':') === (family === 'v6'))
    .flatMap((network) => {
      const text = `-s ${network} -p tcp -m tcp --dport ${port} -m conntrack --ctstate NEW -m comment --comment "SSH from the administrators" -j ACCEPT`;
      const location = startOf('file', '--admin');
      const parsed = parseRules(text, { family, table: 'filter', chain: 'INPUT', location });
      return parsed.ok ? parsed.value : [];
    });
