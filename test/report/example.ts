/** Plans, outcomes and drift as they look in life, for goldens and screenshots. */
import { createHash } from 'node:crypto';
import type { PolicyNames } from '../../src/naming/policy-names.js';
import { diffTables } from '../../src/netfilter/diff.js';
import type { RuleChange, RuleDiff } from '../../src/netfilter/model.js';
import { parseRules, parseSave } from '../../src/netfilter/text/parse.js';
import type { Adoption } from '../../src/rollout/results/adoption.js';
import type { Drift, HostPlan, Outcome, Outcomes, Plan, StateDiff } from '../../src/rollout/results/model.js';
import type { DecidingRule, Flow } from '../../src/traffic/model.js';

/** The filter table of a host with these rules in its owned chain. */
const table = (rules: readonly string[]): string =>
  [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':SALLYPORT-INPUT - [0:0]',
    '-A INPUT -m comment --comment sallyport -j SALLYPORT-INPUT',
    ...rules.map((rule) => `-A SALLYPORT-INPUT ${rule}`),
    'COMMIT',
    '',
  ].join('\n');

const BASELINE = [
  '-i lo -j ACCEPT',
  '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-m conntrack --ctstate INVALID -j DROP',
  '-p icmp -m icmp --icmp-type 3 -j ACCEPT',
  '-s 203.0.113.0/24 -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m comment --comment "baseline: SSH for admin" -j ACCEPT',
];
const FINAL = [
  '-m limit --limit 5/min --limit-burst 10 -j LOG --log-prefix "iptables-drop: "',
  '-m comment --comment "baseline: drop the rest" -j DROP',
];
const allow = (port: number, comment: string, from?: string): string =>
  `${from === undefined ? '' : `-s ${from} `}-p tcp -m tcp --dport ${port} -m conntrack --ctstate NEW -m comment --comment "${comment}" -j ACCEPT`;

const METRICS = allow(9100, 'web: Prometheus scrapes node_exporter', '10.20.30.0/24');
const HTTPS = allow(443, 'web: The public site');
const HTTP = allow(80, 'web: The public site');
const OLD_ADMIN = allow(8443, 'web: The old admin console');
const POSTGRES = allow(5432, 'database: The application reads and writes', '10.10.0.0/16');
const POSTGRES_WORLD = allow(5432, 'database: Migration from the old data centre');

function ruleDiff(before: readonly string[], after: readonly string[]): RuleDiff {
  const [old, next] = [before, after].map((rules) =>
    parseSave(table([...BASELINE, ...rules, ...FINAL]), 'v4', 'rules.v4'),
  );
  if (!old?.ok || !next?.ok) throw new Error('The example does not parse.');
  return diffTables(old.value, next.value);
}

export const NO_DIFF: RuleDiff = { added: [], removed: [], moved: [], text: '' };

/** A rule of the policy, or of a host where the file is called `web-1 live v4`. */
export function decided(text: string, file: string, line: number, number = 7): DecidingRule {
  const source = { kind: file.includes(' live ') ? 'host' : 'policy', file, line, column: 5 } as const;
  const parsed = parseRules(text, { family: 'v4', table: 'filter', chain: 'INPUT', location: source });
  const reason = parsed.ok ? parsed.value[0]?.comment : undefined;
  return { table: 'filter', chain: 'SALLYPORT-INPUT', number, text, reason, source };
}

export const FINAL_DROP: DecidingRule = {
  table: 'filter',
  chain: 'SALLYPORT-INPUT',
  number: 12,
  text: '-m comment --comment "baseline: drop the rest" -j DROP',
  reason: 'baseline: drop the rest',
  source: { kind: 'policy', file: 'policies/fleet.yml', line: 6, column: 1 },
};

export const flow = (over: Partial<Flow>): Flow => ({
  family: 'v4',
  hook: 'INPUT',
  in: [],
  out: [],
  state: ['NEW'],
  protocol: 'tcp',
  src: [],
  dst: [],
  sport: [],
  dport: ['443'],
  type: [],
  before: null,
  after: null,
  example: {
    hook: 'INPUT',
    src: '198.51.100.7',
    dst: '203.0.113.10',
    protocol: 'tcp',
    sport: 40000,
    dport: 443,
  },
  ...over,
});

export const NO_TRAFFIC = {
  equal: true,
  proved: true,
  opened: [],
  closed: [],
  possiblyOpened: [],
  possiblyClosed: [],
  answeredDifferently: [],
} as const;

const PROVED = { verdict: 'proved', reasons: [], accepted: false } as const;
const digest = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

export const unchanged = (host: string): HostPlan => ({
  host,
  status: 'unchanged',
  live: digest('a'),
  next: digest('a'),
  rules: { v4: NO_DIFF, v6: NO_DIFF },
  sets: [],
  traffic: NO_TRAFFIC,
  lockout: PROVED,
  findings: [],
});

