import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import"./runtime.js";var adopt_default=`# By hand: takes what was changed on the hosts into the policy, as one pull request on the branch sallyport/adopt-drift.
#
# The repository must let workflows open pull requests (Settings, Actions, General); otherwise the change is the patch in
# the artifact. GitHub starts no workflow for what another workflow opened: close the pull request and open it again,
# and the plan comes as a comment.
name: Firewall adopt

on:
  workflow_dispatch:

permissions:
  contents: read

concurrency:
  group: firewall-adopt
  cancel-in-progress: false

jobs:
  adopt:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      contents: write
      pull-requests: write
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: sallyport/sallyport@v0.1.0
        id: adopt
        with:
          command: adopt
          ssh-key: \${{ secrets.FIREWALL_PLAN_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.adopt.outputs.patch != ''
        with:
          name: firewall-adopt
          path: \${{ steps.adopt.outputs.patch }}
`;var deploy_default=`# Merges: the canary first, then the fleet in waves. A host that nobody confirms rolls itself back.
#
# Protect the environment \`production\` in the settings of the repository, and keep the key that may change hosts there.
# Every run deploys the newest commit of the branch; GitHub may drop a waiting run when a newer one comes, which is fine.
#
# A merge is held to the plan that was reviewed on its pull request: a host whose rules changed since, or that would get
# other ones than were shown, is refused. To go on after that without a new pull request, run this workflow by hand.
name: Firewall deploy

on:
  push:
    branches: [main]
    paths: ["policies/**", ".github/workflows/firewall-deploy.yml"]
  workflow_dispatch:

permissions:
  actions: read
  contents: read
  pull-requests: write

concurrency:
  group: firewall-deploy
  cancel-in-progress: false

jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: production
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: sallyport/sallyport@v0.1.0
        id: reviewed
        with:
          command: reviewed
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        if: steps.reviewed.outputs.reviewed-run != ''
        with:
          name: firewall-plan
          path: reviewed
          run-id: \${{ steps.reviewed.outputs.reviewed-run }}
          github-token: \${{ github.token }}
      - uses: sallyport/sallyport@v0.1.0
        id: deploy
        with:
          command: deploy
          plan: \${{ steps.reviewed.outputs.reviewed-run != '' && 'reviewed/plan.json' || '' }}
          ssh-key: \${{ secrets.FIREWALL_DEPLOY_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.deploy.outputs.json != ''
        with:
          name: firewall-deploy
          path: \${{ steps.deploy.outputs.json }}
`;var drift_default=`# Every hour: whether the hosts still run the policy. One issue reports drift, is updated when the drift changes, and closes itself.
name: Firewall drift

on:
  schedule:
    - cron: "17 * * * *"
  workflow_dispatch:

permissions:
  contents: read
  issues: write

# Two runs at once would open two issues.
concurrency:
  group: firewall-drift
  cancel-in-progress: false

jobs:
  drift:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: sallyport/sallyport@v0.1.0
        with:
          ssh-key: \${{ secrets.FIREWALL_PLAN_KEY }}
`;var fork_default=`# Pull requests from forks: the plan, by a run that follows theirs. It has what theirs must not have, a token that may
# comment and a key that reads the hosts, and so it runs nothing of theirs: the code is this repository's, the policy of
# the fork is read as data, and which pull request it belongs to is asked of GitHub.
name: Firewall plan for forks

on:
  workflow_run:
    workflows: [Firewall plan]
    types: [completed]

permissions:
  contents: read

concurrency:
  group: firewall-fork-\${{ github.event.workflow_run.head_sha }}
  cancel-in-progress: true

jobs:
  plan:
    if: >-
      github.event.workflow_run.event == 'pull_request' && github.event.workflow_run.conclusion == 'success' &&
      github.event.workflow_run.head_repository.full_name != github.repository
    runs-on: ubuntu-latest
    timeout-minutes: 15
    permissions:
      actions: read
      contents: read
      pull-requests: write
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      # The policy of the default branch says which hosts there are and where: the fork's is given no key.
      - name: Record what the hosts run
        uses: sallyport/sallyport@v0.1.0
        with:
          command: drift
          save: states
          comment: "false"
          fail-on: never
          ssh-key: \${{ secrets.FIREWALL_PLAN_KEY }}
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        with:
          name: firewall-policy
          path: untrusted
          run-id: \${{ github.event.workflow_run.id }}
          github-token: \${{ github.token }}
      - name: Plan the fork's policy against it
        uses: sallyport/sallyport@v0.1.0
        with:
          command: plan
          policies: untrusted
          state: states
`;var plan_default=`# Pull requests: which rules change on which host, and which traffic that opens or closes, as one comment.
#
# FIREWALL_PLAN_KEY only needs to read: docs/security.md shows a key that can do nothing else.
# A pull request from a fork has no secrets. Its policy is checked, and handed to the workflow "Firewall plan for forks".
name: Firewall plan

on:
  pull_request:
    paths: ["policies/**", ".github/workflows/firewall-plan.yml"]

permissions:
  contents: read
  pull-requests: write

concurrency:
  group: firewall-plan-\${{ github.event.pull_request.number }}
  cancel-in-progress: true

jobs:
  plan:
    if: github.event.pull_request.head.repo.full_name == github.repository
    runs-on: ubuntu-latest
    timeout-minutes: 15
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: sallyport/sallyport@v0.1.0
        id: plan
        with:
          ssh-key: \${{ secrets.FIREWALL_PLAN_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.plan.outputs.json != ''
        with:
          name: firewall-plan
          path: |
            \${{ steps.plan.outputs.json }}
            \${{ steps.plan.outputs.html }}

  fork:
    if: github.event.pull_request.head.repo.full_name != github.repository
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: sallyport/sallyport@v0.1.0
        with:
          command: check
          policies: policies
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        with:
          name: firewall-policy
          path: policies
          if-no-files-found: error
          retention-days: 1
`;var deploy_default2=`# Merges, for a fleet that one job is too small for: see firewall-rollout.yml.
#
# Protect the environment \`production\` in the settings of the repository, and keep the key that may change hosts there.
# Every run deploys the newest commit of the branch; GitHub may drop a waiting run when a newer one comes, which is fine.
#
# A merge is held to the plan that was reviewed on its pull request: a host whose rules changed since, or that would get
# other ones than were shown, is refused. To go on after that without a new pull request, run this workflow by hand.
name: Firewall deploy

on:
  push:
    branches: [main]
    paths: ["policies/**", ".github/workflows/firewall-deploy.yml", ".github/workflows/firewall-rollout.yml"]
  workflow_dispatch:

permissions:
  contents: read

concurrency:
  group: firewall-deploy
  cancel-in-progress: false

jobs:
  rollout:
    uses: ./.github/workflows/firewall-rollout.yml
    permissions:
      actions: read
      contents: read
      pull-requests: write
    # An environment's secrets cannot be passed on by name; the jobs there name the environment.
    secrets: inherit
`;var plan_default2=`# Pull requests, for a fleet that one job is too small for: a job for each shard, and one that makes a comment of them all.
#
# FIREWALL_PLAN_KEY only needs to read: docs/security.md shows a key that can do nothing else.
# A pull request from a fork has no secrets. Its policy is checked, and handed to the workflow "Firewall plan for forks".
name: Firewall plan

on:
  pull_request:
    paths: ["policies/**", ".github/workflows/firewall-plan.yml"]

permissions:
  contents: read

concurrency:
  group: firewall-plan-\${{ github.event.pull_request.number }}
  cancel-in-progress: true

jobs:
  shard:
    if: github.event.pull_request.head.repo.full_name == github.repository
    runs-on: ubuntu-latest
    timeout-minutes: 15
    strategy:
      fail-fast: false
      matrix:
        shard: ["1/4", "2/4", "3/4", "4/4"]
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: sallyport/sallyport@v0.1.0
        id: plan
        with:
          command: plan
          shard: \${{ matrix.shard }}
          ssh-key: \${{ secrets.FIREWALL_PLAN_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        with:
          name: shard-\${{ strategy.job-index }}
          path: \${{ steps.plan.outputs.json }}
          if-no-files-found: error
          overwrite: true
          retention-days: 1

  # Also when a shard failed: what it did not deliver is reported, and fails this check. This is the one to require.
  plan:
    needs: shard
    if: always() && needs.shard.result != 'skipped' && needs.shard.result != 'cancelled'
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      contents: read
      pull-requests: write
    steps:
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        with:
          pattern: shard-*
          path: reports
      - uses: sallyport/sallyport@v0.1.0
        id: plan
        with:
          command: report
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.plan.outputs.json != ''
        with:
          name: firewall-plan
          path: |
            \${{ steps.plan.outputs.json }}
            \${{ steps.plan.outputs.html }}

  fork:
    if: github.event.pull_request.head.repo.full_name != github.repository
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: sallyport/sallyport@v0.1.0
        with:
          command: check
          policies: policies
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        with:
          name: firewall-policy
          path: policies
          if-no-files-found: error
          retention-days: 1
`;var rollout_default=`# A rollout over several runners: everything is read and judged, then the canary, then wave after wave, each by all shards
# at once, then one report. A job begins only when all those before it ended well; what they did not reach is untouched.
# A shard proves by itself that the canary runs the new rules before it changes a host.
name: Firewall rollout

on:
  workflow_call:
    inputs:
      shards:
        description: The shards as a JSON list.
        type: string
        default: '["1/4", "2/4", "3/4", "4/4"]'

permissions:
  contents: read

concurrency:
  group: firewall-rollout
  cancel-in-progress: false

jobs:
  read:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    strategy:
      fail-fast: false
      matrix:
        shard: \${{ fromJSON(inputs.shards) }}
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: sallyport/sallyport@v0.1.0
        id: plan
        with:
          command: plan
          shard: \${{ matrix.shard }}
          ssh-key: \${{ secrets.FIREWALL_PLAN_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        with:
          name: plan-\${{ strategy.job-index }}
          path: \${{ steps.plan.outputs.json }}
          if-no-files-found: error
          overwrite: true
          retention-days: 1

  # Fails when a host must not be changed, cannot be read, or is in a shard that delivered nothing. The rollout is held to
  # the plan that was reviewed before the merge; without one, to what was just read.
  judge:
    needs: read
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      actions: read
      contents: read
      pull-requests: read
    steps:
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        with:
          pattern: plan-*
          path: reports
      - uses: sallyport/sallyport@v0.1.0
        id: plan
        with:
          command: report
      - uses: sallyport/sallyport@v0.1.0
        id: reviewed
        with:
          command: reviewed
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        if: steps.reviewed.outputs.reviewed-run != ''
        with:
          name: firewall-plan
          path: reviewed
          run-id: \${{ steps.reviewed.outputs.reviewed-run }}
          github-token: \${{ github.token }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        with:
          name: judged
          path: \${{ steps.reviewed.outputs.reviewed-run != '' && 'reviewed/plan.json' || steps.plan.outputs.json }}
          if-no-files-found: error
          overwrite: true

  canary:
    needs: judge
    runs-on: ubuntu-latest
    environment: production
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        with:
          name: judged
          path: judged
      - uses: sallyport/sallyport@v0.1.0
        id: deploy
        with:
          command: deploy
          wave: canary
          plan: judged/plan.json
          ssh-key: \${{ secrets.FIREWALL_DEPLOY_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.deploy.outputs.json != ''
        with:
          name: deploy-canary
          path: \${{ steps.deploy.outputs.json }}
          overwrite: true

  first:
    needs: canary
    runs-on: ubuntu-latest
    environment: production
    timeout-minutes: 60
    strategy:
      # One host too many that failed: the other shards begin no further one.
      fail-fast: true
      matrix:
        shard: \${{ fromJSON(inputs.shards) }}
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        with:
          name: judged
          path: judged
      - uses: sallyport/sallyport@v0.1.0
        id: deploy
        with:
          command: deploy
          wave: "1"
          shard: \${{ matrix.shard }}
          plan: judged/plan.json
          ssh-key: \${{ secrets.FIREWALL_DEPLOY_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.deploy.outputs.json != ''
        with:
          name: deploy-first-\${{ strategy.job-index }}
          path: \${{ steps.deploy.outputs.json }}
          overwrite: true

  # All later waves, one after the other. With more waves in the policy, a job for each of them shares them out better.
  rest:
    needs: first
    runs-on: ubuntu-latest
    environment: production
    timeout-minutes: 60
    strategy:
      # One host too many that failed: the other shards begin no further one.
      fail-fast: true
      matrix:
        shard: \${{ fromJSON(inputs.shards) }}
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        with:
          name: judged
          path: judged
      - uses: sallyport/sallyport@v0.1.0
        id: deploy
        with:
          command: deploy
          wave: "2+"
          shard: \${{ matrix.shard }}
          plan: judged/plan.json
          ssh-key: \${{ secrets.FIREWALL_DEPLOY_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.deploy.outputs.json != ''
        with:
          name: deploy-rest-\${{ strategy.job-index }}
          path: \${{ steps.deploy.outputs.json }}
          overwrite: true

  # Hosts that others are reached through: last, and one at a time. Without any, nothing is done.
  bastions:
    needs: rest
    runs-on: ubuntu-latest
    environment: production
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3 # v6.0.0
        with:
          persist-credentials: false
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        with:
          name: judged
          path: judged
      - uses: sallyport/sallyport@v0.1.0
        id: deploy
        with:
          command: deploy
          wave: bastions
          plan: judged/plan.json
          ssh-key: \${{ secrets.FIREWALL_DEPLOY_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.deploy.outputs.json != ''
        with:
          name: deploy-bastions
          path: \${{ steps.deploy.outputs.json }}
          overwrite: true

  # Whatever became of the others, what is known of every host is written back to the merged pull request.
  report:
    needs: [canary, first, rest, bastions]
    if: always() && needs.canary.result != 'skipped'
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      contents: read
      pull-requests: write
    steps:
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0
        with:
          pattern: deploy-*
          path: reports
      - uses: sallyport/sallyport@v0.1.0
        id: report
        with:
          command: report
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.report.outputs.json != ''
        with:
          name: firewall-deploy
          path: \${{ steps.report.outputs.json }}
`;var FOLDER=".github/workflows",BOTH={[`${FOLDER}/firewall-adopt.yml`]:adopt_default,[`${FOLDER}/firewall-drift.yml`]:drift_default,[`${FOLDER}/firewall-fork.yml`]:fork_default},WORKFLOWS={[`${FOLDER}/firewall-plan.yml`]:plan_default,[`${FOLDER}/firewall-deploy.yml`]:deploy_default,...BOTH},FOUR=listOf(4),shardedWorkflows=shards=>({[`${FOLDER}/firewall-plan.yml`]:plan_default2.replace(FOUR,listOf(shards)),[`${FOLDER}/firewall-deploy.yml`]:deploy_default2,[`${FOLDER}/firewall-rollout.yml`]:rollout_default.replace(FOUR,listOf(shards)),...BOTH});function listOf(shards){return`[${Array.from({length:shards},(_,index)=>`"${index+1}/${shards}"`).join(", ")}]`}export{WORKFLOWS,shardedWorkflows};
