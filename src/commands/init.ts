/** `init`: the example fleet, as a policy to start from, and the workflows that plan, deploy and watch it. */
import fleet from '../../policies/fleet.yml';
import db1 from '../../policies/hosts/db-1.yml';
import dns1 from '../../policies/hosts/dns-1.yml';
import pay1 from '../../policies/hosts/pay-1.yml';
import web from '../../policies/hosts/web.yml';
import networks from '../../policies/networks.yml';
import baseRole from '../../policies/roles/base.yml';
import databaseRole from '../../policies/roles/database.yml';
import dnsRole from '../../policies/roles/dns.yml';
import egressRole from '../../policies/roles/locked-egress.yml';
import webRole from '../../policies/roles/web.yml';
import services from '../../policies/services.yml';
import { SCHEMAS } from '../policy/files/schema-url.js';

/** Path below the policy folder → text. */
const EXAMPLE_POLICY: Readonly<Record<string, string>> = {
  'fleet.yml': fleet,
  'networks.yml': networks,
  'services.yml': services,
  'roles/base.yml': baseRole,
  'roles/web.yml': webRole,
  'roles/database.yml': databaseRole,
  'roles/dns.yml': dnsRole,
  'roles/locked-egress.yml': egressRole,
  'hosts/web.yml': web,
  'hosts/db-1.yml': db1,
  'hosts/dns-1.yml': dns1,
  'hosts/pay-1.yml': pay1,
};

export interface ScaffoldOptions {
  /** Where the policy goes, in the repository: no `./`, no `/` at the end. */
  readonly policies: string;
  /** Path in the repository → text. */
  readonly workflows: Readonly<Record<string, string>>;
}

/** Each maps a path in the repository to a text. The caller writes those that are not there yet. */
export interface Scaffold {
  readonly policy: ReadonlyMap<string, string>;
  readonly workflows: ReadonlyMap<string, string>;
}

/** The example policy and the workflows: path in the repository → text. */
export const scaffold = ({ policies, workflows }: ScaffoldOptions): Scaffold => ({
  policy: new Map(
    Object.entries(EXAMPLE_POLICY).map(([path, text]) => [`${policies}/${path}`, withPublishedSchema(text)]),
  ),
  workflows: new Map(Object.entries(workflows).map(([path, text]) => [path, inFolder(text, policies)])),
});

/** Here the schemas are beside the policy; elsewhere editors fetch them. */
const withPublishedSchema = (text: string): string =>
  text.replace(/\$schema=(?:\.\.\/)+schema\//, `$schema=${SCHEMAS}`);

/** Workflows watch the folder of the policy, and name it where it is not the usual one. */
function inFolder(workflow: string, policies: string): string {
  if (policies === 'policies') return workflow;
  return workflow
    .replaceAll('"policies/**"', `"${policies}/**"`)
    .replace(/^(\s+(?:path|policies): )policies$/gm, `$1${policies}`)
    .replace(/^(\s+)(ssh-key: )/gm, `$1policies: ${policies}\n$1$2`);
}
