/** The drafts of hosts as the files of a policy. */
import { Document, isMap, isScalar, isSeq, visit } from 'yaml';
import type { IpSet, Rule } from '../../netfilter/model.js';
import { SCHEMAS } from '../../policy/files/schema-url.js';
import { CONTROL } from '../../policy/values.js';
import type { BaselineDraft, HostDraft } from '../draft/host.js';
import type { DraftRule } from '../draft/join.js';
import { type Entry, entryOf, type ListName, type Names, USUAL_LIMIT, type Value } from '../read/entry.js';
import { linesOf, nameInterfaces, nameNetworks, nameServiceLists, roleName } from './generated-names.js';
import { namesFrom } from './names.js';
import { reasonOf } from './reason.js';

export interface FleetHost {
  readonly name: string;
  readonly address: string;
  readonly addresses: readonly string[];
  /** Said of the address above it, when nothing tells it. */
  readonly unknownAddress?: true;
  readonly user: string;
  readonly port: number;
  readonly sets: readonly IpSet[];
  readonly draft: HostDraft;
  /** What is to be said of rules as the host runs them: it stands above the entries that they became. */
  readonly remarks: ReadonlyMap<Rule, string>;
}

export interface Suppression {
  readonly finding: string;
  readonly reason: string;
}

export interface FleetDraft {
  readonly hosts: readonly FleetHost[];
  readonly admin: readonly string[];
  readonly ownership: 'chains' | 'tables';
  readonly knownHosts?: string;
  /** By the role or host whose rules they are about; of the fleet under the empty name. */
  readonly suppressions: ReadonlyMap<string, readonly Suppression[]>;
}

const LISTS: readonly ListName[] = ['input', 'output', 'forward', 'nat', 'raw'];

type File = { readonly [key: string]: unknown };

/** Path below the policy folder → text. */
export function writeFleet(fleet: FleetDraft): ReadonlyMap<string, string> {
  const { hosts, admin, suppressions } = fleet;
  const networks = nameNetworks(
    hosts.map(({ draft }) => draft),
    admin,
    hosts.map(({ sets }) => sets),
  );
  const networkNames = new Map([...networks].map(([key, { name }]) => [key, name]));
  const services = nameServiceLists(hosts.map(({ draft }) => draft));
  const interfaces = new Map(hosts.map(({ name, draft }) => [name, nameInterfaces(draft)]));
  const names = (host: FleetHost): Names =>
    namesFrom(networkNames, interfaces.get(host.name) ?? new Map(), services);
  const plainAddress = (members: readonly string[]): Value => {
    const list = members.map((member) => member.replace(/(?<=\..*)\/32$|(?<=:.*)\/128$/, ''));
    return list.length === 1 ? (list[0] ?? '') : list;
  };
  const roles = groupRoles(hosts, names);
  const common = commonBaseline(hosts);
  const ssh = { user: hosts[0]?.user ?? 'root', port: hosts[0]?.port ?? 22 };
  const accepted = (name: string): File => {
    const list = suppressions.get(name) ?? [];
    return list.length === 0 ? {} : { accept: list };
  };
  const files = new Map<string, string>();
  files.set(
    'fleet.yml',
    text('fleet', {
      version: 1,
      ssh: {
        user: ssh.user,
        ...(ssh.port === 22 ? {} : { port: ssh.port }),
        ...(fleet.knownHosts === undefined ? {} : { known_hosts: fleet.knownHosts }),
      },
      admin: ['admin'],
      ownership: fleet.ownership,
      ...(common === undefined ? {} : { baseline: baselineEntry(common) }),
      ...accepted(''),
    }),
  );
  files.set(
    'networks.yml',
    text('networks', {
      networks: Object.fromEntries(
        [...networks.values()].map(({ name, members }) => [name, plainAddress(members)]),
      ),
    }),
  );
  files.set(
    'services.yml',
    text('services', {
      services: Object.fromEntries([...services].map(([key, name]) => [name, key.split(' ')])),
    }),
  );
  for (const { name, hosts: some, lists } of roles)
    files.set(
      `roles/${name}.yml`,
      text(
        'role',
        {
          description: `What ${listOf(some.map((host) => host.name))} had in common when they were imported`,
          ...accepted(name),
          ...lists,
        },
        some[0] && remarksOf(some[0]),
      ),
    );
  for (const host of hosts) {
    const role = roles.find((each) => each.hosts.includes(host));
    const own = interfaces.get(host.name) ?? new Map<string, string>();
    const sshOf = {
      ...(host.user === ssh.user ? {} : { user: host.user }),
      ...(host.port === ssh.port ? {} : { port: host.port }),
    };
    files.set(
      `hosts/${host.name}.yml`,
      text(
        'hosts',
        {
          address: host.address,
          ...(host.addresses.length === 1 && host.addresses[0] === host.address
            ? {}
            : { addresses: host.addresses }),
          ...(role === undefined ? {} : { roles: [role.name] }),
          ...(own.size === 0
            ? {}
            : { interfaces: Object.fromEntries([...own].map(([kernel, name]) => [name, kernel])) }),
          ...(Object.keys(sshOf).length === 0 ? {} : { ssh: sshOf }),
          ...(common === undefined ? { baseline: baselineEntry(host.draft.baseline) } : {}),
          ...accepted(host.name),
          ...(role === undefined ? listsOf(host, names(host)) : {}),
        },
        remarksOf(host),
      ),
    );
  }
  return files;
}

