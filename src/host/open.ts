/** A {@link HostClient} for real hosts: one connection per host, kept from reading until its transaction. */
import type { ChildProcess } from 'node:child_process';
import { error, type Problem, type Result } from '../lib/problem.js';
import type { Host } from '../policy/fleet.js';
import { askAgent, lostProblem, readerVersion, type Variables } from './agent/agent.js';
import { pathVariables } from './agent/variables.js';
import type { HostClient, Reading } from './client.js';
import { readerNotes } from './reader.js';
import { type Credentials, type KeyOptions, readCredentials } from './ssh/credentials.js';
import { parseKnownHosts } from './ssh/host-key.js';
import { opensshTransport } from './ssh/openssh.js';
import { type Dialer, sshTransport } from './ssh/ssh.js';
import type { Connected, Connection, Transport } from './ssh/transport.js';
import { readState } from './state/state.js';
import { reverify, transact } from './transaction/transaction.js';

export interface HostOptions extends KeyOptions {
  /** The texts of known_hosts files. Without any, no host is trusted. */
  readonly knownHosts: readonly string[];
  /** Opens TCP connections; default: the system's. */
  readonly connect?: Dialer;
  /** Starts the system's `ssh`, for hosts whose transport is `openssh`; default: `spawn`. */
  readonly spawn?: (command: string, args: readonly string[]) => ChildProcess;
  /** Receives debug messages; never a secret. */
  readonly log?: (line: string) => void;
}

/** For connecting and logging in. */
const CONNECT_SECONDS = 20;
const READ_SECONDS = 60;

/** Opens no connection yet. Unreadable keys are reported with the first host that needs them. */
export function openHosts(options: HostOptions): HostClient {
  const { log = () => {} } = options;
  const transport = transportWith(options);
  const kept = new Map<string, Connection>();

  const connectionTo = async (host: Host): Promise<Connected> => {
    const connection = kept.get(host.name);
    if (connection?.isAlive()) return { ok: true, connection };
    const connected = await transport.connect(host, { seconds: CONNECT_SECONDS });
    log(
      `${host.name}: ${connected.ok ? `connected to ${connected.connection.address}` : connected.problem.message}`,
    );
    if (connected.ok) kept.set(host.name, connected.connection);
    return connected;
  };

  return {
    read: async (host, { knownGood, activity } = {}) => {
      const connected = await connectionTo(host);
      if (!connected.ok) return { status: 'unreachable', problem: connected.problem };
      const variables = {
        ...(knownGood === undefined ? {} : { KNOWN: String(knownGood) }),
        ...(activity ? { ACTIVITY: 'yes' } : {}),
      };
      return readOver(connected.connection, host, variables, knownGood);
    },
    transact: async (host, change, report) => {
      report('connect');
      const connected = await connectionTo(host);
      if (!connected.ok)
        return { outcome: 'unreachable', phase: 'connect', reason: connected.problem.message, seconds: 0 };
      const { connection } = connected;
      const result = await transact({ host, change, transport, connection, report });
      kept.delete(host.name);
      connection.close();
      return result;
    },
    reverify: (host, change) =>
      reverify({ host, change, transport }, async (connection) => {
        const reading = await readOver(connection, host, { LOG: 'yes' });
        return reading.status === 'read' ? reading.state : undefined;
      }),
    close: async () => {
      for (const connection of kept.values()) connection.close();
      kept.clear();
      transport.dispose();
    },
  };
}

async function readOver(
  connection: Connection,
  host: Host,
  variables: Variables,
  knownGood?: number,
): Promise<Reading> {
  const request = { verb: 'read', variables: { ...pathVariables(host), ...variables } } as const;
  const answer = await askAgent(connection, host, request, { seconds: READ_SECONDS });
  if (answer.kind === 'lost') return { status: 'unreachable', problem: answer.problem ?? lostProblem(host) };
  if (answer.kind === 'failed') return { status: 'error', problem: answer.problem };
  const reading = readState(host, answer.sections, knownGood);
  const version = readerVersion(answer.lines);
  if (version === undefined || reading.status !== 'read') return reading;
  const notes = [...(reading.state.notes ?? []), ...readerNotes(host.name, version)];
  return { ...reading, state: { ...reading.state, notes } };
}

/** Uses for each host the transport that its policy names. */
function transportWith(options: HostOptions): Transport & { readonly dispose: () => void } {
  const credentials = credentialsFor(options);
  const { connect: dial } = options;
  const builtin = sshTransport({
    knownHosts: parseKnownHosts(options.knownHosts),
    credentials: (host) => {
      const found = credentials(host);
      return found.ok ? found.value : { keys: [] };
    },
    dial,
  });
  let made: ReturnType<typeof opensshTransport> | undefined;
  const transportOf = ({ ssh }: Host): Transport => {
    if (ssh.transport !== 'openssh') return builtin;
    made ??= opensshTransport({ ...options, dial });
    return made;
  };
  // After dispose() no caller waits for an answer, and retries must not keep the program from ending.
  let closed = false;
  const never = new Promise<never>(() => {});
  return {
    connect: async (host, connectOptions) => {
      if (closed) return never;
      const problem = host.ssh.transport === 'openssh' ? undefined : keyProblem(host, credentials(host));
      return problem === undefined ? transportOf(host).connect(host, connectOptions) : { ok: false, problem };
    },
    probePort: (host, ...probe) => (closed ? never : transportOf(host).probePort(host, ...probe)),
    dispose: () => {
      closed = true;
      builtin.dispose();
      made?.dispose();
      made = undefined;
    },
  };
}

/** Reads each key once: deriving one from its passphrase takes a moment (bcrypt). */
function credentialsFor(options: HostOptions): (host: Host) => Result<Credentials> {
  const read = new Map<string, Result<Credentials>>();
  return ({ ssh: { identity } }) => {
    const name = identity ?? '';
    const credentials =
      read.get(name) ??
      readCredentials(
        identity === undefined ? options : { passphrase: options.key?.passphrase, identityFiles: [identity] },
      );
    read.set(name, credentials);
    return credentials;
  };
}

function keyProblem(host: Host, credentials: Result<Credentials>): Problem | undefined {
  if (!credentials.ok) return credentials.problems[0];
  if (credentials.value.keys.length > 0 || credentials.value.agent !== undefined) return undefined;
  return error('no-key', `No SSH key for ${host.name}.`, {
    hint: 'Give one with --identity, or start an ssh-agent.',
  });
}
