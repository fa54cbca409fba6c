/** What import takes and gives. */

import type { Family } from '../lib/family.js';
import type { Problem } from '../lib/problem.js';
import type { Ruleset } from '../netfilter/model.js';
import type { Fleet } from '../policy/fleet.js';

/** A host and the rules that it runs. */
export interface ImportHost {
  readonly name: string;
  /** Where SSH connects. */
  readonly address: string;
  /** Every address it has. */
  readonly addresses: readonly string[];
  /** The address is none of the host's: nothing tells it. */
  readonly unknownAddress?: true;
  readonly user: string;
  readonly port: number;
  readonly live: Ruleset;
  /** It has no IPv6: nothing is missing without its rules. */
  readonly withoutIpv6?: true;
  /** The families whose rules are known. */
  readonly families: readonly Family[];
}

export interface ImportOptions {
  /** Networks that reach SSH on every host; absent: those that do already. */
  readonly admin?: readonly string[];
  readonly knownHosts?: string;
  /** What `check` finds in a policy. */
  readonly check: (fleet: Fleet) => readonly Problem[];
  /** `YYYY-MM-DD`: the day that is written into what is accepted as it was. */
  readonly today: string;
}

export interface Imported {
  /** Path below the policy folder → text. */
  readonly files: ReadonlyMap<string, string>;
  readonly ownership: 'chains' | 'tables';
  readonly admin: readonly string[];
  readonly hosts: readonly ImportedHost[];
}

export interface ImportedHost {
  readonly name: string;
  /** Rules of the host in both families, those of the policy in words, and the literal ones. */
  readonly rules: number;
  readonly statements: number;
  readonly literal: number;
  /** Others' programs that keep rules there. */
  readonly programs: readonly string[];
  /** Rules that stay as they are, beside those of programs. */
  readonly foreign: number;
  readonly notes: readonly Problem[];
  /** Of its rules as it runs them: those that can never match or change nothing, and allows that are very wide. */
  readonly anomalies: readonly Problem[];
}
