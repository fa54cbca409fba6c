/** Several hosts' rules as one policy, proved host by host. */

import { replaceManaged } from '../compile/merge/replace-managed.js';
import { renderHost } from '../compile/render.js';
import { compileHost } from '../compile/rules/compile.js';
import type { Family } from '../lib/family.js';
import { error, hasErrors, type Problem, type Result, warning } from '../lib/problem.js';
import type { Ruleset } from '../netfilter/model.js';
import type { Fleet } from '../policy/fleet.js';
import { proveLockout } from '../traffic/questions/lockout.js';
import { adminSet, deriveAdmin, whyNobody } from './admin.js';
import { anomaliesOf } from './anomalies.js';
import { chainsOf, filterAlone, hasForeign, openedTo, unmanagedRules } from './draft/unmanaged.js';
import type { Imported, ImportedHost, ImportHost, ImportOptions } from './model.js';
import {
  adminRules,
  type Case,
  compileFleet,
  fleetHost,
  proveHost,
  shortfall,
  trafficDiff,
  withAdmin,
} from './prove.js';
import { differences, notesOf, summaryOf } from './summary.js';
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
    chains: ownership === 'chains' ? filterAlone(chains) : chains,
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
            ...whyNobody(pairs),
          ].join(' '),
          undefined,
          'Name their networks with --admin: where SSH is not open to them for sure today, the policy opens it. If sshd listens on another port, name that: NAME=USER@ADDRESS:PORT.',
        ),
      ],
    };
  const cases = all.map(({ host, chains }): Case => {
    const reached = isReached(host, host.live, admin);
    const opening = (family: Family) => adminRules(host, admin, family);
    return {
      host,
      chains: reached ? chains : openedTo(opening, chains),
      remainder: unmanagedRules(host.live, chains),
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
  const failed = drafts.flatMap(({ one, proved }) =>
    proved?.equal ? [] : differences(one.host, shortfall(one, proved?.draft)),
  );
  if (failed.length > 0) return { ok: false, problems: [...problems, ...failed] };
  const named = drafts.flatMap(({ one, proved }) =>
    proved === undefined ? [] : [{ one, draft: proved.draft }],
  );
  const anomalies = new Map(named.map(({ one }) => [one, anomaliesOf(one.host)]));
  const written = writeAccepted(
    named.map(({ one, draft }) => fleetHost(one.host, draft, anomalies.get(one)?.remarks)),
    admin,
    ownership,
    options,
  );
  if (!written.ok) return { ok: false, problems: [...problems, ...written.problems] };
  const { files, fleet } = written.value;
  const final = cases.flatMap((one) => prove(one, fleet));
  if (hasErrors(final)) return { ok: false, problems: [...problems, ...final] };
  const value: Imported = {
    files,
    ownership,
    admin,
    hosts: named.map(
      ({ one, draft }): ImportedHost => ({
        ...summaryOf(one.host, one.chains, draft),
        notes: notesOf(one.host, one.chains, draft, ownership),
        anomalies: anomalies.get(one)?.problems ?? [],
      }),
    ),
  };
  return { ok: true, value, problems };
}

/** Hosts with the same rules are said in the same words; each is proved again with its own addresses in the end. */
function draftAll(cases: readonly Case[]) {
  const known = new Map<string, ReturnType<typeof proveHost>>();
  return cases.map((one) => {
    const { v4, v6, sets } = renderHost(one.host.live);
    const key = JSON.stringify([
      v4,
      v6,
      sets,
      one.host.families,
      one.host.port,
      one.before === one.host.live,
    ]);
    const proved = known.has(key) ? known.get(key) : proveHost(one);
    known.set(key, proved);
    return { one, proved };
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
function writeAccepted(
  hosts: FleetDraft['hosts'],
  admin: readonly string[],
  ownership: FleetDraft['ownership'],
  { today, knownHosts, check }: ImportOptions,
): Result<Written> {
  const draft: Omit<FleetDraft, 'accepts'> = {
    hosts,
    admin,
    ownership,
    ...(knownHosts === undefined ? {} : { knownHosts }),
  };
  let accepts: ReadonlyMap<string, readonly Suppression[]> = new Map();
  // Acceptances move no rule to another file, so the second writing has them all.
  for (let round = 0; ; round++) {
    const files = writeFleet({ ...draft, accepts });
    const fleet = compileFleet(files, today);
    if (!fleet.ok) return fleet;
    const found = check(fleet.value);
    if (hasErrors(found))
      return { ok: false, problems: found.filter(({ level }) => level === 'error').map(unwritten) };
    const doubtful = found.filter(({ level }) => level === 'warning');
    if (doubtful.length === 0 || round > 0) return { ...fleet, value: { files, fleet: fleet.value } };
    accepts = acceptancesOf(doubtful, today);
  }
}

/** The policy is not written, so no one can look at a line of it; what it says comes from the host. */
function unwritten({ id, level, message, hint }: Problem): Problem {
  const said = message.replaceAll(/ at policies\/\S+?:\d+/g, '');
  const lockout = id === 'lockout' || id === 'lockout-not-proven';
  const mend = lockout ? LET_IN : hint;
  return { id, level, message: said, ...(mend === undefined ? {} : { hint: mend }) };
}

const LET_IN =
  'Let SSH of the administrators in and its answers out on the host, before the rule that is named, or name other networks with --admin.';

function acceptancesOf(
  found: readonly Problem[],
  today: string,
): ReadonlyMap<string, readonly Suppression[]> {
  const accepts = new Map<string, Suppression[]>();
  for (const { id, location } of found) {
    const [, origin = ''] = /\/(?:hosts|roles)\/(.+)\.yml$/.exec(location?.file ?? '') ?? [];
    const list = accepts.get(origin) ?? [];
    accepts.set(origin, list);
    if (!list.some(({ finding }) => finding === id))
      list.push({ finding: id, reason: `It was so when the rules were imported on ${today}` });
  }
  // What the fleet accepts holds for each of its hosts.
  const everywhere = new Set((accepts.get('') ?? []).map(({ finding }) => finding));
  return new Map(
    [...accepts].map(([origin, list]) => [
      origin,
      origin === '' ? list : list.filter(({ finding }) => !everywhere.has(finding)),
    ]),
  );
}

/** The last word: the files as they are, compiled, in the place of what they were made from. */
function prove(one: Case, fleet: Fleet): readonly Problem[] {
  const { host } = one;
  const found = fleet.hosts.find(({ name }) => name === host.name);
  const compiled = found && compileHost(fleet, found);
  if (compiled === undefined || !compiled.ok) return compiled?.problems ?? [];
  const alone = trafficDiff(one, compiled.value);
  const beside = trafficDiff({ ...one, remainder: host.live }, compiled.value);
  const proof = lockoutOf(host, replaceManaged(host.live, compiled.value, one.ownership).next, one.admin);
  return [
    ...(alone.equal ? [] : differences(host, alone)),
    ...(beside.equal ? [] : differences(host, beside)),
    ...(proof.verdict === 'proved'
      ? []
      : [
          error(
            'import-lockout',
            `${host.name} could not be deployed to: with its rules as they are, ${lowerFirst(proof.reasons.join(' '))}`,
            undefined,
            LET_IN,
          ),
        ]),
  ];
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
