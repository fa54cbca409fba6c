/**
 * The policy after loading: every name resolved, every default filled in, every rule in its final order, and each
 * thing knowing the YAML line it came from. Pure data; nothing below this room reads YAML again.
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
  /** Where the policy names them. */
  readonly adminPlace?: SourceLocation;
  readonly ownership: 'chains' | 'tables';
  /** With `tables`: programs whose rules a deploy may take away although they may be running. */
  readonly mayRemove?: { readonly programs: readonly ProgramName[]; readonly location: SourceLocation };
  readonly rollout: RolloutSettings;
  readonly guards: readonly Guard[];
  readonly tests: readonly PolicyTest[];
  readonly networks: ReadonlyMap<string, AddressSet>;
  readonly services: ReadonlyMap<string, readonly Service[]>;
  readonly roles: ReadonlyMap<string, Role>;
  /** In the order of their names. */
  readonly hosts: readonly Host[];
  /** Address sets of this many entries and more, in one family, become ipsets. */
  readonly setsFrom: number;
  readonly acceptances: readonly Suppression[];
  /** Plans leave flows and listening ports of hosts alone. */
  readonly quiet?: true;
  /** The day for which expiry was decided, `YYYY-MM-DD`; absent: this day, UTC. */
  readonly today?: string;
  /** What the policy defines by name; `used` when something refers to it. */
  readonly definitions?: readonly Definition[];
}

export interface Definition {
  readonly kind: 'network' | 'service' | 'role';
  readonly name: string;
  readonly used: boolean;
  readonly location: SourceLocation;
}

