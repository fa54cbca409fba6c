/** Imports the rules of several hosts as one policy, proved host by host. */

import { replaceManaged } from '../compile/merge/replace-managed.js';
import { renderRuleset } from '../compile/render.js';
import { compileHost } from '../compile/rules/compile.js';
import { error, failure, hasErrors, type Problem, type Result, warning } from '../lib/problem.js';
import type { Ruleset } from '../netfilter/model.js';
import type { Fleet } from '../policy/fleet.js';
import { proveLockout } from '../traffic/questions/lockout.js';
import { adminSet, deriveAdmin, whyNoAdmin } from './admin.js';
import { anomaliesOf } from './anomalies.js';
import { chainsOf, filterOnly, hasForeign, unmanagedRules, withOpening } from './draft/unmanaged.js';
import type { Imported, ImportHost, ImportOptions } from './model.js';
import {
  adminRules,
  explainFailure,
  fleetHost,
  fleetOfFiles,
  type ProofContext,
  proveHost,
  trafficDiff,
  withAdmin,
} from './prove.js';
import { notesOf, summaryOf, trafficProblems } from './summary.js';
import { type FleetDraft, type Suppression, writeFleet } from './write/write.js';

/**
 * The policy with the same verdict as the hosts' rules for every packet. It is returned only if that is proved for every
 * host, its administrators certainly reach SSH, and the policy passes `check`.
 */
export function importFleet(hosts: readonly ImportHost[], options: ImportOptions): Result<Imported> {
  const read = hosts.map((host) => ({ host, chains: chainsOf(host.live, host.families) }));
  const ownership = read.some(({ host, chains }) => hasForeign(host.live, chains)) ? 'chains' : 'tables';
  const all = read.map(({ host, chains }) => ({
    host,
    chains: ownership === 'chains' ? filterOnly(chains) : chains,
  }));
  const admin = options.admin ?? deriveAdmin(all);
  if (admin.length === 0)
    return failure(
      error(
        'import-no-admin',
        [
          'The administrators cannot be derived: no network that the rules name is certain to reach SSH on every host.',
          ...whyNoAdmin(all),
        ].join(' '),
        {
          hint: 'Name their networks with --admin: the policy allows SSH from them where it is closed today. If sshd listens on another port, write NAME=USER@ADDRESS:PORT.',
        },
      ),
    );
  const contexts = all.map(({ host, chains }): ProofContext => {
    const isOpen = lockoutProof(host, host.live, admin).verdict === 'proved';
    return {
      host,
      chains: isOpen ? chains : withOpening((family) => adminRules(host, admin, family), chains),
      unmanaged: unmanagedRules(host.live, chains),
      before: isOpen ? host.live : withAdmin(host, admin),
      admin,
      ownership,
      today: options.today,
    };
  });
  const problems: Problem[] = contexts
    .filter(({ host, before }) => before !== host.live)
    .map(({ host }) =>
      warning(
        'import-admin-opens',
        `SSH on ${host.name} is not certain to be open to all of --admin today; the policy opens it.`,
      ),
    );
  const refused = (found: readonly Problem[]) => failure(...problems, ...found);
  const drafts = proveAll(contexts);
  const failed = drafts.flatMap(({ context, proved }) =>
    proved?.equal ? [] : trafficProblems(context.host, explainFailure(context, proved?.draft)),
  );
  if (failed.length > 0) return refused(failed);
  const imported = drafts.flatMap(({ context, proved }) =>
    proved === undefined ? [] : [{ ...context, draft: proved.draft, anomalies: anomaliesOf(context.host) }],
  );
  const written = writeWithSuppressions(
    imported.map(({ host, draft, anomalies }) => fleetHost(host, draft, anomalies.remarks)),
    admin,
    ownership,
    options,
  );
  if (!written.ok) return refused(written.problems);
  const { files, fleet } = written.value;
  const differences = contexts.flatMap((context) => proveFiles(context, fleet));
  if (hasErrors(differences)) return refused(differences);
  const value: Imported = {
    files,
    ownership,
    admin,
    hosts: imported.map(({ host, chains, draft, anomalies }) => ({
      ...summaryOf(host, chains, draft),
      notes: notesOf(host, chains, draft, ownership),
      anomalies: anomalies.problems,
    })),
  };
  return { ok: true, value, problems };
}

