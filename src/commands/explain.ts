/** `explain`: what becomes of a packet, and which rule decides it. */
import { compileHost } from '../compile/rules/compile.js';
import { error, failure, type Result } from '../lib/problem.js';
import type { Ruleset } from '../netfilter/model.js';
import type { Explanation, Packet } from '../traffic/model.js';
import { explainWithHints } from '../traffic/questions/hints.js';
import { explainPacket } from '../traffic/trace/explain.js';
import { chooseHosts, type FleetOptions } from './inputs/fleet.js';

export interface Explainable {
  readonly ruleset: Ruleset;
  /** The host's own addresses, for rules that match them by type. */
  readonly addresses: readonly string[];
}

/** The rules that the policy gives to one host. */
export async function desiredOf(options: FleetOptions): Promise<Result<Explainable>> {
  const chosen = await chooseHosts(options);
  if (!chosen.ok) return chosen;
  const { fleet, hosts } = chosen.value;
  const [host] = hosts;
  if (host === undefined || hosts.length > 1)
    return failure(
      error('one-host', `explain takes one host; ${hosts.length} were given.`, {
        hint: 'Give one name: `sallyport explain web-1 …`.',
      }),
    );
  const compiled = compileHost(fleet, host);
  return compiled.ok
    ? { ...compiled, value: { ruleset: compiled.value, addresses: host.addresses } }
    : compiled;
}

/** One answer a packet, in the same order; a single packet is worth hints. */
export const explain = (
  { ruleset, addresses }: Explainable,
  packets: readonly Packet[],
): readonly Explanation[] =>
  packets.map(
    (packet) =>
      (packets.length === 1 ? explainWithHints(ruleset, packet, { addresses }) : undefined) ??
      explainPacket(ruleset, packet, { addresses }),
  );
