/** Hosts of a lab as policy hosts, and a client for them. */
import { readFileSync } from 'node:fs';
import type {
  Change,
  HostClient,
  HostState,
  OutcomeKind,
  Phase,
  TransactionResult,
} from '../../src/host/client.js';
import { type HostOptions, openHosts } from '../../src/host/open.js';
import type { Lab, Host as LabHost } from '../../src/lab/lab.js';
import { until } from '../../src/lab/shell.js';
import type { Host } from '../../src/policy/fleet.js';
import { changeTo, type Wanted } from './change.js';

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
    location: { kind: 'policy', file: 'policies/hosts/lab.yml', line: 1, column: 1 },
    ...changes,
  };
}

/** A client with the lab's key (unless an agent has it) and known_hosts, over the lab's network. */
export const hostClient = (lab: Lab, changes: Partial<HostOptions> = {}): HostClient =>
  openHosts({
    knownHosts: [readFileSync(lab.knownHosts, 'utf8')],
    ...(changes.agent === undefined ? { key: { text: readFileSync(lab.identity, 'utf8') } } : {}),
    connect: lab.connect,
    ...changes,
  });

/** A client with helpers for tests. */
export interface TestClient {
  readonly hosts: HostClient;
  /** Reads the state; throws with the reason if that fails. */
  state(host: LabHost, policy?: Host): Promise<HostState>;
  /** Reads, makes the change, and carries it out. */
  deploy(host: LabHost, wanted: Wanted, options?: DeployOptions): Promise<Deployed>;
  /** The outcomes of all transactions, in order. */
  readonly results: readonly { readonly name: string; readonly run: string; readonly outcome: OutcomeKind }[];
  close(): Promise<void>;
}

export interface DeployOptions {
  readonly change?: Partial<Change>;
  readonly policy?: Host;
  /** Called when a phase begins; its result is awaited at the end. */
  readonly onPhase?: (phase: Phase) => unknown;
  /** Between reading and changing. */
  readonly between?: () => Promise<unknown>;
}

export interface Deployed {
  readonly result: TransactionResult;
  readonly phases: readonly Phase[];
  readonly change: Change;
}

export function testClient(lab: Lab, changes: Partial<HostOptions> = {}): TestClient {
  const bare = hostClient(lab, changes);
  const results: { readonly name: string; readonly run: string; readonly outcome: OutcomeKind }[] = [];
  const hosts: HostClient = {
    ...bare,
    transact: async (host, change, report) => {
      const result = await bare.transact(host, change, report);
      results.push({ name: host.name, run: change.run, outcome: result.outcome });
      return result;
    },
  };
  const state: TestClient['state'] = async (host, policy = policyHost(host)) => {
    const reading = await hosts.read(policy);
    if (reading.status !== 'read') throw new Error(reading.problem.message);
    return reading.state;
  };
  return {
    hosts,
    results,
    state,
    deploy: async (host, wanted, { change: parts, policy = policyHost(host), onPhase, between } = {}) => {
      const change = changeTo(await state(host, policy), wanted, parts);
      await between?.();
      const phases: Phase[] = [];
      const pending: unknown[] = [];
      const result = await hosts.transact(policy, change, (phase) => {
        phases.push(phase);
        pending.push(onPhase?.(phase));
      });
      await Promise.all(pending);
      return { result, phases, change };
    },
    close: () => hosts.close(),
  };
}

/** A client, and every address that it has connected to so far. */
export function diallingClient(lab: Lab): { readonly client: TestClient; readonly dials: readonly string[] } {
  const dials: string[] = [];
  const connect: HostOptions['connect'] = (address, port) => {
    dials.push(address);
    return lab.connect(address, port);
  };
  return { client: testClient(lab, { connect }), dials };
}

/** Lists processes, units, files and locks of transactions; empty if there are none. */
export const leftovers = (host: LabHost): Promise<string> =>
  host.must(`cd /var/lib/sallyport 2>/dev/null || exit 0
    ls -d pending new.* gone /etc/iptables/*.sallyport 2>/dev/null || true
    pgrep -af 'pending/[a]gent.sh' || true
    [ ! -d /run/systemd/system ] || systemctl list-units --all --plain --no-legend 'sallyport-*'
    flock -n lock true || echo 'the lock is held'`);

/** Waits until no transaction is in progress and nothing of one is left. */
export async function waitUntilIdle(host: LabHost, seconds = 5): Promise<void> {
  let left = '';
  try {
    await until(
      'No transaction is left',
      async () => {
        left = await leftovers(host);
        return left === '' ? true : undefined;
      },
      seconds,
    );
  } catch {
    throw new Error(`${host.name} is not idle: ${left}`);
  }
}

/** Replaces the shell and every tool that busybox has by busybox. */
export const BUSYBOX = `for applet in sh awk sort mv cp cat rm mkdir chmod sync sleep flock setsid sha256sum cmp tr grep date unshare; do
  busybox --list | grep -qx "$applet" && ln -sf /bin/busybox "/usr/local/sbin/$applet"
done; ln -sf /bin/busybox /bin/sh`;
