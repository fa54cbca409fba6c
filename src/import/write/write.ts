/** Writes the drafts of hosts as the files of a policy. */
import { Document, isMap, isScalar, isSeq, visit } from 'yaml';
import { list } from '../../lib/text.js';
import { withoutFullPrefix } from '../../naming/address-sets.js';
import type { IpSet, Rule } from '../../netfilter/model.js';
import { SCHEMAS } from '../../policy/files/schema-url.js';
import { CONTROL } from '../../policy/values.js';
import type { BaselineDraft, HostDraft } from '../draft/host.js';
import type { DraftRule } from '../draft/join.js';
import type { ImportHost } from '../model.js';
import {
  DEFAULT_LOG_LIMIT,
  type Entry,
  entryOf,
  LISTS,
  type ListName,
  type Names,
  oneOrList,
  type Value,
} from '../read/entry.js';
import { linesOf, nameInterfaces, nameNetworks, nameServiceLists, roleName } from './generated-names.js';
import { namesFrom } from './names.js';
import { reasonOf } from './reason.js';

export interface FleetHost extends Pick<ImportHost, 'name' | 'address' | 'addresses' | 'user' | 'port'> {
  readonly sets: readonly IpSet[];
  readonly draft: HostDraft;
  /** Findings about live rules, written above the entries that the rules became. */
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
  /** The policy's file of host keys. */
  readonly knownHosts?: string;
  /** By the role or host whose rules they are about; under the empty name those of the fleet. */
  readonly suppressions: ReadonlyMap<string, readonly Suppression[]>;
}

/** Keys that are `undefined` are not written. */
type File = { readonly [key: string]: unknown };

/** The files of a policy: path below its folder → text. */
export function writeFleet({
  hosts,
  admin,
  ownership,
  knownHosts,
  suppressions,
}: FleetDraft): ReadonlyMap<string, string> {
  const drafts = hosts.map(({ draft }) => draft);
  const networks = nameNetworks(
    drafts,
    admin,
    hosts.map(({ sets }) => sets),
  );
  const networkNames = new Map([...networks].map(([key, { name }]) => [key, name]));
  const services = nameServiceLists(drafts);
  const interfaces = new Map(hosts.map(({ name, draft }) => [name, nameInterfaces(draft)]));
  const names = ({ name }: FleetHost): Names =>
    namesFrom(networkNames, interfaces.get(name) ?? new Map(), services);
  const addresses = (members: readonly string[]): Value => oneOrList(members.map(withoutFullPrefix));
  const roles = groupRoles(hosts, names);
  const common = commonBaseline(drafts);
  const { user = 'root', port = 22 } = hosts[0] ?? {};
  const files = new Map<string, string>();
  files.set(
    'fleet.yml',
    text('fleet', {
      version: 1,
      ssh: { user, port: port === 22 ? undefined : port, known_hosts: knownHosts },
      admin: ['admin'],
      ownership,
      baseline: common && baselineEntry(common),
      accept: suppressions.get(''),
    }),
  );
  files.set(
    'networks.yml',
    text('networks', {
      networks: Object.fromEntries(
        [...networks.values()].map(({ name, members }) => [name, addresses(members)]),
      ),
    }),
  );
  files.set(
    'services.yml',
    text('services', {
      services: Object.fromEntries([...services].map(([key, name]) => [name, key.split(' ')])),
    }),
  );
  for (const { name, hosts: members, lists } of roles)
    files.set(
      `roles/${name}.yml`,
      text(
        'role',
        {
          description: `Rules that ${list(
            members.map((host) => host.name),
            MAX_NAMED,
          )} had in common when they were imported`,
          accept: suppressions.get(name),
          ...lists,
        },
        members[0] && remarksOf(members[0]),
      ),
    );
  for (const host of hosts) {
    const role = roles.find((each) => each.hosts.includes(host));
    const own = [...(interfaces.get(host.name) ?? [])];
    const ssh = {
      user: host.user === user ? undefined : host.user,
      port: host.port === port ? undefined : host.port,
    };
    files.set(
      `hosts/${host.name}.yml`,
      text(
        'hosts',
        {
          address: host.address,
          addresses:
            host.addresses.length === 1 && host.addresses[0] === host.address ? undefined : host.addresses,
          roles: role && [role.name],
          interfaces:
            own.length === 0 ? undefined : Object.fromEntries(own.map(([kernel, name]) => [name, kernel])),
          ssh: ssh.user === undefined && ssh.port === undefined ? undefined : ssh,
          baseline: common === undefined ? baselineEntry(host.draft.baseline) : undefined,
          accept: suppressions.get(host.name),
          ...(role === undefined ? listsOf(host, names(host)) : {}),
        },
        remarksOf(host),
      ),
    );
  }
  return files;
}

