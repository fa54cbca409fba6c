/** A change as the variables of the agent's verb `begin`: every text, its checksum, and what the host compares. */
import { createHash } from 'node:crypto';
import type { RulesText } from '../../netfilter/model.js';
import type { Host } from '../../policy/fleet.js';
import type { Change } from '../client.js';
import type { Variables } from './agent.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** The texts of a change: variable, file of the transaction on the host, text. */
function textsOf({ forward, backward, live, savedAfter, owned }: Change) {
  const groups: readonly (readonly [variable: string, file: string, texts: RulesText])[] = [
    ['FORWARD', 'forward.', forward],
    ['BACKWARD', 'backward.', backward],
    ['LIVE', 'planned.', live],
    ['SAVED', 'saved.', savedAfter],
    ['OWNED', 'known/', owned],
  ];
  return [
    ...groups.flatMap(([variable, file, texts]) =>
      (['v4', 'v6', 'sets'] as const).map(
        (kind) => [`${variable}_${kind.toUpperCase()}`, `${file}${kind}`, texts[kind]] as const,
      ),
    ),
    ['FORWARD_AFTER', 'forward.setsAfter', forward.setsAfter] as const,
    ['BACKWARD_AFTER', 'backward.setsAfter', backward.setsAfter] as const,
  ];
}

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
    NATIVE: change.native ?? '',
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
