/** Several hosts' rules as one policy, proved host by host. */

import { replaceManaged } from '../compile/merge/replace-managed.js';
import { renderHost } from '../compile/render.js';
import { compileHost } from '../compile/rules/compile.js';
import type { Family } from '../lib/family.js';
import { error, hasErrors, type Problem, type Result, warning } from '../lib/problem.js';
import type { Ruleset } from '../netfilter/model.js';
import type { Fleet } from '../policy/fleet.js';
import { proveLockout } from '../traffic/questions/lockout.js';
import { adminSet, deriveAdmin, whyNoAdmin } from './admin.js';
import { anomaliesOf } from './anomalies.js';
import { chainsOf, filterOnly, hasForeign, unmanagedRules, withOpening } from './draft/unmanaged.js';
import type { Imported, ImportedHost, ImportHost, ImportOptions } from './model.js';
import {
  adminRules,
  compileFleet,
  explainFailure,
  fleetHost,
  type ProofContext,
  proveHost,
  trafficDiff,
  withAdmin,
} from './prove.js';
import { notesOf, summaryOf, trafficProblems } from './summary.js';
import { type FleetDraft, type Suppression, writeFleet } from './write/write.js';

/**
 * The policy that does with every packet what the hosts' rules do. Nothing comes of it unless that is proved for every
 * host, its administrators reach SSH for sure, and the policy would pass `check`.
 */
export function importFleet(hosts: readonly ImportHost[], options: ImportOptions): Result<Imported> {
  const read = hosts.map((host) => ({ host, chains: chainsOf(host.live, host.families) }));
  const ownership = read.some(({ host, chains }) => hasForeign(host.live, chains)) ? 'chains' : 'tables';
  const all = read.map(({ host, chains }) => ({
    host,
    chains: ownership === 'chains' ? filterOnly(chains) : chains,
  }));
  const pairs = all.map(({ host, chains }) => [host, chains] as const);
  const admin = options.admin ?? deriveAdmin(pairs);
  if (admin.length === 0)
    return {
      ok: false,
      problems: [
        error(
          'import-no-admin',
          [
            'No network that their rules name reaches SSH for sure on every one of these hosts, so nothing tells who their administrators are.',
            ...whyNoAdmin(pairs),
          ].join(' '),
          undefined,
          'Name their networks with --admin: where SSH is not open to them for sure today, the policy opens it. If sshd listens on another port, name that: NAME=USER@ADDRESS:PORT.',
        ),
      ],
    };
  const cases = all.map(({ host, chains }): ProofContext => {
    const reached = isReached(host, host.live, admin);
    const opening = (family: Family) => adminRules(host, admin, family);
    return {
      host,
      chains: reached ? chains : withOpening(opening, chains),
      unmanaged: unmanagedRules(host.live, chains),
      before: reached ? host.live : withAdmin(host, admin),
      admin,
      ownership,
      today: options.today,
    };
  });
  const problems = cases.flatMap(({ host, before }) =>
    before === host.live
      ? []
      : [
          warning(
            'import-admin-opens',
            `SSH of ${host.name} is not open to all of --admin for sure today; the policy opens it to them.`,
          ),
        ],
  );
  const drafts = draftAll(cases);
  const failed = drafts.flatMap(({ context, proved }) =>
    proved?.equal ? [] : trafficProblems(context.host, explainFailure(context, proved?.draft)),
  );
  if (failed.length > 0) return { ok: false, problems: [...problems, ...failed] };
  const named = drafts.flatMap(({ context, proved }) =>
    proved === undefined ? [] : [{ context, draft: proved.draft }],
  );
  const anomalies = new Map(named.map(({ context }) => [context, anomaliesOf(context.host)]));
  const written = writeWithSuppressions(
    named.map(({ context, draft }) => fleetHost(context.host, draft, anomalies.get(context)?.remarks)),
    admin,
    ownership,
    options,
  );
  if (!written.ok) return { ok: false, problems: [...problems, ...written.problems] };
  const { files, fleet } = written.value;
  const final = cases.flatMap((context) => proveFiles(context, fleet));
  if (hasErrors(final)) return { ok: false, problems: [...problems, ...final] };
  const value: Imported = {
    files,
    ownership,
    admin,
    hosts: named.map(
      ({ context, draft }): ImportedHost => ({
        ...summaryOf(context.host, context.chains, draft),
        notes: notesOf(context.host, context.chains, draft, ownership),
        anomalies: anomalies.get(context)?.problems ?? [],
      }),
    ),
  };
  return { ok: true, value, problems };
}