const metricsOpened = (address: string): Flow =>
  flow({
    src: ['10.20.30.0/24'],
    dport: ['9100'],
    before: FINAL_DROP,
    after: decided(METRICS, 'policies/roles/web.yml', 7),
    example: { hook: 'INPUT', src: '10.20.30.1', dst: address, protocol: 'tcp', sport: 40000, dport: 9100 },
  });

const adminClosed = (address: string, family: 'v4' | 'v6'): Flow =>
  flow({
    family,
    dport: ['8443'],
    before: decided(OLD_ADMIN, 'policies/roles/web.yml', 11),
    after: FINAL_DROP,
    example: {
      hook: 'INPUT',
      src: family === 'v4' ? '198.51.100.7' : '2001:db8:ffff::7',
      dst: address,
      protocol: 'tcp',
      sport: 40000,
      dport: 8443,
    },
  });

/** A web server that gains the metrics port and loses the old admin console. */
const webHost = (number: number): HostPlan => ({
  ...unchanged(`web-${number}`),
  status: 'changed',
  next: digest('b'),
  rules: {
    v4: ruleDiff([HTTP, HTTPS, OLD_ADMIN], [HTTP, HTTPS, METRICS]),
    v6: NO_DIFF,
  },
  traffic: {
    ...NO_TRAFFIC,
    equal: false,
    opened: [metricsOpened(`203.0.113.${9 + number}`)],
    closed: [adminClosed(`203.0.113.${9 + number}`, 'v4'), adminClosed(`2001:db8::${9 + number}`, 'v6')],
  },
  foreign:
    number === 1 ? { chains: ['DOCKER', 'DOCKER-USER', 'f2b-sshd'], rules: 14 } : { chains: [], rules: 0 },
});

/** A database that opens to the world by mistake, which a warning says. */
export const databaseHost: HostPlan = {
  ...unchanged('db-1'),
  status: 'changed',
  next: digest('c'),
  rules: { v4: ruleDiff([POSTGRES], [POSTGRES_WORLD, POSTGRES]), v6: NO_DIFF },
  traffic: {
    ...NO_TRAFFIC,
    equal: false,
    opened: [
      flow({
        dport: ['5432'],
        before: FINAL_DROP,
        after: decided(POSTGRES_WORLD, 'policies/roles/database.yml', 9),
        example: {
          hook: 'INPUT',
          src: '198.51.100.7',
          dst: '10.10.4.2',
          protocol: 'tcp',
          sport: 40000,
          dport: 5432,
        },
      }),
    ],
  },
  findings: [
    {
      id: 'open-to-the-world',
      level: 'warning',
      message: 'tcp/5432 (postgres) opens to every address.',
      hint: 'Name the networks that need it with `from:`, or say who asked with `owner:`.',
      source: { kind: 'policy', file: 'policies/roles/database.yml', line: 9, column: 5 },
    },
  ],
};

const NAMES: PolicyNames = {
  networks: { app: ['10.10.0.0/16'], monitoring: ['10.20.30.0/24'] },
  hosts: {},
  services: {},
};

const plan = (hosts: readonly HostPlan[]): Plan => ({
  version: 1,
  commit: '3f1c9e7a2b4d5c6e7f8091a2b3c4d5e6f7089a1b',
  digest: digest('d'),
  hosts,
  names: NAMES,
});

/** The change of the README's picture. */
export const typicalPlan = plan([
  ...Array.from({ length: 6 }, (_, index) => webHost(index + 1)),
  databaseHost,
  unchanged('dns-1'),
  unchanged('metrics-1'),
]);

export const unchangedPlan = plan([unchanged('dns-1'), unchanged('web-1')]);

export const troubledPlan = plan([
  webHost(1),
  {
    host: 'web-2',
    status: 'unreachable',
    reason: 'No SSH connection to 203.0.113.11:22 within 20 s.',
    findings: [],
  },
  { host: 'db-1', status: 'error', reason: 'sudo asks for a password.', findings: [] },
  {
    ...webHost(3),
    lockout: {
      verdict: 'violated',
      reasons: [
        'New SSH connections from 203.0.113.0/24 would be dropped, for example 203.0.113.1 to 203.0.113.12:22.',
      ],
      accepted: false,
    },
  },
  {
    ...webHost(4),
    traffic: {
      ...NO_TRAFFIC,
      equal: false,
      proved: false,
      why: 'The model needs more than 2,000,000 nodes.',
      possiblyOpened: [metricsOpened('203.0.113.13')],
    },
    findings: [
      {
        id: 'guard-broken',
        level: 'error',
        message: 'The guard "The database is never open to the world" does not hold.',
        source: { kind: 'policy', file: 'policies/fleet.yml', line: 20, column: 5 },
      },
      {
        id: 'dead-rule',
        level: 'note',
        message: 'This rule can never match.',
        source: { kind: 'policy', file: 'policies/roles/web.yml', line: 14, column: 5 },
      },
    ],
  },
]);

