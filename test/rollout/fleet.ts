/** A small policy, read by the real reader. */

import { formatProblem } from '../../src/lib/problem.js';
import type { Fleet } from '../../src/policy/fleet.js';
import { readFleet } from '../../src/policy/resolve/fleet.js';

export interface Words {
  /** Lines of `rollout:` besides the canary, which is web-1. */
  readonly rollout?: string;
  readonly hosts?: string;
  readonly web?: string;
  readonly more?: string;
}

const HOSTS = `
  web-1: { addresses: [192.0.2.1, "2001:db8::1"], roles: [web] }
  web-2: { addresses: [192.0.2.2, "2001:db8::2"], roles: [web] }
  web-3: { addresses: [192.0.2.3, "2001:db8::3"], roles: [web] }
  web-4: { addresses: [192.0.2.4, "2001:db8::4"], roles: [web] }
`;

export function fleetOf({ rollout = '', hosts = HOSTS, web = '', more = '' }: Words = {}): Fleet {
  const files = new Map([
    [
      'policies/fleet.yml',
      `version: 1
ssh: {user: deploy, known_hosts: known_hosts}
admin: [admin]
rollout: {canary: [web-1], ${rollout.includes('soak') ? '' : 'soak: 0s, '}waves: [50%, 100%]${rollout === '' ? '' : `, ${rollout}`}}
${more}`,
    ],
    ['policies/networks.yml', 'networks:\n  admin: [203.0.113.0/28, "2001:db8:a::/48"]\n'],
    [
      'policies/roles/web.yml',
      `input:
  - {allow: [http, https], from: any, reason: The public site}
${web}`,
    ],
    ['policies/hosts/all.yml', `hosts:${hosts}`],
  ]);
  const read = readFleet(files, 'policies', { today: '2027-01-01' });
  if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
  return read.value;
}