/** The hosts that the description of a role names. */
const MAX_NAMED = 4;

/** The lists of rules of a host; `also` are hosts with the same ones. */
function listsOf(host: FleetHost, names: Names, also: readonly string[] = []): File {
  return Object.fromEntries(
    LISTS.flatMap((name) => {
      const rules = host.draft.lists[name];
      if (rules.length === 0) return [];
      return [[name, rules.map((rule) => entryOf(rule, names, reasonOf(rule, host.name, also)))]];
    }),
  );
}

/** By list, in the order of its entries. */
type Remarks = { readonly [list in ListName]?: readonly string[] };

const remarksOf = (host: FleetHost): Remarks =>
  Object.fromEntries(LISTS.map((list) => [list, host.draft.lists[list].map((line) => remarkOn(line, host))]));

/** The most remarks above one entry. */
const MAX_REMARKS = 3;

/** The comment above an entry; empty if there is none. */
function remarkOn({ origins }: DraftRule, { name, remarks }: FleetHost): string {
  const texts = [...new Set(origins.flatMap(({ rule }) => remarks.get(rule) ?? []))];
  const lines = texts.slice(0, MAX_REMARKS).map((text) => ` ${name}: ${text.replace(CONTROL, ' ')}`);
  const more =
    texts.length > MAX_REMARKS
      ? [` ${texts.length - MAX_REMARKS} more of these rules have such a remark.`]
      : [];
  return [...lines, ...more].join('\n');
}

interface RoleDraft {
  readonly name: string;
  readonly hosts: readonly FleetHost[];
  readonly lists: File;
}

/** Hosts with the same rules, whatever their reasons, get one role. */
function groupRoles(hosts: readonly FleetHost[], names: (host: FleetHost) => Names): readonly RoleDraft[] {
  const groups = new Map<string, [FleetHost, ...FleetHost[]]>();
  for (const host of hosts) {
    if (linesOf(host.draft).length === 0) continue;
    const key = JSON.stringify(listsOf(host, names(host)), (name, value) =>
      name === 'reason' ? undefined : value,
    );
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [host]);
    else group.push(host);
  }
  const taken = new Set<string>();
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .map((group) => {
      const [first] = group;
      const hostNames = group.map((host) => host.name);
      const name = roleName(hostNames, taken);
      taken.add(name);
      return { name, hosts: group, lists: listsOf(first, names(first), hostNames.slice(1)) };
    });
}

/** The baseline of all hosts, if it is the same. */
function commonBaseline(drafts: readonly HostDraft[]): BaselineDraft | undefined {
  const keys = new Set(drafts.map(({ baseline }) => JSON.stringify(baseline)));
  return keys.size === 1 ? drafts[0]?.baseline : undefined;
}

/** A log prefix without the characters that the policy does not allow, at most 29 (the kernel's limit). */
function prefixOf(prefix: string): string {
  const kept = prefix.replace(/[^ !#-[\]-~]/g, '').slice(0, 29);
  return kept === '' ? 'iptables-drop: ' : kept;
}

function baselineEntry({ input, forward, output, icmp, log, parts }: BaselineDraft): Entry {
  const { rate, burst } = log?.limit ?? DEFAULT_LOG_LIMIT;
  const byRules = (part: boolean): 'rules' | undefined => (part ? undefined : 'rules');
  return {
    input,
    forward,
    output,
    icmp,
    log:
      log === undefined
        ? false
        : { rate: `${rate.count}/${rate.per}`, burst, prefix: prefixOf(log.prefix), level: log.level },
    loopback: byRules(parts.loopback),
    established: byRules(parts.established),
    invalid: byRules(parts.invalid),
    ssh: byRules(parts.ssh),
  };
}

/** A longer list is written one item a line. */
const MAX_INLINE = 8;
const INLINE_KEYS: ReadonlySet<string> = new Set(['ssh', 'rate', 'log', 'interfaces']);

/** A YAML file with its schema; `remarks` become comments above entries. */
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
      const isCollection = isMap(inner) || isSeq(inner);
      if (isMap(inner) && isScalar(key) && INLINE_KEYS.has(String(key.value))) inner.flow = true;
      if (isCollection && inner.items.length === 0) inner.flow = true;
    },
  });
  return `# yaml-language-server: $schema=${SCHEMAS}${schema}.schema.json\n${document.toString({ lineWidth: 0, flowCollectionPadding: false })}`;
}
