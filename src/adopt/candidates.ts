/** Possible edits of the policy for one difference, the best first; whether one is equivalent is tested elsewhere. */
import { isOwned, ownedChain, setName } from '../compile/names.js';
import { type Entry, LISTS, type ListName } from '../import/read/entry.js';
import { directionOf } from '../import/read/statement.js';
import { ruleToPolicy } from '../import/rule-to-policy.js';
import { FAMILIES, type Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import { FAMILY } from '../lib/text.js';
import { BUILT_IN_CHAINS } from '../netfilter/model.js';
import type { Fleet, Host, PolicyRule } from '../policy/fleet.js';
import { locationKey } from '../rollout/plan/expiry.js';
import type { ChangedRule, Difference } from './differences.js';
import { type Edit, entryAt, type Files } from './edits.js';
import { membersChange } from './format.js';

export interface Candidate {
  readonly edits: readonly Edit[];
  /** What it writes, as a sentence. */
  readonly how: string;
  /** Keys of other differences that the edits cover. */
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
  /** All differences of this host. */
  readonly differences: readonly Difference[];
}

/** To be replaced by whoever reviews the edit. */
const OWNER_PLACEHOLDER = 'to-be-named';

/** The candidates for a difference; none if no edit could express it. */
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
    case 'entry-jump':
      return [];
  }
}

type DifferenceOf<K extends Difference['kind']> = Extract<Difference, { readonly kind: K }>;

/** An entry in the terms of the policy if there is one, then a literal rule. */
function added(
  { table, chain, rules, families }: DifferenceOf<'added'>,
  { host, fleet, date }: CandidateContext,
): readonly Candidate[] {
  const builtIn = BUILT_IN_CHAINS[table].find((name) => name === chain || ownedChain(name) === chain);
  const [first] = rules;
  if (builtIn === undefined || first === undefined || isOwned(first.rule.target?.name ?? '')) return [];
  const adopted = `Adopted from drift on ${date}`;
  const policyEntry = ruleToPolicy(first.rule, {
    table,
    chain: builtIn,
    families,
    networks: fleet.networks,
    interfaces: host.interfaces,
    reason: '',
  });
  const comment = policyEntry?.entry.reason;
  const reason = comment === undefined || comment === '' ? adopted : `${adopted}: ${comment}`;
  // Entries of `nat` and `raw` have no key `owner`.
  const withOwner = `${reason}; owner ${OWNER_PLACEHOLDER}`;
  const literal: Entry = {
    rule: first.rule.text,
    table: table === 'filter' ? undefined : table,
    chain: builtIn,
    family: onlyFamily(families),
    reason: `${adopted}; owner ${OWNER_PLACEHOLDER}`,
  };
  const candidates = [addCandidate(host, 'raw', literal, first)];
  if (policyEntry === undefined || policyEntry.list === 'raw') return candidates;
  const { list, entry } = policyEntry;
  const owned =
    list === 'nat' ? { ...entry, reason: withOwner } : { ...entry, reason, owner: OWNER_PLACEHOLDER };
  return [addCandidate(host, list, owned, first), ...candidates];
}

const onlyFamily = (families: readonly Family[]): Family | undefined =>
  families.length === FAMILIES.length ? undefined : families[0];

/** Adds the entry after the last of the host's own entries whose rules come before this one in the kernel. */
function addCandidate(host: Host, list: ListName, entry: Entry, { preceding }: ChangedRule): Candidate {
  const own = new Set(
    entriesOf(host, list)
      .filter(({ origin, location }) => origin === host.name && location.file === host.location.file)
      .map(({ location }) => locationKey(location)),
  );
  const after = preceding.findLast((location) => own.has(locationKey(location)));
  return {
    edits: [{ kind: 'add', host: host.location, list, entry, after }],
    how:
      list === 'raw'
        ? `A raw rule of ${host.name}.`
        : `A rule under \`${list}:\` of ${host.name}: \`${entryText(entry)}\`.`,
  };
}

const entryText = (entry: Entry): string =>
  Object.entries(entry)
    .filter(([key, value]) => key !== 'reason' && key !== 'owner' && value !== undefined)
    .map(([key, value]) => `${key}: ${Array.isArray(value) ? `[${value.join(', ')}]` : value}`)
    .join(', ');

const entriesOf = (host: Host, list: ListName) =>
  list === 'raw' ? host.raw : list === 'nat' ? host.nat : host[list];

