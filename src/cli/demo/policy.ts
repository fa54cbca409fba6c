/** The fleet of the demo: three hosts, as a policy that is written out and changed like anyone's. */
import { join } from 'node:path';
import { writeText } from '../io.js';
import database from './policies/database.yml';
import fleet from './policies/fleet.yml';
import hosts from './policies/hosts.yml';
import lockout from './policies/lockout.yml';
import networks from './policies/networks.yml';
import web from './policies/web.yml';
import webChange from './policies/web-change.yml';

export const DEMO_HOSTS = [
  { name: 'web-1', addresses: { v4: '192.0.2.10', v6: '2001:db8:1::10' } },
  { name: 'web-2', addresses: { v4: '192.0.2.11', v6: '2001:db8:1::11' } },
  { name: 'db-1', addresses: { v4: '192.0.2.20', v6: '2001:db8:2::20' } },
] as const;

/** What web-2 runs of others before Sallyport comes, and must still run afterwards: a ban of fail2ban. */
export const FOREIGN_V4 = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:f2b-sshd - [0:0]
-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
-A f2b-sshd -s 198.51.100.9/32 -j REJECT --reject-with icmp-port-unreachable
-A f2b-sshd -j RETURN
COMMIT
`;

const GOOD: Readonly<Record<string, string>> = {
  'fleet.yml': fleet,
  'networks.yml': networks,
  'roles/web.yml': web,
  'roles/database.yml': database,
  'hosts/all.yml': hosts,
};

/** A new port for the web hosts. */
export const CHANGE: Readonly<Record<string, string>> = { ...GOOD, 'roles/web.yml': webChange };

/** The same with a rule against the brute force on SSH that is meant well. */
export const LOCKOUT: Readonly<Record<string, string>> = { ...CHANGE, 'hosts/all.yml': lockout };

/** Writes policy files below a folder. */
export async function writePolicy(
  folder: string,
  files: Readonly<Record<string, string>> = GOOD,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) await writeText(join(folder, path), text);
}

/** The lines of a file of the last policy that the first one does not have, for people. */
export const newLines = (path: string): readonly string[] => {
  const known = new Set(GOOD[path]?.split('\n'));
  return (LOCKOUT[path] ?? '').split('\n').filter((line) => line !== '' && !known.has(line));
};
