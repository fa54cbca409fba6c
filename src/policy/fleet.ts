/**
 * The policy after loading: names resolved, defaults filled in, rules in their final order, each part with its location
 * in the YAML. Pure data; later modules do not read YAML.
 */
import type { SourceLocation } from '../lib/problem.js';
import type { ProgramName } from './programs.js';

export interface Fleet {
  readonly version: 1;
  /** The folder it was loaded from, as given. */
  readonly directory: string;
  readonly ssh: SshSettings;
  /** Networks that must always reach SSH, on every host. Never empty. */
  readonly admin: AddressSet;
  readonly adminLocation?: SourceLocation;
  readonly ownership: 'chains' | 'tables';
  /** With `tables`: programs whose rules a deploy may remove even if they are running. */
  readonly mayRemove?: { readonly programs: readonly ProgramName[]; readonly location: SourceLocation };
  readonly rollout: RolloutSettings;
  readonly guards: readonly Guard[];
  readonly tests: readonly PolicyTest[];
  readonly networks: ReadonlyMap<string, AddressSet>;
  readonly services: ReadonlyMap<string, readonly Service[]>;
  readonly roles: ReadonlyMap<string, Role>;
  /** In the order of their names. */
  readonly hosts: readonly Host[];
  /** Address sets with at least this many entries in one family become ipsets. */
  readonly setsFrom: number;
  readonly suppressions: readonly Suppression[];
  /** Plans do not read connections and listening ports of hosts. */
  readonly skipActivity?: boolean;
  /** The day for which expiry was decided, `YYYY-MM-DD`; default: this day, UTC. */
  readonly today?: string;
  /** Named definitions of the policy; `used` when something refers to one. */
  readonly definitions?: readonly Definition[];
}

export interface Definition {
  readonly kind: 'network' | 'service' | 'role';
  readonly name: string;
  readonly used: boolean;
  readonly location: SourceLocation;
}

/** A finding that the policy accepts, with a reason: in the whole fleet, or in the file of one role or host. */
export interface Suppression {
  readonly finding: string;
  readonly reason: string;
  /** Name of the role or host; absent for fleet.yml. */
  readonly origin?: string;
  readonly location: SourceLocation;
}

export interface Role {
  readonly name: string;
  readonly description?: string;
  readonly location: SourceLocation;
}

export interface Host {
  readonly name: string;
  /** SSH destination: an address or a DNS name. */
  readonly address: string;
  /** All addresses of the host, of both families, without prefix length. */
  readonly addresses: readonly string[];
  /** All roles, including those that roles include, in the order in which their rules apply. */
  readonly roles: readonly string[];
  /** Policy name → kernel name. */
  readonly interfaces: ReadonlyMap<string, string>;
  readonly ssh: SshSettings;
  readonly baseline: Baseline;
  /** The host's own rules, then its roles' in order. Expired rules are in `expired` instead. */
  readonly input: readonly PolicyRule[];
  readonly output: readonly PolicyRule[];
  readonly forward: readonly PolicyRule[];
  readonly nat: readonly NatRule[];
  readonly raw: readonly RawRule[];
  readonly checks: readonly Check[];
  readonly expired: readonly PolicyRule[];
  readonly boot: BootSettings;
  readonly location: SourceLocation;
}

/** How the rules are loaded at boot. */
export interface BootSettings {
  /** Enable the host's boot loader if it is disabled; otherwise that is only reported. */
  readonly enable: boolean;
  /** Paths of the saved files, for hosts without a known loader. */
  readonly paths?: { readonly v4: string; readonly v6: string; readonly sets?: string };
}

export interface SshSettings {
  readonly user: string;
  readonly port: number;
  /** A file relative to the policy folder; absent when only `--known-hosts` names one. */
  readonly knownHosts?: string;
  readonly transport: 'builtin' | 'openssh';
  /** A private key file for this host; default: the key of the run. */
  readonly identity?: string;
  /** Jump hosts in connection order. */
  readonly bastions: readonly { readonly host: string; readonly user: string; readonly port: number }[];
}

export interface Baseline {
  readonly input: 'drop' | 'accept';
  readonly forward: 'drop' | 'accept';
  readonly output: 'drop' | 'accept';
  readonly icmp: 'essential' | 'all' | 'none';
  /** Absent with `log: false`. */
  readonly log?: {
    readonly rate: Rate;
    readonly burst: number;
    readonly prefix: string;
    readonly level: LogLevel;
  };
  /** Parts that are not in the baseline: their packets are matched by the rules. */
  readonly leftToRules?: readonly BaselinePart[];
}

export type BaselinePart = 'loopback' | 'established' | 'invalid' | 'ssh';

export type LogLevel = 'emerg' | 'alert' | 'crit' | 'error' | 'warning' | 'notice' | 'info' | 'debug';

export interface Rate {
  readonly count: number;
  readonly per: 'second' | 'minute' | 'hour' | 'day';
}