/** A lint that the policy accepts, with the reason: for the whole fleet, or for what one role or host says. */
export interface Suppression {
  readonly finding: string;
  readonly reason: string;
  /** The role's or host's name; absent when it stands in fleet.yml. */
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
  /** Where SSH connects: an address or a DNS name. */
  readonly address: string;
  /** Every address the host has, of both families (without prefix length). */
  readonly addresses: readonly string[];
  /** All roles, those a role includes among them, in the order in which their rules apply. */
  readonly roles: readonly string[];
  /** Policy name → kernel name. */
  readonly interfaces: ReadonlyMap<string, string>;
  readonly ssh: SshSettings;
  readonly baseline: Baseline;
  /** The host's own rules, then its roles' in order. Expired ones are left out and stand in `expired`. */
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

/** How the rules come back after a reboot. */
export interface BootSettings {
  /** Enable the host's boot loader when it is not; otherwise it is only reported. */
  readonly enable: boolean;
  /** Where the saved files are, when the host's loader is none of those that are recognised. */
  readonly paths?: { readonly v4: string; readonly v6: string; readonly sets?: string };
}

export interface SshSettings {
  readonly user: string;
  readonly port: number;
  /** A file beside the policy; `undefined` when only `--known-hosts` names one. */
  readonly knownHosts?: string;
  readonly transport: 'builtin' | 'openssh';
  /** A private key for this host alone; absent: the key of the run. */
  readonly identity?: string;
  /** Jump hosts in the order in which they are passed. */
  readonly bastions: readonly { readonly host: string; readonly user: string; readonly port: number }[];
}

export interface Baseline {
  readonly input: 'drop' | 'accept';
  readonly forward: 'drop' | 'accept';
  readonly output: 'drop' | 'accept';
  readonly icmp: 'essential' | 'all' | 'none';
  /** `undefined` when the policy says `log: false`. */
  readonly log?: {
    readonly rate: Rate;
    readonly burst: number;
    readonly prefix: string;
    readonly level: LogLevel;
  };
  /** Parts of the baseline that are left out: packets of that kind go on to the rules. */
  readonly leftToRules?: readonly BaselinePart[];
}

export type BaselinePart = 'loopback' | 'established' | 'invalid' | 'ssh';

export type LogLevel = 'emerg' | 'alert' | 'crit' | 'error' | 'warning' | 'notice' | 'info' | 'debug';

export interface Rate {
  readonly count: number;
  readonly per: 'second' | 'minute' | 'hour' | 'day';
}

export interface RolloutSettings {
  /** Host names, `role:NAME` or `one-per-role`, resolved to host names; may be empty when the policy names none. */
  readonly canary: readonly string[];
  readonly soakSeconds: number;
  /** Cumulative sizes: `{percent: 25}`, `{count: 10}`; the last is all. */
  readonly waves: readonly ({ readonly percent: number } | { readonly count: number })[];
  readonly parallel: number;
  readonly maxFailures: { readonly count: number } | { readonly percent: number };
  readonly confirmWithinSeconds: number;
  readonly onFailure: 'keep' | 'rollback';
  /** During the soak the rate of packets that no rule names may grow by this factor, and ten; more stops the rollout. */
  readonly maxDropGrowth: number;
}

/** What a `from`, `to` or `except` names, resolved. */
export interface AddressSet {
  /** As the policy wrote it, for people: `[admin, role:office]`. */
  readonly names: readonly string[];
  /** Every address of both families: no `-s` is rendered. Then v4 and v6 are empty. */
  readonly any: boolean;
  /** Canonical CIDR (`10.0.0.0/8`, `2001:db8::/32`), sorted by address, adjacent and contained ones merged. */
  readonly v4: readonly string[];
  readonly v6: readonly string[];
}

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** What one allowed thing is on the wire. */
export type Service =
  | {
      readonly kind: 'ports';
      readonly name?: string;
      readonly protocol: 'tcp' | 'udp' | 'sctp' | 'dccp' | 'udplite';
      readonly ports: readonly PortRange[];
    }
  /** `type` is canonical: a number or number/code, for one family. */
  | { readonly kind: 'icmp'; readonly name?: string; readonly family: 'v4' | 'v6'; readonly type: string }
  /** A whole protocol by its iptables name or number; `icmp` is of v4 and `ipv6-icmp` of v6 alone. */
  | { readonly kind: 'protocol'; readonly name?: string; readonly protocol: string }
  | { readonly kind: 'any'; readonly name?: string };

export type Verb = 'allow' | 'deny' | 'reject' | 'log';

/** A state of connection tracking. */
export type StateName = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

export interface PolicyRule {
  readonly verb: Verb;
  readonly direction: 'input' | 'output' | 'forward';
  /** The role's name, or the host's own name: where the rule was written. */
  readonly origin: string;
  readonly services: readonly Service[];
  readonly from: AddressSet;
  readonly to: AddressSet;
  /** Taken out of `from` for input and forward, out of `to` for output. */
  readonly except?: AddressSet;
  /** Kernel interface names (already resolved through `interfaces`); may end in `+`. */
  readonly in?: string;
  readonly out?: string;
  readonly rate?: { readonly rate: Rate; readonly burst: number; readonly perSource: boolean };
  readonly log: boolean;
  /** Absent: an allow takes new connections (of ICMP every packet), the other verbs every packet. */
  readonly states?: 'any' | readonly StateName[];
  readonly family?: 'v4' | 'v6';
  readonly reason?: string;
  readonly owner?: string;
  readonly ticket?: string;
  /** `YYYY-MM-DD`, valid until the end of that day, UTC. */
  readonly expires?: string;
  /** The line of the verb. */
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
  /** snat, dnat: the new address, perhaps with a port (`10.0.0.5`, `10.0.0.5:8080`, `[2001:db8::5]:80`); redirect: the port. */
  readonly target?: string;
  readonly reason: string;
  readonly location: SourceLocation;
}

/** A literal rule, in iptables syntax without `-A CHAIN`. */
export interface RawRule {
  readonly origin: string;
  readonly table: 'raw' | 'mangle' | 'nat' | 'filter' | 'security';
  /** A built-in chain; the rule goes into the owned chain behind its hook. */
  readonly chain: string;
  readonly families: readonly ('v4' | 'v6')[];
  readonly rule: string;
  readonly reason: string;
  readonly location: SourceLocation;
}

/** What must hold after a deploy, asked from the runner (`tcp`) or run on the host (`command`). */
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
   * In the packet JSON of `explain`; `dst` in INPUT and `src` in OUTPUT may be absent and then are each host's own
   * address of the other one's family.
   */
  readonly packet: { readonly [field: string]: string | number };
  readonly verdict: 'accept' | 'drop' | 'reject';
  readonly location: SourceLocation;
}