/** Hosts with the same rules are said in the same words; each is proved again with its own addresses in the end. */
function draftAll(cases: readonly ProofContext[]) {
  const known = new Map<string, ReturnType<typeof proveHost>>();
  return cases.map((context) => {
    const { v4, v6, sets } = renderHost(context.host.live);
    const key = JSON.stringify([
      v4,
      v6,
      sets,
      context.host.families,
      context.host.port,
      context.before === context.host.live,
    ]);
    const proved = known.has(key) ? known.get(key) : proveHost(context);
    known.set(key, proved);
    return { context, proved };
  });
}

const isReached = (host: ImportHost, ruleset: Ruleset, admin: readonly string[]): boolean =>
  lockoutOf(host, ruleset, admin).verdict === 'proved';

const lockoutOf = ({ addresses, port }: ImportHost, ruleset: Ruleset, admin: readonly string[]) =>
  proveLockout(ruleset, { admin: adminSet(admin), addresses, port }, { addresses });

interface Written {
  readonly files: ReadonlyMap<string, string>;
  readonly fleet: Fleet;
}

/** What `check` says of the rules as they were is accepted, each with the day, so that the next reader looks at it again. */
function writeWithSuppressions(
  hosts: FleetDraft['hosts'],
  admin: readonly string[],
  ownership: FleetDraft['ownership'],
  { today, knownHosts, check }: ImportOptions,
): Result<Written> {
  const draft: Omit<FleetDraft, 'suppressions'> = {
    hosts,
    admin,
    ownership,
    ...(knownHosts === undefined ? {} : { knownHosts }),
  };
  let suppressions: ReadonlyMap<string, readonly Suppression[]> = new Map();
  // Acceptances move no rule to another file, so the second writing has them all.
  for (let round = 0; ; round++) {
    const files = writeFleet({ ...draft, suppressions });
    const fleet = compileFleet(files, today);
    if (!fleet.ok) return fleet;
    const found = check(fleet.value);
    if (hasErrors(found))
      return { ok: false, problems: found.filter(({ level }) => level === 'error').map(withoutFiles) };
    const doubtful = found.filter(({ level }) => level === 'warning');
    if (doubtful.length === 0 || round > 0) return { ...fleet, value: { files, fleet: fleet.value } };
    suppressions = suppressionsOf(doubtful, today);
  }
}

/** The policy is not written, so no one can look at a line of it; what it says comes from the host. */
function withoutFiles({ id, level, message, hint }: Problem): Problem {
  const text = message.replaceAll(/ at policies\/\S+?:\d+/g, '');
  const lockout = id === 'lockout' || id === 'lockout-not-proven';
  const mend = lockout ? OPEN_SSH : hint;
  return { id, level, message: text, ...(mend === undefined ? {} : { hint: mend }) };
}

const OPEN_SSH =
  'Let SSH of the administrators in and its answers out on the host, before the rule that is named, or name other networks with --admin.';

function suppressionsOf(
  found: readonly Problem[],
  today: string,
): ReadonlyMap<string, readonly Suppression[]> {
  const suppressions = new Map<string, Suppression[]>();
  for (const { id, location } of found) {
    const [, origin = ''] = /\/(?:hosts|roles)\/(.+)\.yml$/.exec(location?.file ?? '') ?? [];
    const list = suppressions.get(origin) ?? [];
    suppressions.set(origin, list);
    if (!list.some(({ finding }) => finding === id))
      list.push({ finding: id, reason: `It was so when the rules were imported on ${today}` });
  }
  // What the fleet accepts holds for each of its hosts.
  const everywhere = new Set((suppressions.get('') ?? []).map(({ finding }) => finding));
  return new Map(
    [...suppressions].map(([origin, list]) => [
      origin,
      origin === '' ? list : list.filter(({ finding }) => !everywhere.has(finding)),
    ]),
  );
}

/** The last word: the files as they are, compiled, in the place of what they were made from. */
function proveFiles(context: ProofContext, fleet: Fleet): readonly Problem[] {
  const { host } = context;
  const found = fleet.hosts.find(({ name }) => name === host.name);
  const compiled = found && compileHost(fleet, found);
  if (compiled === undefined || !compiled.ok) return compiled?.problems ?? [];
  const alone = trafficDiff(context, compiled.value);
  const beside = trafficDiff({ ...context, unmanaged: host.live }, compiled.value);
  const proof = lockoutOf(
    host,
    replaceManaged(host.live, compiled.value, context.ownership).next,
    context.admin,
  );
  return [
    ...(alone.equal ? [] : trafficProblems(host, alone)),
    ...(beside.equal ? [] : trafficProblems(host, beside)),
    ...(proof.verdict === 'proved'
      ? []
      : [
          error(
            'import-lockout',
            `${host.name} could not be deployed to: with its rules as they are, ${lowerFirst(proof.reasons.join(' '))}`,
            undefined,
            OPEN_SSH,
          ),
        ]),
  ];
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
