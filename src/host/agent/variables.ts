/** A change as the variables of the agent's verb `begin`: every text, its checksum, and what the host compares. */
import { createHash } from 'node:crypto';
import type { Host } from '../../policy/fleet.js';
import type { Change } from '../client.js';
import type { Variables } from './agent.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Variable → file of the transaction on the host, and its text. */
const textsOf = ({
  forward,
  backward,
  live,
  savedAfter,
  owned,
}: Change): readonly (readonly [variable: string, file: string, text: string])[] => [
  ['FORWARD_SETS', 'forward.sets', forward.sets],
  ['FORWARD_V4', 'forward.v4', forward.v4],
  ['FORWARD_V6', 'forward.v6', forward.v6],
  ['FORWARD_AFTER', 'forward.setsAfter', forward.setsAfter],
  ['BACKWARD_SETS', 'backward.sets', backward.sets],
  ['BACKWARD_V4', 'backward.v4', backward.v4],
  ['BACKWARD_V6', 'backward.v6', backward.v6],
  ['BACKWARD_AFTER', 'backward.setsAfter', backward.setsAfter],
  ['LIVE_V4', 'planned.v4', live.v4],
  ['LIVE_V6', 'planned.v6', live.v6],
  ['LIVE_SETS', 'planned.sets', live.sets],
  ['SAVED_V4', 'saved.v4', savedAfter.v4],
  ['SAVED_V6', 'saved.v6', savedAfter.v6],
  ['SAVED_SETS', 'saved.sets', savedAfter.sets],
  ['OWNED_V4', 'known/v4', owned.v4],
  ['OWNED_V6', 'known/v6', owned.v6],
  ['OWNED_SETS', 'known/sets', owned.sets],
];

/** Everything that the agent's `begin` needs (`begin.sh`); `token` is what later confirms the run. */
export function beginVariables(host: Host, change: Change, token: string): Variables {
  const { savedBefore, owned } = change;
  const { enable } = host.boot;
  const texts = textsOf(change);
  const before = (text: string | undefined): string => (text === undefined ? 'none' : sha256(text));
  return {
    RUN: change.run,
    COMMIT: oneLine(change.commit),
    OWNER: oneLine(change.owner),
    HOST: oneLine(host.name),
    TOKEN: token,
    SECONDS: String(change.confirmWithinSeconds),
    DIGEST: change.digest ?? `sha256:${sha256([owned.v4, owned.v6, owned.sets].join('\0'))}`,
    OWNERSHIP: change.ownership ?? 'chains',
    ENABLE: enable ? 'yes' : 'no',
    SUMS: texts.map(([, file, text]) => `${sha256(text)}  ${file}\n`).join(''),
    ...Object.fromEntries(texts.map(([variable, , text]) => [variable, text])),
    BEFORE_V4: before(savedBefore.v4),
    BEFORE_V6: before(savedBefore.v6),
    BEFORE_SETS: before(savedBefore.sets),
    ...pathVariables(host),
  };
}

/** The paths that the policy sets for the files loaded at boot; none if the host is to detect them. */
export const pathVariables = ({ boot: { paths } }: Host): Variables =>
  paths === undefined ? {} : { PATH_V4: paths.v4, PATH_V6: paths.v6, PATH_SETS: paths.sets ?? '' };
