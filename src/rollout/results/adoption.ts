/** What became of each difference when drift was taken into the policy. Plain JSON, as the other results. */
import type { Family } from '../../lib/family.js';

export interface Adoption {
  readonly version: 1;
  /** The day that stands in the reasons, `YYYY-MM-DD`. */
  readonly date: string;
  /** Every host that was looked at and is not clean. */
  readonly hosts: readonly HostAdoption[];
  /** The files of the policy that change, by path. */
  readonly files: readonly AdoptedFile[];
}

export interface HostAdoption {
  readonly host: string;
  /** `read`, whatever was found; the others as drift says them. */
  readonly status: 'read' | 'busy' | 'unreachable' | 'error';
  /** Why nothing is known of it. */
  readonly reason?: string;
  readonly taken: readonly Taken[];
  readonly left: readonly Left[];
}

export interface Difference {
  /** What differs, as a sentence. */
  readonly message: string;
  /** The rule concerned, as iptables-save prints it. */
  readonly rule?: string;
  readonly families?: readonly Family[];
}

export interface Taken extends Difference {
  /** What was written into the policy, as a sentence. */
  readonly how: string;
  readonly file: string;
  /** What a reviewer should know besides: where the meaning is not the same for every packet. */
  readonly note?: string;
}

export interface Left extends Difference {
  /** Why the policy does not say it, and what the next deploy does. */
  readonly why: string;
}

export interface AdoptedFile {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}
