/** The workflows that `sallyport init` writes; YAML files, so that they can be linted. */
import adopt from './workflows/adopt.yml';
import deploy from './workflows/deploy.yml';
import drift from './workflows/drift.yml';
import fork from './workflows/fork.yml';
import plan from './workflows/plan.yml';
import shardedDeploy from './workflows/sharded/deploy.yml';
import shardedPlan from './workflows/sharded/plan.yml';
import rollout from './workflows/sharded/rollout.yml';

export type Workflows = Readonly<Record<string, string>>;

const FOLDER = '.github/workflows';

const BOTH: Workflows = {
  [`${FOLDER}/firewall-adopt.yml`]: adopt,
  [`${FOLDER}/firewall-drift.yml`]: drift,
  [`${FOLDER}/firewall-fork.yml`]: fork,
};

/** The workflows for one job: path in the repository → text. */
export const WORKFLOWS: Workflows = {
  [`${FOLDER}/firewall-plan.yml`]: plan,
  [`${FOLDER}/firewall-deploy.yml`]: deploy,
  ...BOTH,
};

/** The list of shards in the files. */
const FOUR = listOf(4);

/** The workflows for a fleet that is split among several jobs. @param shards At least two. */
export const shardedWorkflows = (shards: number): Workflows => ({
  [`${FOLDER}/firewall-plan.yml`]: shardedPlan.replace(FOUR, listOf(shards)),
  [`${FOLDER}/firewall-deploy.yml`]: shardedDeploy,
  [`${FOLDER}/firewall-rollout.yml`]: rollout.replace(FOUR, listOf(shards)),
  ...BOTH,
});

function listOf(shards: number): string {
  return `[${Array.from({ length: shards }, (_, index) => `"${index + 1}/${shards}"`).join(', ')}]`;
}
