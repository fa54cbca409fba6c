/** The workflows that `sallyport init` writes; texts of their own, so that they can be read and checked as such. */
import deploy from './workflows/deploy.yml';
import drift from './workflows/drift.yml';
import plan from './workflows/plan.yml';

/** Path in the repository → text. */
export const WORKFLOWS: Readonly<Record<string, string>> = {
  '.github/workflows/firewall-plan.yml': plan,
  '.github/workflows/firewall-deploy.yml': deploy,
  '.github/workflows/firewall-drift.yml': drift,
};
