/** The input and the result of an import. */

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
  /** The address is not known: `address` is one for documentation. */
  readonly unknownAddress?: true;
  readonly user: string;
  readonly port: number;
  readonly live: Ruleset;
  /** The host has no IPv6, so its rules are not missing. */
  readonly withoutIpv6?: true;
  /** The families whose rules are known. */
  readonly families: readonly Family[];
}

export interface ImportOptions {
  /** Networks that reach SSH on every host; absent: those that do today. */
  readonly admin?: readonly string[];
  readonly knownHosts?: string;
  /** What `check` finds in a policy. */
  readonly check: (fleet: Fleet) => readonly Problem[];
  /** `YYYY-MM-DD`, written into the reasons of suppressions. */
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
  /** Rules of the host in both families; rules of the policy, without the literal ones; literal rules. */
  readonly rules: number;
  readonly statements: number;
  readonly literal: number;
  /** Programs with rules on the host. */
  readonly programs: readonly string[];
  /** Rules that stay as they are, without those of programs. */
  readonly foreign: number;
  readonly notes: readonly Problem[];
  /** Live rules that can never match or change nothing, and allows that are very wide. */
  readonly anomalies: readonly Problem[];
}
