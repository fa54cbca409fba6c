/** Literal rules of the policy. */
import type { RawRule } from '../../policy/fleet.js';
import { comment, join, oneLine } from './fragment.js';

/** The rule with its reason as a comment, unless it brings a comment of its own. */
export const rawLine = (rule: RawRule): string =>
  rule.rule.includes('--comment')
    ? rule.rule
    : join(comment(oneLine(`${rule.origin}: ${rule.reason}`)), rule.rule);
