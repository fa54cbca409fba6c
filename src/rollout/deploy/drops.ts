/** Whether a host drops more packets after a change that no rule matches, and which packets these are. */
import type { DropCount, Drops } from '../../host/client.js';
import { FAMILY, list } from '../../lib/text.js';
import type { DropRate } from '../results/model.js';

/** So few more packets are not a rise: a scan, or a client that retries. */
const NOISE = 10;

interface Rise {
  readonly rate: DropRate;
  /** Whether it is more than `max_drop_growth` of the policy allows. */
  readonly tooMuch: boolean;
}

/**
 * Compares two windows: from the last confirmed change until this one began, and from the confirmation of this one
 * until now. Without the first (first deploy), or when it is shorter than the second, there is no comparison.
 * @param growth How many times as many packets as before are allowed.
 */
export function compareDrops(
  before: Drops | undefined,
  during: Drops | undefined,
  growth: number,
): Rise | undefined {
  const now = during?.before === undefined ? undefined : since(during.before, during.now);
  if (now === undefined || now.seconds <= 0) return undefined;
  const then = before?.before === undefined ? undefined : since(before.before, before.now);
  const rate = { before: null, during: perMinute(now) };
  if (then === undefined || then.seconds < now.seconds) return { rate, tooMuch: false };
  const expected = (then.packets / then.seconds) * now.seconds;
  return {
    rate: { ...rate, before: perMinute(then) },
    tooMuch: now.packets > expected * growth + NOISE,
  };
}

interface Window {
  readonly packets: number;
  readonly seconds: number;
}

/** A counter that is lower than before was reset: by a boot, or when its rule was loaded again. */
function since(then: DropCount, now: DropCount): Window {
  const sameBoot = then.boot === now.boot;
  const known = new Map(sameBoot ? then.rules.map((rule) => [nameOf(rule), rule.packets]) : []);
  const packets = now.rules.map((rule) => {
    const old = known.get(nameOf(rule)) ?? 0;
    return rule.packets < old ? rule.packets : rule.packets - old;
  });
  return {
    packets: packets.reduce((sum, more) => sum + more, 0),
    seconds: now.uptime - (sameBoot ? then.uptime : 0),
  };
}

const nameOf = ({ family, chain }: DropCount['rules'][number]): string => `${family} ${chain}`;

const perMinute = ({ packets, seconds }: Window): number => Math.round((packets / seconds) * 600) / 10;

/** The packets that were dropped between two counts, from the kernel log, or else the chains that dropped them. */
export function describeDrops(
  { before, now }: Drops,
  log: readonly string[],
  prefix: string | undefined,
): string {
  const from = before?.uptime ?? 0;
  const flows = prefix === undefined ? [] : topFlows(log, prefix, from);
  if (flows.length > 0) return `Most often logged: ${list(flows, 4)}`;
  if (before === undefined) return '';
  const chains = now.rules
    .map((rule) => ({
      rule,
      ...since(
        { ...before, rules: before.rules.filter((old) => nameOf(old) === nameOf(rule)) },
        { ...now, rules: [rule] },
      ),
    }))
    .filter(({ packets }) => packets > 0)
    .toSorted((a, b) => b.packets - a.packets)
    .map(({ rule, packets }) => `${packets} at the end of ${rule.chain} (${FAMILY[rule.family]})`);
  return chains.length === 0
    ? ''
    : `They are not in the kernel log of the host; counters: ${list(chains, 3)}`;
}

/** `[ 1234.567890] iptables-drop: IN=eth0 OUT= MAC=… SRC=… DST=… LEN=60 … PROTO=TCP SPT=40000 DPT=8443 …` (nf_log_syslog). */
const LINE = /^(?:<\d+>)?\[\s*(\d+\.\d+)\] (.*) SRC=(\S+) DST=\S+ .*\bPROTO=(\S+)(.*)$/;

function topFlows(log: readonly string[], prefix: string, from: number): readonly string[] {
  const counts = new Map<string, number>();
  for (const line of log) {
    const [, seconds = '0', head = '', source = '', protocol = '', rest = ''] = LINE.exec(line) ?? [];
    if (Number(seconds) < from || !head.startsWith(prefix)) continue;
    const to = / DPT=(\d+)/.exec(rest)?.[1] ?? / TYPE=(\d+)/.exec(rest)?.[1];
    const flow = `${protocol.toLowerCase()}${to === undefined ? '' : `/${to}`} from ${source}`;
    counts.set(flow, (counts.get(flow) ?? 0) + 1);
  }
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([flow, count]) => `${flow}${count > 1 ? ` (${count} times)` : ''}`);
}
