/** Real hosts behind {@link HostClient}: one connection per host, kept from reading until its transaction. */
import type { ChildProcess } from 'node:child_process';
import { error, type Problem, type Result } from '../lib/problem.js';
import type { Host } from '../policy/fleet.js';
import { ask, lostProblem, readerVersion, type Variables } from './agent/agent.js';
import type { HostClient, Reading, ReadOptions } from './client.js';
import { readerNotes } from './reader.js';
import { type Credentials, type KeyOptions, readCredentials } from './ssh/credentials.js';
import { parseKnownHosts } from './ssh/host-key.js';
import { opensshTransport } from './ssh/openssh.js';
import { type Dialer, sshTransport } from './ssh/ssh.js';
import type { Connected, Connection, Transport } from './ssh/transport.js';
import { readState } from './state/state.js';
import { transact as carryOut, reverify } from './transaction/transaction.js';

export interface HostOptions extends KeyOptions {
  /** The texts of known_hosts files. Without any, no host is trusted. */
  readonly knownHosts: readonly string[];
  /** Opens TCP connections in another way than the system's. */
  readonly connect?: Dialer;
  /** Starts the system's `ssh` in another way, for hosts whose transport is `openssh`. */
  readonly spawn?: (command: string, args: readonly string[]) => ChildProcess;
  /** Told what happens, for debugging; never a secret. */
  readonly log?: (line: string) => void;
}

/** Connecting and logging in, and reading one host. */
const CONNECT_SECONDS = 20;
const READ_SECONDS = 60;

/** Opens no connection yet. Bad keys are reported with the first host that needs them. */
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

  const read = async (host: Host, { knownGood, activity }: ReadOptions = {}): Promise<Reading> => {
    const connected = await connectionTo(host);
    if (!connected.ok) return { status: 'unreachable', problem: connected.problem };
    const more = {
      ...(knownGood === undefined ? {} : { KNOWN: String(knownGood) }),
      ...(activity ? { ACTIVITY: 'yes' } : {}),
    };
    return readOver(connected.connection, host, more, knownGood);
  };

  return {
    read,
    transact: async (host, change, report) => {
      report('connect');
      const connected = await connectionTo(host);
      if (!connected.ok)
        return { outcome: 'unreachable', phase: 'connect', reason: connected.problem.message, seconds: 0 };
      const { connection } = connected;
      const result = await carryOut({ host, change, transport, connection, report });
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
  more: Variables,
  knownGood?: number,
): Promise<Reading> {
  const question = { verb: 'read', variables: { ...bootVariables(host), ...more } } as const;
  const answer = await ask(connection, host, question, { seconds: READ_SECONDS });
  if (answer.kind === 'lost') return { status: 'unreachable', problem: answer.problem ?? lostProblem(host) };
  if (answer.kind === 'failed') return { status: 'error', problem: answer.problem };
  const reading = readState(host, answer.sections, knownGood);
  const reader = readerVersion(answer.words);
  if (reader === undefined || reading.status !== 'read') return reading;
  const notes = [...(reading.state.notes ?? []), ...readerNotes(host.name, reader)];
  return { ...reading, state: { ...reading.state, notes } };
}

/** The files that the policy names for the host's boot. */
const bootVariables = ({ boot: { paths } }: Host): Variables =>
  paths === undefined ? {} : { PATH_V4: paths.v4, PATH_V6: paths.v6, PATH_SETS: paths.sets ?? '' };

/** Each host over the transport that its policy names. */
function transportWith(options: HostOptions): Transport & { readonly dispose: () => void } {
  const login = loginFor(options);
  const builtin = sshTransport({
    knownHosts: parseKnownHosts(options.knownHosts),
    login: (host) => {
      const found = login(host);
      return found.ok ? found.value : { keys: [] };
    },
    ...(options.connect === undefined ? {} : { dial: options.connect }),
  });
  let made: ReturnType<typeof opensshTransport> | undefined;
  const { connect: dial, ...rest } = options;
  const openssh = (): Transport => {
    made ??= opensshTransport({ ...rest, ...(dial === undefined ? {} : { dial }) });
    return made;
  };
  // Whoever closes waits for no answer any more: what would still ask must not keep the program from ending.
  let closed = false;
  const never = new Promise<never>(() => {});
  return {
    connect: async (host, how) => {
      if (closed) return never;
      if (host.ssh.transport === 'openssh') return openssh().connect(host, how);
      const problem = noKey(host, login(host));
      return problem === undefined ? builtin.connect(host, how) : { ok: false, problem };
    },
    probePort: (host, ...how) =>
      closed ? never : (host.ssh.transport === 'openssh' ? openssh() : builtin).probePort(host, ...how),
    dispose: () => {
      closed = true;
      builtin.dispose();
      made?.dispose();
      made = undefined;
    },
  };
}

/** Reads keys once each: deriving one from its passphrase takes a moment (bcrypt). */
function loginFor(options: HostOptions): (host: Host) => Result<Credentials> {
  const read = new Map<string, Result<Credentials>>();
  return ({ ssh: { identity } }) => {
    const name = identity ?? '';
    const login =
      read.get(name) ??
      readCredentials(
        identity === undefined ? options : { ...passphraseOf(options), identityFiles: [identity] },
      );
    read.set(name, login);
    return login;
  };
}

const passphraseOf = ({ key }: HostOptions): KeyOptions =>
  key?.passphrase === undefined ? {} : { passphrase: key.passphrase };

function noKey(host: Host, login: Result<Credentials>): Problem | undefined {
  if (!login.ok) return login.problems[0];
  if (login.value.keys.length > 0 || login.value.agent !== undefined) return undefined;
  return error(
    'no-key',
    `There is no key to log in to ${host.name} with.`,
    undefined,
    'Name one with --identity, or start an ssh-agent.',
  );
}
