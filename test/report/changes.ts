/**
 * Typical changes of a small fleet, as pull requests make them: the policy before and after, planned against hosts that
 * run what the policy said before beside rules of their own.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderRuleset } from '../../src/compile/render.js';
import type { HostClient, HostState } from '../../src/host/client.js';
import { formatProblem } from '../../src/lib/problem.js';
import type { RulesText } from '../../src/netfilter/model.js';
import type { Fleet } from '../../src/policy/fleet.js';
import { readFleet } from '../../src/policy/resolve/fleet.js';
import { assess } from '../../src/rollout/plan/assess.js';
import { planFleet } from '../../src/rollout/plan/plan.js';
import type { Plan } from '../../src/rollout/results/model.js';

type Files = ReadonlyMap<string, string>;

export interface Change {
  /** The title of the pull request. */
  readonly title: string;
  /** What it does to the files of `fleet/`: a text instead of another. */
  readonly edits: readonly (readonly [file: string, from: string, to: string])[];
  readonly renames?: Readonly<Record<string, string>>;
  /** The day on which it is planned. */
  readonly today?: string;
  /** What hosts run, where it is not what the policy said before. */
  readonly live?: Readonly<Record<string, string>>;
}

const TODAY = '2027-03-01';

const rule = (lines: string): string => `  - ${lines.trim().replace(/\n */g, '\n    ')}\n`;

/** Adds a rule at the end of a role. */
const appended = (file: string, last: string, lines: string): readonly [string, string, string] => [
  file,
  `${last}\n`,
  `${last}\n${rule(lines)}`,
];

const HAND_MADE = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -s 10.10.0.0/16 -p tcp -m tcp --dport 5432 -j ACCEPT
-A INPUT -s 10.60.0.0/22 -p tcp -m multiport --dports 5432,6432 -m comment --comment "analysts" -j ACCEPT
-A INPUT -s 10.20.30.0/24 -p tcp -m tcp --dport 9100 -j ACCEPT
-A INPUT -s 192.0.2.77/32 -j ACCEPT
-A INPUT -p udp -m udp --dport 161 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
`;

export const CHANGES: Readonly<Record<string, Change>> = {
  'open-a-port': {
    title: 'Let the VPN reach the web servers’ status page',
    edits: [
      appended(
        'roles/web.yml',
        '    reason: The public site',
        `allow: tcp/8081
         from: vpn
         reason: The status page of nginx`,
      ),
    ],
  },
  'close-a-port': {
    title: 'The admin console is gone',
    edits: [
      [
        'roles/app.yml',
        rule(`allow: admin-console
          from: vpn
          reason: Support looks after orders`),
        '',
      ],
    ],
  },
  'widen-a-source': {
    title: 'Analysts query the database over the VPN',
    edits: [['roles/database.yml', 'from: app', 'from: [app, vpn]']],
  },
  'add-a-host-to-a-role': {
    title: 'app-2 serves the public site as well',
    edits: [['hosts/inside.yml', '12"], roles: [app] }', '12"], roles: [app, web] }']],
  },
  'lock-egress': {
    title: 'The databases may leave for what is named alone',
    edits: [
      [
        'roles/database.yml',
        'expires: 2027-03-31\n',
        `expires: 2027-03-31
output:
  - allow: dns
    to: resolvers
    reason: Name resolution
  - allow: [http, https]
    to: mirrors
    reason: Package mirrors
`,
      ],
      [
        'hosts/inside.yml',
        '4::2"], roles: [database] }',
        '4::2"], roles: [database], baseline: { output: drop } }',
      ],
      [
        'hosts/inside.yml',
        '4::3"], roles: [database] }',
        '4::3"], roles: [database], baseline: { output: drop } }',
      ],
    ],
  },
  'reorder-without-effect': {
    title: 'HTTPS before HTTP',
    edits: [
      [
        'roles/web.yml',
        /* from */ `  - allow: http
    from: any
    reason: Redirects to HTTPS
  - allow: https
    from: any
    reason: The public site
`,
        `  - allow: https
    from: any
    reason: The public site
  - allow: http
    from: any
    reason: Redirects to HTTPS