/** The most hosts that are named one by one. */
const MAX_NAMED = 4;

const listOf = (names: readonly string[]): string =>
  names.length <= MAX_NAMED
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMED - 1).join(', ')} and ${names.length - MAX_NAMED + 1} more`;

function listsOf(host: FleetHost, names: Names, also: readonly string[] = []): File {
  return Object.fromEntries(
    LISTS.flatMap((list) => {
      const lines = host.draft.lists[list];
      if (lines.length === 0) return [];
      return [[list, lines.map((line) => entryOf(line, names, reasonOf(line, host.name, also)))]];
    }),
  );
}

/** By list, in the order of its entries. */
type Remarks = { readonly [list in ListName]?: readonly string[] };

const remarksOf = (host: FleetHost): Remarks =>
  Object.fromEntries(LISTS.map((list) => [list, host.draft.lists[list].map((line) => remarkOn(line, host))]));

/** The most remarks above one entry. */
const MAX_REMARKS = 3;

/** The comment above an entry; empty when there is nothing to say. */
function remarkOn({ origins }: DraftRule, { name, remarks }: FleetHost): string {
  const texts = [...new Set(origins.flatMap(({ rule }) => remarks.get(rule) ?? []))];
  const lines = texts.slice(0, MAX_REMARKS).map((text) => ` ${name}: ${text.replace(CONTROL, ' ')}`);
  const more =
    texts.length > MAX_REMARKS ? [` ${texts.length - MAX_REMARKS} more of these rules are like that.`] : [];
  return [...lines, ...more].join('\n');
}

interface RoleDraft {
  readonly name: string;
  readonly hosts: readonly FleetHost[];
  readonly lists: File;
}

/** Hosts that say the same, whatever the reasons, are of one role. */
function groupRoles(hosts: readonly FleetHost[], names: (host: FleetHost) => Names): readonly RoleDraft[] {
  const groups = new Map<string, FleetHost[]>();
  for (const host of hosts) {
    if (linesOf(host.draft).length === 0) continue;
    const lists = listsOf(host, names(host));
    const key = JSON.stringify(lists, (name, value) => (name === 'reason' ? undefined : value));
    groups.set(key, [...(groups.get(key) ?? []), host]);
  }
  const taken = new Set<string>();
  return [...groups.values()]
    .filter((some) => some.length > 1)
    .map((some) => {
      const [first] = some as [FleetHost];
      const name = roleName(
        some.map((host) => host.name),
        taken,
      );
      taken.add(name);
      const also = some.slice(1).map((host) => host.name);
      return { name, hosts: some, lists: listsOf(first, names(first), also) };
    });
}

function commonBaseline(hosts: readonly FleetHost[]): BaselineDraft | undefined {
  const [first, ...others] = hosts.map(({ draft }) => draft.baseline);
  const key = JSON.stringify(first);
  return others.every((other) => JSON.stringify(other) === key) ? first : undefined;
}

/** What a log may begin with, as the policy takes it; what it cannot is left out. */
function prefixOf(prefix: string): string {
  const kept = prefix.replace(/[^ !#-[\]-~]/g, '').slice(0, 29);
  return kept === '' ? 'iptables-drop: ' : kept;
}

function baselineEntry({ input, forward, output, icmp, log, parts }: BaselineDraft): Entry {
  const { rate, burst } = log?.limit ?? USUAL_LIMIT;
  return {
    input,
    forward,
    output,
    icmp,
    log:
      log === undefined
        ? false
        : { rate: `${rate.count}/${rate.per}`, burst, prefix: prefixOf(log.prefix), level: log.level },
    ...(parts.loopback ? {} : { loopback: 'rules' }),
    ...(parts.established ? {} : { established: 'rules' }),
    ...(parts.invalid ? {} : { invalid: 'rules' }),
    ...(parts.ssh ? {} : { ssh: 'rules' }),
  };
}

/** More than so many words stand below each other. */
const MAX_INLINE = 8;
const INLINE_KEYS: ReadonlySet<string> = new Set(['ssh', 'rate', 'log', 'interfaces']);

function text(schema: string, value: File, remarks: Remarks = {}): string {
  const document = new Document(value);
  for (const list of LISTS)
    for (const [index, remark] of (remarks[list] ?? []).entries()) {
      const node = document.getIn([list, index], true);
      if (isMap(node) && remark !== '') node.commentBefore = remark;
    }
  visit(document, {
    Seq: (_, node) => {
      if (node.items.every(isScalar) && node.items.length <= MAX_INLINE) node.flow = true;
    },
    Pair: (_, { key, value: inner }) => {
      if (isMap(inner) && isScalar(key) && INLINE_KEYS.has(String(key.value))) inner.flow = true;
      if (isSeq(inner) && inner.items.length === 0) inner.flow = true;
      if (isMap(inner) && inner.items.length === 0) inner.flow = true;
    },
  });
  return `# yaml-language-server: $schema=${SCHEMAS}${schema}.schema.json\n${document.toString({ lineWidth: 0, flowCollectionPadding: false })}`;
}
