/** Programs that manage rules of their own while they run: containers, bans, overlays, virtual machines. */
import type { IpSet, Rule } from '../netfilter/model.js';
import { setsNamedBy } from '../netfilter/tables.js';
import type { ProgramName } from '../policy/programs.js';

interface Program {
  /** As `may_remove` names it. */
  readonly name: ProgramName;
  readonly chains: RegExp;
  readonly interfaces?: RegExp;
  readonly comments?: RegExp;
  readonly sets?: RegExp;
  /** Its rules that have no other mark. */
  readonly writes?: (rule: Rule) => boolean;
}

/** Docker's rule for a container that reaches its own published port: from its address, to its address. */
const hairpin = ({ source, destination, target }: Rule): boolean =>
  target?.name === 'MASQUERADE' &&
  source !== undefined &&
  source.value === destination?.value &&
  !source.negated &&
  !destination.negated;

const PROGRAMS: readonly Program[] = [
  {
    name: 'docker',
    chains: /^DOCKER(-|$)/,
    interfaces: /^(docker\d|docker_gwbridge$|br-[0-9a-f]{12}$)/,
    sets: /^docker-ext-bridges-/,
    writes: hairpin,
  },
  { name: 'fail2ban', chains: /^(f2b|fail2ban)-/, sets: /^(f2b|fail2ban)-/ },
  { name: 'kube-proxy', chains: /^KUBE-/, comments: /^kubernetes /, sets: /^KUBE-/ },
  { name: 'libvirt', chains: /^LIBVIRT_/, interfaces: /^(virbr|vnet)\d/ },
  {
    name: 'calico',
    chains: /^cali-/,
    interfaces: /^(cali|tunl\d)/,
    comments: /^cali:/,
    sets: /^cali[46]0/,
  },
  { name: 'cilium', chains: /^(OLD_)?CILIUM_/, interfaces: /^(cilium_|lxc)/ },
  { name: 'flannel', chains: /^FLANNEL-/, interfaces: /^flannel/ },
  { name: 'weave', chains: /^WEAVE(-|$)/, interfaces: /^weave$/, sets: /^weave-/ },
  { name: 'cni', chains: /^CNI-/, interfaces: /^cni/ },
  { name: 'podman', chains: /^NETAVARK[-_]/, interfaces: /^podman\d/ },
  { name: 'nomad', chains: /^NOMAD-/ },
  { name: 'tailscale', chains: /^ts-(input|forward|postrouting)$/, interfaces: /^tailscale\d/ },
  { name: 'crowdsec', chains: /^CROWDSEC/, sets: /^crowdsec/ },
  { name: 'sshguard', chains: /^sshguard/, sets: /^sshguard/ },
];

/** The native nft tables of programs that change them as they run; each name is one that the program gives. */
const NATIVE_TABLES: readonly (readonly [program: string, table: RegExp])[] = [
  ['Docker', /^docker-bridges$/],
  ['fail2ban', /^f2b-table$/],
  ['CrowdSec', /^crowdsec6?(-chain)?$/],
  ['kube-proxy', /^kube-proxy$/],
  ['libvirt', /^libvirt_network$/],
  ['Podman', /^netavark$/],
  ['systemd-nspawn', /^io\.systemd\.nat$/],
  ['Incus', /^(incus|lxd)$/],
  ['firewalld', /^firewalld$/],
  ['Tailscale', /^tailscale/],
];

/** The program that made a native nft table, as people call it. */
export const programOfNativeTable = (name: string): string | undefined =>
  NATIVE_TABLES.find(([, table]) => table.test(name))?.[0];

/** The program that owns the chain. */
export const programOfChain = (name: string): ProgramName | undefined =>
  PROGRAMS.find(({ chains }) => chains.test(name))?.name;

/** The program that wrote the rule: by its chain or target, its interface, its comment or its set. */
export function programOfRule(chain: string, rule: Rule): ProgramName | undefined {
  const jump = rule.target?.chain ? rule.target.name : undefined;
  const interfaces = [rule.inInterface?.value, rule.outInterface?.value].filter((name) => name !== undefined);
  const sets = setsNamedBy(rule);
  return PROGRAMS.find(
    (program) =>
      program.chains.test(chain) ||
      (jump !== undefined && program.chains.test(jump)) ||
      interfaces.some((name) => program.interfaces?.test(name)) ||
      (rule.comment !== undefined && program.comments?.test(rule.comment)) ||
      sets.some((name) => program.sets?.test(name)) ||
      program.writes?.(rule),
  )?.name;
}

/** Whether a program creates the interface for its containers or machines. */
export const isProgramInterface = (name: string): boolean =>
  PROGRAMS.some(({ interfaces }) => interfaces?.test(name)) || /^veth/.test(name);

/** Whether the members of the set change without a deploy: a program fills it, or they time out. */
export const isDynamicSet = (set: IpSet): boolean =>
  PROGRAMS.some(({ sets }) => sets?.test(set.name)) || /\btimeout \d/.test(set.options);
