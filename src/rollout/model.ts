/** The results that reports are made of. Plain JSON with a version; `plan.json`, `deploy.json`, `drift.json` are these. */
import type { OutcomeKind, Phase } from '../host/port.js';
import type { RuleDiff, SetDiff } from '../netfilter/model.js';
import type { Level, Place } from '../problem.js';
import type { LockoutProof, TrafficDiff } from '../traffic/model.js';

export interface Plan {
  readonly version: 1;
  readonly commit: string | null;
  /** Over every host's live and next digests: what a reviewer approves and a deploy is bound to. */
  readonly digest: string;
  readonly hosts: readonly HostPlan[];
}

export interface HostPlan {
  readonly host: string;
  readonly status: 'changed' | 'unchanged' | 'unreachable' | 'error';
  /** Why it is unreachable or an error: one sentence. */
  readonly reason?: string;
  /** `sha256:…` of the live and next rules in canonical form, foreign dynamic chains (bans, containers) aside. */
  readonly live?: string;
  readonly next?: string;
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
  readonly source?: Place;
}

export interface Outcomes {
  readonly version: 1;
  readonly commit: string | null;
  readonly hosts: readonly Outcome[];
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
}

export interface Drift {
  readonly version: 1;
  readonly hosts: readonly HostDrift[];
}

export interface HostDrift {
  readonly host: string;
  readonly status: 'clean' | 'drifted' | 'unreachable' | 'error';
  readonly reason?: string;
  /** Each a sentence about one difference: desired against live, against saved, and what would load at boot. */
  readonly live: readonly DriftItem[];
  readonly saved: readonly DriftItem[];
  readonly boot: readonly DriftItem[];
  /** Foreign chains and rules that were left out of the comparison. */
  readonly ignored?: { readonly chains: number; readonly rules: number };
}

export interface DriftItem {
  readonly kind: 'missing' | 'extra' | 'moved' | 'policy' | 'set' | 'file' | 'boot' | 'expired' | 'bypass';
  readonly family?: 'v4' | 'v6';
  readonly message: string;
  /** The rule concerned, as iptables-save prints it. */
  readonly rule?: string;
  readonly source?: Place;
}
