import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import"./chunk-JRH7RKUG.js";var deploy_default=`# Merges: the canary first, then the fleet in waves. A host that nobody confirms rolls itself back.
#
# Protect the environment \`production\` in the settings of the repository, and keep the key that may change hosts there.
# Every run deploys the newest commit of the branch; GitHub may drop a waiting run when a newer one comes, which is fine.
name: Firewall deploy

on:
  push:
    branches: [main]
    paths: ["policies/**", ".github/workflows/firewall-deploy.yml"]

permissions:
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
        id: deploy
        with:
          ssh-key: \${{ secrets.FIREWALL_DEPLOY_KEY }}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0
        if: always() && steps.deploy.outputs.json != ''
        with:
          name: firewall-deploy
          path: \${{ steps.deploy.outputs.json }}
`;var drift_default=`# Every hour: whether the hosts still run the policy. One issue tells, is updated when the drift changes, and closes itself.
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
`;var plan_default=`# Pull requests: which rules change on which host, and which traffic that opens or closes, as one comment.
#
# The key in FIREWALL_PLAN_KEY only needs to read: see docs/security.md for a key that can do nothing else.
# A pull request from a fork has no secrets: its policy is checked, and it gets a plan when \`state:\` names recorded states.
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
`;var WORKFLOWS={".github/workflows/firewall-plan.yml":plan_default,".github/workflows/firewall-deploy.yml":deploy_default,".github/workflows/firewall-drift.yml":drift_default};export{WORKFLOWS};
