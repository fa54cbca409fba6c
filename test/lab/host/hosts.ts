/** A lab's hosts as the policy would name them, and the port that reaches them. */
import { readFileSync } from 'node:fs';
import { type HostOptions, openHosts } from '../../../src/host/open.js';
import type { HostPort } from '../../../src/host/port.js';
import type { Lab, Host as LabHost } from '../../../src/lab/lab.js';
import type { Host } from '../../../src/policy/fleet.js';

/** The policy's view of a lab host; `changes` replace parts of it. */
export function policyHost(host: LabHost, changes: Partial<Host> = {}): Host {
  const { v4, v6 } = host.addresses;
  return {
    name: host.name,
    address: v4,
    addresses: v6 === undefined ? [v4] : [v4, v6],
    roles: [],
    interfaces: new Map(),
    ssh: { user: host.user.name, port: host.port, transport: 'builtin', bastions: [] },
    baseline: { input: 'drop', forward: 'drop', output: 'accept', icmp: 'essential' },
    input: [],
    output: [],
    forward: [],
    nat: [],
    raw: [],
    checks: [],
    expired: [],
    boot: { enable: false },
    place: { file: 'policies/hosts/lab.yml', line: 1, column: 1 },
    ...changes,
  };
}

/** The port, with the lab's key and known_hosts, over the lab's own wires. */
export const portTo = (lab: Lab, changes: Partial<HostOptions> = {}): HostPort =>
  openHosts({
    knownHosts: [readFileSync(lab.knownHosts, 'utf8')],
    key: { text: readFileSync(lab.identity, 'utf8') },
    connect: lab.connect,
    ...changes,
  });