/** The entry of the policy that a rule was compiled from. */
export function entryBehind(
  host: Host,
  location: SourceLocation | undefined,
): { readonly list: ListName; readonly location: SourceLocation; readonly origin: string } | undefined {
  if (location === undefined) return undefined;
  for (const list of LISTS) {
    const entry = entriesOf(host, list).find((one) => locationKey(one.location) === locationKey(location));
    if (entry !== undefined) return { list, location: entry.location, origin: entry.origin };
  }
  return undefined;
}

function removed(
  { rules, families }: DifferenceOf<'removed'>,
  context: CandidateContext,
): readonly Candidate[] {
  const { host, fleet } = context;
  const entry = entryBehind(host, rules[0]?.rule.location);
  if (entry === undefined) return logCandidate(rules, context);
  const { list, location, origin } = entry;
  if (origin !== host.name) {
    const rule = [...host.input, ...host.output, ...host.forward].find(
      (one) => locationKey(one.location) === locationKey(location),
    );
    return rule?.verb === 'allow' && fleet.roles.has(origin) ? exception(rule, families, context) : [];
  }
  const candidates: Candidate[] = [
    {
      edits: [{ kind: 'remove', entry: location, list }],
      how: `The entry under \`${list}:\` of ${host.name} is removed.`,
    },
  ];
  const other = FAMILIES.find((family) => !families.includes(family));
  if (other !== undefined)
    candidates.push({
      edits: [{ kind: 'set', entry: location, key: 'family', value: other }],
      how: `The entry under \`${list}:\` of ${host.name} applies to ${FAMILY[other]} only.`,
    });
  return candidates;
}

/** Denies on this host what a role allows; the other hosts of the role keep its rule. */
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
    from,
    to,
    except,
    in: arriving,
    out,
    family: family ?? onlyFamily(families),
    reason: `Adopted from drift on ${date}: removed here, allowed by role ${rule.origin}`,
    owner: OWNER_PLACEHOLDER,
  };
  const after = host[rule.direction].findLast(({ origin }) => origin === host.name)?.location;
  return [
    {
      edits: [{ kind: 'add', host: host.location, list: rule.direction, entry: deny, after }],
      how: `An exception of ${host.name} from its role ${rule.origin}: \`${entryText(deny)}\`.`,
    },
  ];
}

/** Removes an entry from its role, for when all hosts of the role lack the rule. */
export function fromRole({ rules }: DifferenceOf<'removed'>, host: Host): Candidate | undefined {
  const entry = entryBehind(host, rules[0]?.rule.location);
  if (entry === undefined || entry.origin === host.name) return undefined;
  return {
    edits: [{ kind: 'remove', entry: entry.location, list: entry.list }],
    how: `The entry under \`${entry.list}:\` of the role ${entry.origin} is removed: none of its hosts has the rule.`,
    shared: true,
  };
}

/** `baseline: {log: false}` removes the log of drops; no other rule of the baseline can be switched off. */
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

/** Sets the policy of a chain, which also explains a missing final DROP and the LOG before it. */
function baseline(
  { table, chain, policy }: DifferenceOf<'policy'>,
  { host, differences }: CandidateContext,
): readonly Candidate[] {
  const key = table === 'filter' ? directionOf(chain) : undefined;
  if (key === undefined) return [];
  const value = policy === 'DROP' ? 'drop' : 'accept';
  const isOfBaseline = (one: ChangedRule): boolean =>
    one.chain === ownedChain(chain) && entryBehind(host, one.rule.location) === undefined;
  return [
    {
      edits: [{ kind: 'baseline', host: host.location, key, value }],
      how: `\`baseline: {${key}: ${value}}\` of ${host.name}.`,
      alsoCovers: differences
        .filter((one) => one.kind === 'removed' && one.rules.every(isOfBaseline))
        .map((one) => one.key),
    },
  ];
}

/** Changes the network of a set. The caller checks that all hosts with the set changed alike. */
function members(
  { name, added, removed }: DifferenceOf<'set'>,
  { fleet }: CandidateContext,
): readonly Candidate[] {
  const network = [...fleet.networks.keys()].find((one) =>
    FAMILIES.some((family) => setName(one, family) === name),
  );
  if (network === undefined) return [];
  const file = `${fleet.directory === '.' ? '' : `${fleet.directory}/`}networks.yml`;
  return [
    {
      edits: [{ kind: 'member', file, network, add: added, remove: removed }],
      how: `The network ${network} ${membersChange('gains', added, 'loses', removed)}.`,
      shared: true,
    },
  ];
}
