/** Events while a fleet is read or changed: for progress lines, logs and the journal. */
import type { Phase } from '../../host/client.js';
import type { HostDrift, HostPlan, Outcome } from './model.js';

export type RolloutEvent =
  /** Before the first of these hosts is read. */
  | { readonly kind: 'begin'; readonly hosts: readonly string[] }
  | { readonly kind: 'reading'; readonly host: string }
  /** `words`: why it could not be read, or empty. */
  | {
      readonly kind: 'read';
      readonly host: string;
      readonly status: HostPlan['status'] | HostDrift['status'] | 'read';
      readonly words: string;
    }
  | { readonly kind: 'wave'; readonly wave: number; readonly hosts: readonly string[] }
  | { readonly kind: 'phase'; readonly host: string; readonly phase: Phase }
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'soak'; readonly wave: number; readonly seconds: number }
  /** No further host is changed. */
  | { readonly kind: 'stopped'; readonly reason: string };

export type OnEvent = (event: RolloutEvent) => void;