export const outcomes: Outcomes = {
  version: 1,
  commit: '3f1c9e7a2b4d5c6e7f8091a2b3c4d5e6f7089a1b',
  hosts: [
    { host: 'web-1', outcome: 'confirmed', wave: 0, phase: 'done', reason: '', seconds: 3.42 },
    { host: 'web-2', outcome: 'unchanged', wave: 1, phase: 'done', reason: '', seconds: 0.4 },
    {
      host: 'web-3',
      outcome: 'rolled-back',
      wave: 1,
      phase: 'verify',
      reason: 'No new SSH connection within 60 s; the host put its old rules back.',
      seconds: 61.03,
    },
    {
      host: 'db-1',
      outcome: 'unreachable',
      wave: 1,
      phase: 'connect',
      reason: 'No SSH connection to 10.10.4.2:22 within 20 s.',
      seconds: 20,
    },
    {
      host: 'dns-1',
      outcome: 'unknown',
      wave: 1,
      phase: 'confirm',
      reason: 'The connection broke while the host confirmed.',
      seconds: 12.5,
    },
    {
      host: 'web-4',
      outcome: 'not-reached',
      wave: 2,
      phase: 'connect',
      reason: 'The rollout stopped in wave 1.',
      seconds: 0,
    },
  ],
};

export const deployed: Outcomes = { ...outcomes, hosts: outcomes.hosts.slice(0, 2) };

export const drift: Drift = {
  version: 1,
  hosts: [
    { host: 'web-1', status: 'clean', live: [], saved: [], boot: [], ignored: { chains: 3, rules: 14 } },
    {
      host: 'web-2',
      status: 'drifted',
      live: [
        {
          kind: 'extra',
          family: 'v4',
          message: 'A rule that the policy does not have.',
          rule: '-A SALLYPORT-INPUT -p tcp -m tcp --dport 3306 -j ACCEPT',
        },
        {
          kind: 'missing',
          family: 'v4',
          message: 'A rule of the policy is not there.',
          rule: `-A SALLYPORT-INPUT ${METRICS}`,
          source: { kind: 'policy', file: 'policies/roles/web.yml', line: 7, column: 5 },
        },
      ],
      saved: [{ kind: 'file', message: '/etc/iptables/rules.v4 holds rules of an older commit.' }],
      boot: [{ kind: 'boot', message: 'netfilter-persistent is disabled: nothing loads at boot.' }],
      ignored: { chains: 1, rules: 2 },
    },
    {
      host: 'db-1',
      status: 'unreachable',
      reason: 'No SSH connection to 10.10.4.2:22 within 20 s.',
      live: [],
      saved: [],
      boot: [],
    },
  ],
};

export const noDrift: Drift = { version: 1, hosts: drift.hosts.slice(0, 1) };

const adding = (text: string, chain: string): StateDiff => {
  const change: RuleChange = { table: 'filter', chain, text };
  const patch = `--- filter ${chain}\n+++ filter ${chain}\n@@ -0,0 +1,1 @@\n+-A ${chain} ${text}\n`;
  return { v4: { ...NO_DIFF, added: [change], text: patch }, v6: NO_DIFF, sets: [] };
};
const refused = (host: string, changed: Outcome['changed']): Outcome => ({
  host,
  outcome: 'refused',
  wave: 0,
  phase: 'preflight',
  reason: 'plan-changed: the live rules are not those of the reviewed plan. Plan again.',
  seconds: 0,
  changed,
});
const since = adding('-p tcp -m tcp --dport 5432 -j ACCEPT', 'INPUT');
const next = adding('-p tcp -m tcp --dport 8443 -j ACCEPT', 'SALLYPORT-INPUT');
/** A rollout whose hosts are not as they were reviewed. */
export const refusedOutcomes: Outcomes = {
  version: 1,
  commit: null,
  stopped: 'Nothing was changed: the canary web-1 is refused.',
  hosts: [
    refused('web-1', { since, next }),
    refused('web-2', { since, next }),
    refused('web-3', { next }),
    refused('web-4', undefined),
  ],
};

/** One difference adopted, one left, and a host that could not be read. */
export const adoption: Adoption = {
  version: 1,
  date: '2027-01-01',
  hosts: [
    {
      host: 'web-1',
      status: 'read',
      taken: [
        {
          message: "A rule was added to INPUT, above the policy's rules.",
          rule: '-A INPUT -p tcp -m tcp --dport 5432 -j ACCEPT',
          families: ['v4'],
          how: 'A rule under `input:` of web-1: `allow: postgres, family: v4`.',
          file: 'policies/hosts/web-1.yml',
          note: 'The live rule also accepts packets in state INVALID; the policy does not.',
        },
      ],
      left: [
        {
          message: 'The policy of FORWARD is ACCEPT.',
          families: ['v4', 'v6'],
          why: 'It has no effect on any packet; the next deploy reverts it.',
        },
      ],
    },
    {
      host: 'web-2',
      status: 'unreachable',
      reason: 'No SSH connection to 192.0.2.2:22 within 20 s.',
      taken: [],
      left: [],
    },
  ],
  files: [{ path: 'policies/hosts/web-1.yml', before: '', after: 'x' }],
};
