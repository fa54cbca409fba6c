/** A small fleet that runs its policy, with changes made by hand on some of its hosts. */
import { expect } from '@jest/globals';
import { adoptFleet } from '../../src/adopt/adopt-fleet.js';
import { renderRuleset } from '../../src/compile/render.js';
import { compileHost } from '../../src/compile/rules/compile.js';
import { formatProblem } from '../../src/lib/problem.js';
import type { RulesText } from '../../src/netfilter/model.js';
import { readFleet } from '../../src/policy/resolve/fleet.js';
import { checkHost } from '../../src/rollout/plan/check-host.js';
import { planFleet } from '../../src/rollout/plan/plan.js';
import type { Adoption } from '../../src/rollout/results/adoption.js';
import type { Plan } from '../../src/rollout/results/model.js';
import { modelFleet, modelHost } from '../rollout/model-host.js';

export const FILES: Readonly<Record<string, string>> = {
  'policies/fleet.yml': `version: 1
ssh: {user: deploy, known_hosts: known_hosts}
admin: [admin]
sets_from: 3
`,
  'policies/networks.yml': `networks:
  admin: [203.0.113.0/28, "2001:db8:a::/48"]
  office: [198.51.100.1, 198.51.100.3, 198.51.100.5] # three desks
`,
  'policies/roles/web.yml': `# What every web server lets in.
input:
  # the site
  - {allow: [http, https], from: any, reason: The public site}
  - {allow: tcp/9100, from: office, reason: Metrics}
`,
  'policies/hosts/web-1.yml': `# The first one.
addresses: [192.0.2.1, "2001:db8::1"]
roles: [web]

input: # its own
  - allow: tcp/8443   # the preview
    from: any
    reason: Staging preview

  - allow: udp/60000-61000
    from: any
    reason: mosh
`,
  'policies/hosts/others.yml': `hosts:
  web-2: { addresses: [192.0.2.2, "2001:db8::2"], roles: [web] }
  db-1: { addresses: [192.0.2.9] } # no role
`,
};

export type Change = (text: string) => string;
interface HostChanges {
  readonly v4?: Change;
  readonly v6?: Change;
  readonly sets?: Change;
}

export function fleetOf(files: Readonly<Record<string, string>>) {
  const read = readFleet(new Map(Object.entries(files)), 'policies', { today: '2027-01-01' });
  if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
  return read.value;
}

/** What every host runs after a deploy. */
export function deployed(files = FILES): Readonly<Record<string, RulesText>> {
  const fleet = fleetOf(files);
  return Object.fromEntries(
    fleet.hosts.map((host) => {
      const compiled = compileHost(fleet, host);
      if (!compiled.ok) throw new Error('The policy does not compile.');
      return [host.name, renderRuleset(compiled.value)];
    }),
  );
}

/** What every host runs with the changes made by hand on some of them. */
const changed = (
  changes: Readonly<Record<string, HostChanges>>,
  files = FILES,
): Readonly<Record<string, RulesText>> =>
  Object.fromEntries(
    Object.entries(deployed(files)).map(([name, text]) => {
      const { v4 = same, v6 = same, sets = same } = changes[name] ?? {};
      return [name, { v4: v4(text.v4), v6: v6(text.v6), sets: sets(text.sets) }];
    }),
  );

/** The adoption of hosts that run the policy, with the changes made by hand on some of them. */
export async function adopted(
  changes: Readonly<Record<string, HostChanges>>,
  files = FILES,
): Promise<Adoption> {
  const fleet = fleetOf(files);
  const saved = deployed(files);
  const hosts = Object.fromEntries(
    Object.entries(changed(changes, files)).map(([name, live]) => [
      name,
      modelHost({ live, saved: saved[name] }),
    ]),
  );
  return adoptFleet(fleet, new Map(Object.entries(files)), fleet.hosts, modelFleet(hosts), {
    date: '2027-01-01',
  });
}
const same: Change = (text) => text;

/** `iptables -I CHAIN 1`. */
export const first =
  (chain: string, rule: string): Change =>
  (text) =>
    text.replace(new RegExp(`^-A ${chain} `, 'm'), `-A ${chain} ${rule}\n$&`);
/** Inserts before the rule that contains the text. */
export const inFrontOf =
  (words: string, line: string): Change =>
  (text) =>
    text.replace(new RegExp(`^.*${words}.*$`, 'm'), `${line}\n$&`);
export const without =
  (words: string): Change =>
  (text) =>
    text.replace(new RegExp(`^.*${words}.*\n`, 'gm'), '');

export const policyOf = ({ files }: Adoption, path: string): string =>
  files.find((file) => file.path === path)?.after ?? FILES[path] ?? '';
export const of = ({ hosts }: Adoption, name: string) => {
  const found = hosts.find(({ host }) => host === name);
  if (found === undefined) throw new Error(`${name} is clean.`);
  return found;
};

/** A plan of the adopted policy, for hosts that still run what they ran. */
export async function planned(
  adoption: Adoption,
  changes: Readonly<Record<string, HostChanges>>,
): Promise<Plan> {
  const files = Object.fromEntries(Object.keys(FILES).map((path) => [path, policyOf(adoption, path)]));
  const fleet = fleetOf(files);
  const hosts = Object.fromEntries(
    Object.entries(changed(changes)).map(([name, live]) => [name, modelHost({ live })]),
  );
  for (const host of fleet.hosts)
    expect(checkHost(fleet, host, []).problems.filter(({ level }) => level === 'error')).toEqual([]);
  return planFleet(fleet, fleet.hosts, modelFleet(hosts));
}

export const opensAndCloses = (plan: Plan, name: string) => {
  const traffic = plan.hosts.find(({ host }) => host === name)?.traffic;
  return traffic && { equal: traffic.equal, opened: traffic.opened.length, closed: traffic.closed.length };
};
export const EQUAL = { equal: true, opened: 0, closed: 0 };

export const OPENED = '-p tcp -m tcp --dport 5432 -m conntrack --ctstate NEW -j ACCEPT';