/** Hosts with the same rules share one draft; {@link proveFiles} proves it again with the addresses of each. */
function proveAll(contexts: readonly ProofContext[]) {
  const known = new Map<string, ReturnType<typeof proveHost>>();
  return contexts.map((context) => {
    const { host, before } = context;
    const { v4, v6, sets } = renderRuleset(host.live);
    const key = JSON.stringify([v4, v6, sets, host.families, host.port, before === host.live]);
    const proved = known.has(key) ? known.get(key) : proveHost(context);
    known.set(key, proved);
    return { context, proved };
  });
}

const lockoutProof = ({ addresses, port }: ImportHost, ruleset: Ruleset, admin: readonly string[]) =>
  proveLockout(ruleset, { admin: adminSet(admin), addresses, port }, { addresses });

interface Written {
  readonly files: ReadonlyMap<string, string>;
  readonly fleet: Fleet;
}

/** Writes the policy with a suppression, dated, of each warning that `check` finds in the rules as they were. */
function writeWithSuppressions(
  hosts: FleetDraft['hosts'],
  admin: readonly string[],
  ownership: FleetDraft['ownership'],
  { today, knownHosts, check }: ImportOptions,
): Result<Written> {
  let suppressions: FleetDraft['suppressions'] = new Map();
  // A suppression moves no rule to another file, so the second round has them all.
  for (let round = 0; ; round++) {
    const files = writeFleet({ hosts, admin, ownership, knownHosts, suppressions });
    const fleet = fleetOfFiles(files, today);
    if (!fleet.ok) return fleet;
    const found = check(fleet.value);
    if (hasErrors(found))
      return { ok: false, problems: found.filter(({ level }) => level === 'error').map(withoutFiles) };
    const warnings = found.filter(({ level }) => level === 'warning');
    if (warnings.length === 0 || round > 0) return { ...fleet, value: { files, fleet: fleet.value } };
    suppressions = suppressionsOf(warnings, today);
  }
}

/** A problem of a policy that is not written: without the location in its files, and mended on the host. */
function withoutFiles({ id, level, message, hint }: Problem): Problem {
  const isLockout = id === 'lockout' || id === 'lockout-not-proven';
  return {
    id,
    level,
    message: withoutPaths(message),
    hint: isLockout ? OPEN_SSH : hint,
  };
}

/** Without the lines of a policy that is not written. */
const withoutPaths = (text: string): string => text.replaceAll(/ at policies\/\S+?:\d+/g, '');

const OPEN_SSH =
  'On the host, allow SSH from the administrators and its replies before the rule that is named, or name other networks with --admin.';

function suppressionsOf(found: readonly Problem[], today: string): FleetDraft['suppressions'] {
  const suppressions = new Map<string, Suppression[]>();
  for (const { id, location } of found) {
    const [, origin = ''] = /\/(?:hosts|roles)\/(.+)\.yml$/.exec(location?.file ?? '') ?? [];
    const list = suppressions.get(origin) ?? [];
    suppressions.set(origin, list);
    if (!list.some(({ finding }) => finding === id))
      list.push({ finding: id, reason: `Present when the rules were imported on ${today}` });
  }
  // A suppression of the fleet applies to each of its hosts.
  const everywhere = new Set(suppressions.get('')?.map(({ finding }) => finding));
  return new Map(
    [...suppressions].flatMap(([origin, all]) => {
      const list = origin === '' ? all : all.filter(({ finding }) => !everywhere.has(finding));
      return list.length === 0 ? [] : [[origin, list]];
    }),
  );
}

/** The final proof: the written files, compiled, in place of the imported rules, and beside them as after a deploy. */
function proveFiles(context: ProofContext, fleet: Fleet): readonly Problem[] {
  const { host, ownership, admin } = context;
  const found = fleet.hosts.find(({ name }) => name === host.name);
  const compiled = found && compileHost(fleet, found);
  if (compiled === undefined || !compiled.ok) return compiled?.problems ?? [];
  const alone = trafficDiff(context, compiled.value);
  const beside = trafficDiff({ ...context, unmanaged: host.live }, compiled.value);
  const proof = lockoutProof(host, replaceManaged(host.live, compiled.value, ownership).next, admin);
  const differences = [alone, beside].flatMap((diff) => (diff.equal ? [] : trafficProblems(host, diff)));
  if (proof.verdict === 'proved') return differences;
  const reasons = withoutPaths(proof.reasons.join(' '));
  return [
    ...differences,
    error(
      'import-lockout',
      `${host.name} cannot be deployed to: with its rules as they are, ${reasons.charAt(0).toLowerCase()}${reasons.slice(1)}`,
      { hint: OPEN_SSH },
    ),
  ];
}
