/** The results that reports are made of. Plain JSON with a version; `plan.json`, `deploy.json`, `drift.json` are these. */
import type { OutcomeKind, Phase } from '../../host/client.js';
import type { Level, SourceLocation } from '../../lib/problem.js';
import type { FleetMap } from '../../map/model.js';
import type { PolicyNames } from '../../naming/policy-names.js';
import type { RuleDiff, RulesText, SetDiff } from '../../netfilter/model.js';
import type { LockoutProof, TrafficDiff } from '../../traffic/model.js';
import type { Shard } from './shard.js';
import type { RolloutPart, Wave } from './waves.js';

export interface Plan {
  readonly version: 1;
  readonly commit: string | null;
  /** Over every host's live and next digests: what a reviewer approves and a deploy is bound to. */
  readonly digest: string;
  readonly hosts: readonly HostPlan[];
  /** The rules that it saw, by the digest of each host's `live`, programs' own aside; absent in older ones. */
  readonly states?: { readonly [digest: string]: RulesText };
  /** What the policy calls addresses and ports, so that reports can speak its language. */
  readonly names?: PolicyNames;
  /** Who may talk to whom, with what changes; where it was asked for. */
  readonly map?: PlanMap;
  /**
   * Of a plan that holds one shard; `fleet` names the hosts of all of them, in the order of the whole plan. `policy` is
   * what there is to say of the policy itself, which every shard finds the same.
   */
  readonly shard?: Shard & { readonly fleet: readonly string[]; readonly policy?: readonly Finding[] };
}

/** One-sided flows are `notes`. */
export interface PlanMap extends FleetMap {
  readonly notes: readonly Finding[];
}

export interface HostPlan {
  readonly host: string;
  readonly status: 'changed' | 'unchanged' | 'unreachable' | 'error';
  /** Why it is unreachable or an error: one sentence. */
  readonly reason?: string;
  /** `sha256:…` of the live and next rules in canonical form, foreign dynamic chains (bans, containers) aside. */
  readonly live?: string;
  readonly next?: string;
  /** The machine that answered, as a hash that is good for nothing but comparing. */
  readonly machine?: string;
  readonly rules?: { readonly v4: RuleDiff; readonly v6: RuleDiff };
  readonly sets?: readonly SetDiff[];
  readonly traffic?: TrafficDiff;
  readonly lockout?: LockoutProof;
  readonly findings: readonly Finding[];
  readonly foreign?: { readonly chains: readonly string[]; readonly rules: number };
}

export interface Finding {
  readonly id: string;
  readonly level: Level;
  readonly message: string;
  readonly hint?: string;
  readonly source?: SourceLocation;
}

export interface Outcomes {
  readonly version: 1;
  readonly commit: string | null;
  readonly hosts: readonly Outcome[];
  /** Why the rollout ended before its last host: one sentence; absent when it did not. */
  readonly stopped?: string;
  /** Of a job that did a part of a rollout; `fleet` holds the waves of all of it. */
  readonly part?: RolloutPart & { readonly fleet: readonly Wave[] };
}

export interface Outcome {
  readonly host: string;
  /** `not-reached`: the rollout stopped before it; the host keeps its rules. */
  readonly outcome: OutcomeKind | 'not-reached';
  /** 0 is the canary. */
  readonly wave: number;
  readonly phase: Phase;
  readonly reason: string;
  readonly seconds: number;
  /** Of hosts that were asked again after a soak. */
  readonly drops?: DropRate;
  /** Of a host that is no longer as the reviewed plan saw it. */
  readonly changed?: PlanChange;
}

export interface PlanChange {
  /** From the live state that was reviewed to the one that was found; absent where the plan does not hold it. */
  readonly since?: StateDiff;
  /** From the live state that was found to what a deploy would make of it. */
  readonly next: StateDiff;
}

/** Packets a minute that no rule named and that were therefore dropped. */
export interface DropRate {
  /** Since the change before this one; `null` when that is not known. */
  readonly before: number | null;
  /** Since this one was confirmed. */
  readonly during: number;
}

/** From one state of a host to another. */
export interface StateDiff {
  readonly v4: RuleDiff;
  readonly v6: RuleDiff;
  readonly sets: readonly SetDiff[];
}

export interface Drift {
  readonly version: 1;
  readonly hosts: readonly HostDrift[];
  /** Rules of the policy that have expired or expire soon; absent: none. They are no drift. */
  readonly due?: readonly Finding[];
}

export interface HostDrift {
  readonly host: string;
  /** `busy`: somebody is changing it just now, so that its state is not known. */
  readonly status: 'clean' | 'drifted' | 'busy' | 'unreachable' | 'error';
  readonly reason?: string;
  /** Each a sentence about one difference: desired against live, against saved, and what would load at boot. */
  readonly live: readonly DriftItem[];
  readonly saved: readonly DriftItem[];
  readonly boot: readonly DriftItem[];
  /** Foreign chains and rules that were left out of the comparison. */
  readonly ignored?: { readonly chains: number; readonly rules: number };
}

export interface DriftItem {
  readonly kind:
    | 'missing'
    | 'extra'
    | 'moved'
    | 'policy'
    | 'set'
    | 'file'
    | 'boot'
    | 'expired'
    | 'bypass'
    | 'native';
  readonly family?: 'v4' | 'v6';
  readonly message: string;
  /** The rule concerned, as iptables-save prints it. */
  readonly rule?: string;
  readonly source?: SourceLocation;
}
