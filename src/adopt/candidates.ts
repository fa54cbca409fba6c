/** What could be written into the policy for one difference, the best words first. Whether it holds is proved elsewhere. */
import { isOwned, ownedChain, setName } from '../compile/names.js';
import { ruleToPolicy } from '../import/rule-to-policy.js';
import { FAMILIES, type Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import { BUILT_IN_CHAINS } from '../netfilter/model.js';
import type { Fleet, Host, PolicyRule } from '../policy/fleet.js';
import type { ChangedRule, Difference } from './differences.js';
import { type Edit, type Entry, entryAt, type Files, type RuleList } from './edits.js';

export interface Candidate {
  readonly edits: readonly Edit[];
  /** What it writes, as a sentence. */
  readonly how: string;
  /** Other differences that the same words say. */
  readonly alsoCovers?: readonly string[];
  /** It changes what several hosts share. */
  readonly shared?: boolean;
}

export interface CandidateContext {
  readonly fleet: Fleet;
  readonly host: Host;
  readonly files: Files;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** All that differs on this host. */
  readonly differences: readonly Difference[];
}

/** Somebody must take it over. */
const OWNER_PLACEHOLDER = 'to-be-named';

export function candidatesFor(difference: Difference, context: CandidateContext): readonly Candidate[] {
  switch (difference.kind) {
    case 'added':
      return added(difference, context);
    case 'removed':
      return removed(difference, context);
    case 'policy':
      return baseline(difference, context);
    case 'set':
      return members(difference, context);
    case 'moved':
    case 'hook':
      return [];
  }
}

type DifferenceOf<K extends Difference['kind']> = Extract<Difference, { readonly kind: K }>;

const LISTS: { readonly [chain: string]: 'input' | 'output' | 'forward' } = {
  INPUT: 'input',
  OUTPUT: 'output',
  FORWARD: 'forward',
};

/** In the words of the policy where it has some, else as a literal rule. */
function added(
  { table, chain, rules, families }: DifferenceOf<'added'>,
  context: CandidateContext,
): readonly Candidate[] {
  const builtIn = BUILT_IN_CHAINS[table].find((name) => name === chain || ownedChain(name) === chain);
  const [first] = rules;
  if (builtIn === undefined || first === undefined || isOwned(first.rule.target?.name ?? '')) return [];
  const { host, fleet, date } = context;
  const adopted = `Adopted from drift on ${date}`;
  const words = ruleToPolicy(first.rule, {
    table,
    chain: builtIn,
    families,
    networks: fleet.networks,
    interfaces: host.interfaces,
    reason: '',
  });
  const comment = words?.entry.reason;
  const reason = comment === undefined || comment === '' ? adopted : `${adopted}: ${comment}`;
  const literal: Entry = {
    rule: first.rule.text,
    ...(table === 'filter' ? {} : { table }),
    chain: builtIn,
    ...familyOf(families),
    reason: `${adopted}; owner ${OWNER_PLACEHOLDER}`,
  };
  return [
    ...(words === undefined || words.list === 'raw'
      ? []
      : [
          addCandidate(
            host,
            words.list,
            words.list === 'nat'
              ? { ...words.entry, reason: `${reason}; owner ${OWNER_PLACEHOLDER}` }
              : { ...words.entry, reason, owner: OWNER_PLACEHOLDER },
            first,
          ),
        ]),
    addCandidate(host, 'raw', literal, first),
  ];
}

const familyOf = (families: readonly Family[]): { readonly family?: Family } =>
  families.length === FAMILIES.length || families[0] === undefined ? {} : { family: families[0] };

/** Behind the last of the host's own entries that stands above it in the kernel. */
function addCandidate(host: Host, list: RuleList, entry: Entry, { preceding }: ChangedRule): Candidate {
  const own = ownEntries(host, list);
  const after = preceding.findLast((location) => own.has(keyOf(location)));
  return {
    edits: [{ kind: 'add', host: host.location, list, entry, ...(after === undefined ? {} : { after }) }],
    how:
      list === 'raw'
        ? `A literal rule of ${host.name}.`
        : `A rule under \`${list}:\` of ${host.name}: \`${entryText(entry)}\`.`,
  };
}

const entryText = (entry: Entry): string =>
  Object.entries(entry)
    .filter(([key]) => key !== 'reason' && key !== 'owner')
    .map(([key, value]) => `${key}: ${Array.isArray(value) ? `[${value.join(', ')}]` : value}`)
    .join(', ');

const keyOf = ({ file, line, column }: SourceLocation): string => `${file}:${line}:${column}`;

const entriesOf = (host: Host, list: RuleList) =>
  list === 'raw' ? host.raw : list === 'nat' ? host.nat : host[list];

const ownEntries = (host: Host, list: RuleList): ReadonlySet<string> =>
  new Set(
    entriesOf(host, list)
      .filter(({ origin, location }) => origin === host.name && location.file === host.location.file)
      .map(({ location }) => keyOf(location)),
  );

const ALL_LISTS: readonly RuleList[] = ['input', 'output', 'forward', 'nat', 'raw'];

/** The entry of the policy that a rule was made from. */
export function entryBehind(
  host: Host,
  location: SourceLocation | undefined,
): { readonly list: RuleList; readonly location: SourceLocation; readonly origin: string } | undefined {
  if (location === undefined) return undefined;
  for (const list of ALL_LISTS) {
    const entry = entriesOf(host, list).find((one) => keyOf(one.location) === keyOf(location));
    if (entry !== undefined) return { list, location: entry.location, origin: entry.origin };
  }
  return undefined;
}

function removed(
  { rules, families }: DifferenceOf<'removed'>,
  context: CandidateContext,
): readonly Candidate[] {
  const { host, fleet } = context;
  const [first] = rules;
  const entry = entryBehind(host, first?.rule.location);
  if (entry === undefined) return logCandidate(rules, context);
  if (entry.origin === host.name) {
    const other = FAMILIES.find((family) => !families.includes(family));
    return [
      {
        edits: [{ kind: 'remove', entry: entry.location, list: entry.list }],
        how: `The entry under \`${entry.list}:\` of ${host.name} is taken out.`,
      },
      ...(other === undefined
        ? []
        : [
            {
              edits: [{ kind: 'set', entry: entry.location, key: 'family', value: other }],
              how: `The entry under \`${entry.list}:\` of ${host.name} is for ${other === 'v4' ? 'IPv4' : 'IPv6'} alone now.`,
            } as const,
          ]),
    ];
  }
  const rule = ruleAt(host, entry.location);
  return rule === undefined || rule.verb !== 'allow' || fleet.roles.get(entry.origin) === undefined
    ? []
    : exception(rule, families, context);
}

const ruleAt = (host: Host, location: SourceLocation): PolicyRule | undefined =>
  [...host.input, ...host.output, ...host.forward].find((rule) => keyOf(rule.location) === keyOf(location));

/** Other hosts of the role keep the rule: this one says that it has it not. */
function exception(
  rule: PolicyRule,
  families: readonly Family[],
  { host, files, date }: CandidateContext,
): readonly Candidate[] {
  const entry = entryAt(files.get(rule.location.file) ?? '', rule.location);
  if (entry === undefined) return [];
  const { allow, from, to, except, in: arriving, out, family } = entry;
  const deny: Entry = {
    deny: allow,
    ...Object.fromEntries(
      Object.entries({ from, to, except, in: arriving, out, family }).filter(
        ([, value]) => value !== undefined,
      ),
    ),
    ...(family === undefined ? familyOf(families) : {}),
    reason: `Adopted from drift on ${date}: removed here, allowed by role ${rule.origin}`,
    owner: OWNER_PLACEHOLDER,
  };
  const last = host[rule.direction].findLast(({ origin }) => origin === host.name)?.location;
  return [
    {
      edits: [
        {
          kind: 'add',
          host: host.location,
          list: rule.direction,
          entry: deny,
          ...(last === undefined ? {} : { after: last }),
        },
      ],
      how: `An exception of ${host.name} from its role ${rule.origin}: \`${entryText(deny)}\`.`,
    },
  ];
}

/** Every host of the role has lost it. */
export function fromRole({ rules }: DifferenceOf<'removed'>, host: Host): Candidate | undefined {
  const entry = entryBehind(host, rules[0]?.rule.location);
  if (entry === undefined || entry.origin === host.name) return undefined;
  return {
    edits: [{ kind: 'remove', entry: entry.location, list: entry.list }],
    how: `The entry under \`${entry.list}:\` of the role ${entry.origin} is taken out: none of its hosts has it.`,
    shared: true,
  };
}

/** The log of drops is the one part of the baseline that goes by itself. */
function logCandidate(rules: readonly ChangedRule[], { host }: CandidateContext): readonly Candidate[] {
  return rules.every(({ rule }) => rule.target?.name === 'LOG')
    ? [
        {
          edits: [{ kind: 'baseline', host: host.location, key: 'log', value: false }],
          how: `\`baseline: {log: false}\` of ${host.name}.`,
        },
      ]
    : [];
}

/** A chain that is left open has no last drop and no log of it: these go with its policy. */
function baseline(
  { table, chain, policy }: DifferenceOf<'policy'>,
  context: CandidateContext,
): readonly Candidate[] {
  const { host, differences } = context;
  const key = table === 'filter' ? LISTS[chain] : undefined;
  if (key === undefined) return [];
  const value = policy === 'DROP' ? 'drop' : 'accept';
  const besides = differences.filter(
    (one) =>
      one.kind === 'removed' &&
      one.rules.every(
        ({ chain: where, rule }) =>
          where === ownedChain(chain) && entryBehind(host, rule.location) === undefined,
      ),
  );
  return [
    {
      edits: [{ kind: 'baseline', host: host.location, key, value }],
      how: `\`baseline: {${key}: ${value}}\` of ${host.name}.`,
      alsoCovers: besides.map((one) => one.key),
    },
  ];
}

/** The network that a set holds; hosts that share it must all have changed alike, which the caller looks after. */
function members(
  { name, added, removed }: DifferenceOf<'set'>,
  { fleet }: CandidateContext,
): readonly Candidate[] {
  const network = networkOf(fleet, name);
  if (network === undefined) return [];
  const file = `${fleet.directory === '.' ? '' : `${fleet.directory}/`}networks.yml`;
  const changes = [
    ...(added.length > 0 ? [`gains ${added.join(', ')}`] : []),
    ...(removed.length > 0 ? [`loses ${removed.join(', ')}`] : []),
  ].join(' and ');
  return [
    {
      edits: [{ kind: 'member', file, network, add: added, remove: removed }],
      how: `The network ${network} ${changes}.`,
      shared: true,
    },
  ];
}

const networkOf = (fleet: Fleet, set: string): string | undefined =>
  [...fleet.networks.keys()].find((network) => FAMILIES.some((family) => setName(network, family) === set));
