/** What a report of drift shows: the hosts that differ, those that could not be read, and rules that expire. */
import { count } from '../../lib/text.js';
import type { Drift, DriftItem, Finding, HostDrift } from '../../rollout/results/model.js';
import { driftTotals, driftVerdict } from './totals.js';

export interface DriftView {
  /** Without a full stop. */
  readonly verdict: string;
  /** Every host was read and runs the policy. */
  readonly clean: boolean;
  readonly drifted: readonly DriftedHost[];
  /** Never called clean. */
  readonly unread: readonly { readonly host: string; readonly state: string; readonly reason: string }[];
  readonly expiring: readonly Finding[];
  /** What was left out of the comparison: a sentence, or empty. */
  readonly ignored: string;
}

export interface DriftedHost {
  readonly host: string;
  readonly places: readonly {
    readonly title: string;
    readonly items: readonly DriftItem[];
    readonly omitted: number;
  }[];
}

/** What differs in each of the three places that hold the rules of a host. */
const PLACES = [
  { key: 'live', title: 'In the kernel now' },
  { key: 'saved', title: 'In the saved file' },
  { key: 'boot', title: 'At the next boot' },
] as const;

const STATES: { readonly [status in HostDrift['status']]?: string } = {
  busy: 'is being changed',
  unreachable: 'is unreachable',
  error: 'could not be read',
};

/** @param most differences shown for each of live, saved and boot */
export function driftView(drift: Drift, most = Number.POSITIVE_INFINITY): DriftView {
  const totals = driftTotals(drift);
  const { chains, rules } = totals.ignored;
  return {
    verdict: driftVerdict(totals),
    clean: totals.clean === totals.hosts,
    drifted: drift.hosts
      .filter(({ status }) => status === 'drifted')
      .map((host) => ({
        host: host.host,
        places: PLACES.map(({ key, title }) => ({
          title,
          items: host[key].slice(0, most),
          omitted: Math.max(0, host[key].length - most),
        })).filter(({ items }) => items.length > 0),
      })),
    unread: drift.hosts.flatMap(({ host, status, reason = 'no reason given' }) => {
      const state = STATES[status];
      return state === undefined ? [] : [{ host, state, reason }];
    }),
    expiring: drift.due ?? [],
    ignored:
      chains + rules === 0
        ? ''
        : `Not compared: ${count(rules, 'rule')} and ${count(chains, 'chain')} that the policy does not manage.`,
  };
}