`,
      ],
    ],
  },
  'rename-a-role': {
    title: 'The role "web" is called "frontend"',
    renames: { 'roles/web.yml': 'roles/frontend.yml' },
    edits: [
      ['hosts/web.yml', 'roles: [web]', 'roles: [frontend]'],
      ['roles/app.yml', 'role:web', 'role:frontend'],
    ],
  },
  'expire-a-rule': {
    title: 'The migration has ended',
    today: '2027-04-01',
    edits: [],
  },
  'remove-a-role': {
    title: 'web-3 leaves the public site',
    edits: [['hosts/web.yml', '23"], roles: [web] }', '23"], roles: [base] }']],
  },
  'add-a-deny': {
    title: 'Scanners see nothing of the public site',
    edits: [
      [
        'roles/web.yml',
        'input:\n',
        `input:\n${rule(`deny: any
          from: scanners
          reason: They look for holes all day`)}`,
      ],
    ],
  },
  'first-adoption': {
    title: 'db-1 comes under the policy',
    edits: [],
    live: { 'db-1': HAND_MADE },
  },
};

function files(): Files {
  const folder = join(import.meta.dirname, 'fleet');
  const paths = ['.', 'roles', 'hosts'].flatMap((part) =>
    readdirSync(join(folder, part))
      .filter((name) => name.endsWith('.yml'))
      .map((name) => (part === '.' ? name : `${part}/${name}`)),
  );
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path), 'utf8')]));
}

function edited(before: Files, { edits, renames = {} }: Change): Files {
  const texts = new Map(before);
  for (const [file, from, to] of edits) {
    const text = texts.get(file) ?? '';
    if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
    texts.set(file, text.replaceAll(from, to));
  }
  return new Map([...texts].map(([path, text]) => [renames[path] ?? path, text]));
}

function fleetOf(texts: Files, today: string): Fleet {
  const paths = new Map([...texts].map(([path, text]) => [`policies/${path}`, text]));
  const read = readFleet(paths, 'policies', { today });
  if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
  return read.value;
}

/** Rules that others made. */
const FOREIGN: Readonly<Record<string, string>> = {
  'app-1': `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
`,
  'web-1': `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:f2b-sshd - [0:0]
-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
-A f2b-sshd -s 198.51.100.66/32 -j REJECT --reject-with icmp-port-unreachable
-A f2b-sshd -j RETURN
COMMIT
`,
};

const NOTHING: RulesText = { v4: '', v6: '', sets: '' };

const recorded = (host: string, live: RulesText): HostState => ({
  live,
  saved: {},
  boot: { loader: 'none', enabled: false, paths: NOTHING },
  backend: 'nft',
  versions: { iptables: '', kernel: '' },
  facts: {
    hostname: host,
    machineId: '',
    addresses: [],
    interfaces: [],
    systemd: false,
    ipv6: true,
  },
  record: { history: [] },
  recorded: true,
});

/** What each host runs once the policy is deployed. */
function deployed(fleet: Fleet): ReadonlyMap<string, RulesText> {
  return new Map(
    fleet.hosts.map((host) => {
      const state = recorded(host.name, { ...NOTHING, v4: FOREIGN[host.name] ?? '' });
      const { deployable: ready, plan } = assess(fleet, host, { status: 'read', state });
      if (ready === undefined) throw new Error(`${host.name}: ${plan.reason}`);
      return [host.name, renderRuleset(ready.transitions.live.next)];
    }),
  );
}

/** The plan that the pull request shows. */
export async function planOf(change: Change): Promise<Plan> {
  const before = files();
  const old = fleetOf(before, TODAY);
  const next = fleetOf(edited(before, change), change.today ?? TODAY);
  const running = deployed(old);
  const client: Pick<HostClient, 'read'> = {
    read: async ({ name }) => {
      const own = change.live?.[name];
      const live = own === undefined ? (running.get(name) ?? NOTHING) : { ...NOTHING, v4: own };
      return { status: 'read', state: recorded(name, live) };
    },
  };
  return planFleet(next, next.hosts, client, { commit: '3f1c9e7a2b4d5c6e7f8091a2b3c4d5e6f7089a1b' });
}
