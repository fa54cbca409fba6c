/**
 * Hosts in memory behind the real port: they hold live and saved texts, take changes all or nothing, keep what they
 * confirmed, and go back when nobody could confirm. A configured failure happens once a change is applied.
 */
import type {
  Change,
  HostClient,
  HostState,
  KnownGood,
  Reading,
  Reverified,
  TransactionResult,
} from '../../src/host/client.js';
import { error } from '../../src/lib/problem.js';
import type { RulesText } from '../../src/netfilter/model.js';
import type { Host } from '../../src/policy/fleet.js';

export type Behaviour =
  | 'good'
  /** No connection at all. */
  | 'unreachable'
  /** Connected, but sudo asks. */
  | 'unreadable'
  /** Nobody can confirm: it takes itself back. */
  | 'rolls-back'
  /** The rehearsal fails. */
  | 'refuses'
  /** The connection is lost and it never answers again. */
  | 'lost'
  /** Confirms, and is gone when it is asked again. */
  | 'gone-later'
  /** Takes for ever, to be read and to be changed. */
  | 'hangs';

export interface ModelHost {
  behaviour: Behaviour;
  live: RulesText;
  saved: { readonly v4?: string; readonly v6?: string; readonly sets?: string };
  known: KnownGood[];
  state: Partial<Omit<HostState, 'live' | 'saved'>>;
  facts?: Partial<HostState['facts']>;
  /** What happens to it during a soak. */
  meanwhile?: (model: ModelHost) => void;
}

export interface ModelFleet extends HostClient {
  readonly hosts: ReadonlyMap<string, ModelHost>;
  /** `read web-1`, `transact web-1`, in the order in which they began. */
  readonly log: readonly string[];
  /** The most transactions that ran at the same time. */
  readonly most: () => number;
  readonly changes: readonly { readonly host: string; readonly change: Change }[];
}

export const EMPTY: RulesText = { v4: '', v6: '', sets: '' };

export function modelHost(options: Partial<ModelHost> = {}): ModelHost {
  return { behaviour: 'good', live: EMPTY, saved: {}, known: [], state: {}, ...options };
}

export function modelFleet(hosts: Readonly<Record<string, ModelHost>>): ModelFleet {
  const byName = new Map(Object.entries(hosts));
  const log: string[] = [];
  const changes: { readonly host: string; readonly change: Change }[] = [];
  let [now, most] = [0, 0];
  const hostOf = ({ name }: Host): ModelHost => {
    const found = byName.get(name);
    if (found === undefined) throw new Error(`The test knows no host ${name}.`);
    return found;
  };
  return {
    hosts: byName,
    log,
    changes,
    most: () => most,
    read: async (host, options): Promise<Reading> => {
      log.push(`read ${host.name}`);
      await tick();
      const model = hostOf(host);
      if (model.behaviour === 'hangs') await new Promise(() => {});
      if (model.behaviour === 'unreachable')
        return { status: 'unreachable', problem: error('host-unreachable', 'It did not answer.') };
      if (model.behaviour === 'unreadable')
        return { status: 'error', problem: error('sudo-asks', 'sudo asks for a password.') };
      return { status: 'read', state: stateOf(host, model, options?.knownGood) };
    },
    transact: async (host, change, report): Promise<TransactionResult> => {
      log.push(`transact ${host.name}`);
      changes.push({ host: host.name, change });
      now += 1;
      most = Math.max(most, now);
      report('apply');
      await tick();
      const result = take(hostOf(host), change);
      if (hostOf(host).behaviour === 'hangs') await new Promise(() => {});
      now -= 1;
      return result;
    },
    reverify: async (host): Promise<Reverified> => {
      log.push(`reverify ${host.name}`);
      await tick();
      const model = hostOf(host);
      if (model.behaviour === 'gone-later')
        return {
          outcome: 'unreachable',
          phase: 'soak',
          reason: 'the host accepts no new connection',
          seconds: 1,
        };
      model.meanwhile?.(model);
      return {
        outcome: 'confirmed',
        phase: 'soak',
        reason: '',
        seconds: 1,
        state: stateOf(host, model, undefined),
      };
    },
    close: async () => {
      log.push('close');
    },
  };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function take(model: ModelHost, change: Change): TransactionResult {
  if (JSON.stringify(change.live) !== JSON.stringify(model.live))
    return { outcome: 'refused', phase: 'preflight', reason: 'the live rules have changed', seconds: 0 };
  switch (model.behaviour) {
    case 'rolls-back':
      return { outcome: 'rolled-back', phase: 'verify', reason: 'no new connection came', seconds: 60 };
    case 'refuses':
      return { outcome: 'refused', phase: 'rehearse', reason: 'the rules do not load', seconds: 1 };
    case 'lost':
      return { outcome: 'unknown', phase: 'confirm', reason: 'the connection was lost', seconds: 75 };
    default:
      model.live = change.next;
      model.saved = change.savedAfter;
      model.known = [
        {
          number: 1,
          run: change.run,
          commit: change.commit,
          time: '2027-01-01T00:00:00Z',
          digest: change.digest ?? '',
          rules: change.owned,
        },
        ...model.known.map((entry) => ({ ...entry, number: entry.number + 1 })),
      ];
      return { outcome: 'confirmed', phase: 'done', reason: '', seconds: 2 };
  }
}

function stateOf(host: Host, model: ModelHost, knownGood: number | undefined): HostState {
  const history = model.known.map(({ rules, ...entry }) => ({
    ...entry,
    ...(entry.number === knownGood && rules !== undefined ? { rules } : {}),
  }));
  return {
    live: model.live,
    saved: model.saved,
    boot: {
      loader: 'netfilter-persistent',
      enabled: true,
      paths: { v4: '/etc/iptables/rules.v4', v6: '/etc/iptables/rules.v6', sets: '/etc/iptables/ipsets' },
    },
    backend: 'nft',
    versions: { iptables: '1.8.9', kernel: '6.1.0' },
    facts: {
      hostname: host.name,
      machineId: host.name,
      addresses: host.addresses,
      interfaces: ['lo', 'eth0'],
      client: '203.0.113.5',
      sshPort: 22,
      systemd: true,
      ipv6: true,
      ...model.facts,
    },
    record: { history, ...(history[0] === undefined ? {} : { current: history[0] }) },
    ...model.state,
  };
}
