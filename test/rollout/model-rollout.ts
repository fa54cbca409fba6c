/** Rollouts over hosts in memory. */
import { type DeployOptions, deployFleet } from '../../src/rollout/deploy/deploy.js';
import type { Outcomes } from '../../src/rollout/results/model.js';
import { fleetOf, type Words } from './fleet.js';
import { type Behaviour, type ModelFleet, modelFleet, modelHost } from './model-host.js';

export const NAMES = ['web-1', 'web-2', 'web-3', 'web-4'];

/** The hosts of a policy in memory (by default four, with the canary web-1), and a deploy to them. */
export function modelRollout(words: Words = {}, behaviours: Readonly<Record<string, Behaviour>> = {}) {
  const fleet = fleetOf(words);
  const client = modelFleet(
    Object.fromEntries(
      fleet.hosts.map(({ name }) => [name, modelHost({ behaviour: behaviours[name] ?? 'good' })]),
    ),
  );
  const deploy = (options: Partial<DeployOptions> = {}): Promise<Outcomes> =>
    deployFleet(fleet, fleet.hosts, client, { owner: 'test', commit: 'abc', ...options });
  return { fleet, client, deploy };
}

/** `0 web-1 confirmed`: wave, host and outcome, in the order of the rollout. */
export const short = ({ hosts }: Outcomes): readonly string[] =>
  hosts.map(({ host, outcome, wave }) => `${wave} ${host} ${outcome}`);
/** The hosts that a change was begun on. */
export const touched = ({ log }: ModelFleet): readonly string[] =>
  log.filter((line) => line.startsWith('transact')).map((line) => line.slice('transact '.length));

/** From now on the host behaves otherwise. */
export const behave = (client: ModelFleet, name: string, behaviour: Behaviour): void => {
  const host = client.hosts.get(name);
  if (host !== undefined) host.behaviour = behaviour;
};