export interface RolloutSettings {
  /** Host names; empty when the policy has no canary. */
  readonly canary: readonly string[];
  readonly soakSeconds: number;
  /** Cumulative sizes: `{percent: 25}`, `{count: 10}`; the last is all. */
  readonly waves: readonly ({ readonly percent: number } | { readonly count: number })[];
  readonly parallel: number;
  readonly maxFailures: { readonly count: number } | { readonly percent: number };
  readonly confirmWithinSeconds: number;
  readonly onFailure: 'keep' | 'rollback';
  /** Factor, plus ten packets, by which drops that no rule matches may grow in the soak before the rollout stops. */
  readonly maxDropGrowth: number;
}

/** The resolved names of a `from`, `to` or `except`. */
export interface AddressSet {
  /** As written in the policy: `[admin, role:office]`. */
  readonly names: readonly string[];
  /** Every address of both families, so that no `-s` is rendered; v4 and v6 are then empty. */
  readonly any: boolean;
  /** Canonical CIDR (`10.0.0.0/8`, `2001:db8::/32`), sorted by address, adjacent and contained ones merged. */
  readonly v4: readonly string[];
  readonly v6: readonly string[];
}

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Packets by protocol, port or ICMP type. */
export type Service =
  | {
      readonly kind: 'ports';
      readonly name?: string;
      readonly protocol: 'tcp' | 'udp' | 'sctp' | 'dccp' | 'udplite';
      readonly ports: readonly PortRange[];
    }
  /** `type` is canonical: a number or number/code, for one family. */
  | { readonly kind: 'icmp'; readonly name?: string; readonly family: 'v4' | 'v6'; readonly type: string }
  /** A whole protocol by its iptables name or number; `icmp` is v4 only and `ipv6-icmp` v6 only. */
  | { readonly kind: 'protocol'; readonly name?: string; readonly protocol: string }
  | { readonly kind: 'any'; readonly name?: string };

export type Verb = 'allow' | 'deny' | 'reject' | 'log';

/** A connection tracking state. */
export type StateName = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

export interface PolicyRule {
  readonly verb: Verb;
  readonly direction: 'input' | 'output' | 'forward';
  /** Name of the role or host that contains the rule. */
  readonly origin: string;
  readonly services: readonly Service[];
  readonly from: AddressSet;
  readonly to: AddressSet;
  /** Subtracted from `from` in input and forward, from `to` in output. */
  readonly except?: AddressSet;
  /** Kernel interface names; may end in `+`. */
  readonly in?: string;
  readonly out?: string;
  readonly rate?: { readonly rate: Rate; readonly burst: number; readonly perSource: boolean };
  readonly log: boolean;
  /** Default: an allow matches new connections (and every ICMP packet), the other verbs every packet. */
  readonly states?: 'any' | readonly StateName[];
  readonly family?: 'v4' | 'v6';
  readonly reason?: string;
  readonly owner?: string;
  readonly ticket?: string;
  /** `YYYY-MM-DD`, valid until the end of that day, UTC. */
  readonly expires?: string;
  /** Location of the verb. */
  readonly location: SourceLocation;
}

export interface NatRule {
  readonly kind: 'masquerade' | 'snat' | 'dnat' | 'redirect';
  readonly origin: string;
  readonly services: readonly Service[];
  readonly from: AddressSet;
  readonly to: AddressSet;
  readonly in?: string;
  readonly out?: string;
  /** snat, dnat: an address, optionally with a port (`10.0.0.5:8080`, `[2001:db8::5]:80`); redirect: a port. */
  readonly target?: string;
  readonly reason: string;
  readonly location: SourceLocation;
}

/** A literal rule, in iptables syntax without `-A CHAIN`. */
export interface RawRule {
  readonly origin: string;
  readonly table: 'raw' | 'mangle' | 'nat' | 'filter' | 'security';
  /** A built-in chain; the rule goes into our chain that it jumps to. */
  readonly chain: string;
  readonly families: readonly ('v4' | 'v6')[];
  readonly rule: string;
  readonly reason: string;
  readonly location: SourceLocation;
}

/** A check after a deploy: a connection from the runner (`tcp`) or a command on the host. */
export type Check =
  | { readonly kind: 'tcp'; readonly port: number; readonly open: boolean; readonly location: SourceLocation }
  | { readonly kind: 'command'; readonly command: string; readonly location: SourceLocation };

export interface Guard {
  readonly name: string;
  /** Host names. */
  readonly on: readonly string[];
  readonly verdict: 'drop' | 'accept';
  readonly services: readonly Service[];
  readonly from: AddressSet;
  readonly except?: AddressSet;
  readonly location: SourceLocation;
}

export interface PolicyTest {
  readonly name: string;
  readonly on: readonly string[];
  /**
   * As in the packet JSON of `explain`. `dst` in INPUT and `src` in OUTPUT default to each host's own address of the
   * same family.
   */
  readonly packet: { readonly [field: string]: string | number };
  readonly verdict: 'accept' | 'drop' | 'reject';
  readonly location: SourceLocation;
}
