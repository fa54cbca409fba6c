/** A change as the variables that the agent's `begin` wants: every text, its sum, and what the host compares. */
import { createHash } from 'node:crypto';
import type { Host } from '../../policy/fleet.js';
import type { Change } from '../client.js';
import type { Variables } from './agent.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Everything that the agent's `begin` wants; see there. */
export function beginVariables(host: Host, change: Change, token: string): Variables {
  const { forward, backward, live, savedBefore, savedAfter, owned } = change;
  const files: Readonly<Record<string, string>> = {
    'forward.sets': forward.sets,
    'forward.v4': forward.v4,
    'forward.v6': forward.v6,
    'forward.setsAfter': forward.setsAfter,
    'backward.sets': backward.sets,
    'backward.v4': backward.v4,
    'backward.v6': backward.v6,
    'backward.setsAfter': backward.setsAfter,
    'planned.v4': live.v4,
    'planned.v6': live.v6,
    'planned.sets': live.sets,
    'saved.v4': savedAfter.v4,
    'saved.v6': savedAfter.v6,
    'saved.sets': savedAfter.sets,
    'known/v4': owned.v4,
    'known/v6': owned.v6,
    'known/sets': owned.sets,
  };
  const before = (text: string | undefined): string => (text === undefined ? 'none' : sha256(text));
  const paths = host.boot.paths;
  return {
    RUN: change.run,
    COMMIT: oneLine(change.commit),
    OWNER: oneLine(change.owner),
    HOST: oneLine(host.name),
    TOKEN: token,
    SECONDS: String(change.confirmWithinSeconds),
    DIGEST: change.digest ?? `sha256:${sha256([owned.v4, owned.v6, owned.sets].join('\0'))}`,
    OWNERSHIP: change.ownership ?? 'chains',
    ENABLE: host.boot.enable ? 'yes' : 'no',
    SUMS: Object.entries(files)
      .map(([name, text]) => `${sha256(text)}  ${name}\n`)
      .join(''),
    FORWARD_SETS: forward.sets,
    FORWARD_V4: forward.v4,
    FORWARD_V6: forward.v6,
    FORWARD_AFTER: forward.setsAfter,
    BACKWARD_SETS: backward.sets,
    BACKWARD_V4: backward.v4,
    BACKWARD_V6: backward.v6,
    BACKWARD_AFTER: backward.setsAfter,
    LIVE_V4: live.v4,
    LIVE_V6: live.v6,
    LIVE_SETS: live.sets,
    SAVED_V4: savedAfter.v4,
    SAVED_V6: savedAfter.v6,
    SAVED_SETS: savedAfter.sets,
    OWNED_V4: owned.v4,
    OWNED_V6: owned.v6,
    OWNED_SETS: owned.sets,
    BEFORE_V4: before(savedBefore.v4),
    BEFORE_V6: before(savedBefore.v6),
    BEFORE_SETS: before(savedBefore.sets),
    ...(paths === undefined ? {} : { PATH_V4: paths.v4, PATH_V6: paths.v6, PATH_SETS: paths.sets ?? '' }),
  };
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();
