/** The drift issue: opened, updated when the drift changes, closed when clean, opened again. */
import type { DriftReport, Marker, Update } from './client.js';
import { sameText, stateOf, withMarker } from './marker.js';
import { findOurs, type RepositoryApi } from './octokit.js';

/** For finding our issues: GitHub filters issues by label, not by text. */
const DRIFT_LABEL = 'sallyport-drift';

interface Issue {
  readonly number: number;
  readonly state: string;
  readonly body?: string | null;
  readonly html_url: string;
}

/**
 * Updates the issue to the newest report, with a comment on each change of state, which notifies people. A clean report
 * without an open issue does nothing. Of two open issues, which two runs at once can leave, the older one is closed.
 */
export async function driftIssue(
  client: RepositoryApi,
  digest: Marker,
  report: DriftReport,
): Promise<Update> {
  const marker = { ...digest, state: withHosts(digest.state, report.drifted) };
  const [issue, ...others] = await ownIssues(client, marker);
  for (const other of others.filter(({ state }) => state === 'open'))
    await closeDuplicate(client, other, issue?.number ?? 0);
  const text = withMarker(marker, report.body);
  if (issue === undefined) return report.clean ? { action: 'none' } : open(client, report, text);
  const isOpen = issue.state === 'open';
  const before = stateOf(issue.body);
  const summary = [report.summary, ...gone(before, report)].join(' ');
  if (report.clean)
    return isOpen
      ? close(client, issue, { ...report, summary }, text)
      : { action: 'none', url: issue.html_url };
  const changed = digestIn(before) !== digestIn(marker.state);
  if (isOpen && !changed && sameText(issue.body, text)) return { action: 'unchanged', url: issue.html_url };
  await write(client, issue.number, { title: report.title, body: text, state: 'open' });
  if (changed || !isOpen) await comment(client, issue.number, summary);
  return { action: 'updated', url: issue.html_url };
}

/** More names would take too much of the text's length. */
const MOST_NAMES = 100;

/** The names of drifted hosts are stored with the digest, so that a host that leaves the policy is noticed. */
const withHosts = (digest: string, hosts: readonly string[]): string =>
  [digest, ...hosts.slice(0, MOST_NAMES)].join(' ');

const digestIn = (state: string | undefined): string | undefined => state?.split(' ')[0];

/** Hosts that had drifted and are no longer checked. */
function gone(state: string | undefined, { hosts }: DriftReport): readonly string[] {
  const names = (state?.split(' ').slice(1) ?? []).filter((name) => !hosts.includes(name));
  return names.length === 0
    ? []
    : [
        `No longer checked, because no longer in the policy: ${names.map((name) => `\`${name}\``).join(', ')}.`,
      ];
}

async function closeDuplicate(client: RepositoryApi, duplicate: Issue, other: number): Promise<void> {
  await comment(
    client,
    duplicate.number,
    `Duplicate of #${other}: two runs opened an issue at the same time.`,
  );
  const { rest, owner, repo } = client;
  await rest.issues.update({
    owner,
    repo,
    issue_number: duplicate.number,
    state: 'closed',
    state_reason: 'not_planned',
  });
}

/** The newest first, open before closed. */
async function ownIssues(client: RepositoryApi, marker: Marker): Promise<readonly Issue[]> {
  const { owner, repo } = client;
  const labelled = await client.paginate(client.rest.issues.listForRepo, {
    owner,
    repo,
    labels: DRIFT_LABEL,
    state: 'all',
    per_page: 100,
  });
  return (await findOurs(client, marker, labelled)).toSorted(
    (a, b) => Number(b.state === 'open') - Number(a.state === 'open') || b.number - a.number,
  );
}

async function open(
  { rest, owner, repo }: RepositoryApi,
  { title }: DriftReport,
  body: string,
): Promise<Update> {
  const { data } = await rest.issues.create({ owner, repo, title, body, labels: [DRIFT_LABEL] });
  return { action: 'created', url: data.html_url };
}

async function close(
  client: RepositoryApi,
  issue: Issue,
  report: DriftReport,
  body: string,
): Promise<Update> {
  await comment(client, issue.number, report.summary);
  await write(client, issue.number, { title: report.title, body, state: 'closed' });
  return { action: 'closed', url: issue.html_url };
}

/** GitHub answers 200 to a body that is too long and drops it, so the response is checked. */
async function write(
  { rest, owner, repo }: RepositoryApi,
  number: number,
  change: { title: string; body: string; state: 'open' | 'closed' },
): Promise<void> {
  const { data } = await rest.issues.update({ owner, repo, issue_number: number, ...change });
  if (!sameText(data.body, change.body)) throw new Error('GitHub kept the old text of the drift issue');
}

async function comment({ rest, owner, repo }: RepositoryApi, number: number, body: string): Promise<void> {
  await rest.issues.createComment({ owner, repo, issue_number: number, body });
}
