/** Ports that Docker publishes: its DNAT rules redirect their packets past INPUT, and its rules in FORWARD accept them. */
import { isOwned } from '../../compile/names.js';
import { isProgramInterface, programOfChain } from '../../compile/programs.js';
import { FAMILIES, type Family } from '../../lib/family.js';
import { type Problem, warning } from '../../lib/problem.js';
import type { Rule, Ruleset, Tables } from '../../netfilter/model.js';
import type { Explanation } from '../../traffic/model.js';
import { explainer } from '../../traffic/trace/explain.js';

/** Of networks for documentation (RFC 5737, RFC 3849): a sender that no rule names. */
const UNKNOWN_SENDER: { readonly [family in Family]: string } = {
  v4: '198.51.100.7',
  v6: '2001:db8:ffff::7',
};
const LOOPBACK = /^(127\.|::1\b)/;

interface Published {
  readonly rule: Rule;
  readonly protocol: string;
  readonly port: string;
  readonly container: string;
  readonly containerPort: number;
}

/**
 * One warning for each published port that any sender reaches although the policy does not allow it: rules under
 * `input:` do not apply to it.
 * @param next The rules after the change.
 * @param interfaces Those of the host; when unknown, the packets arrive by one that no rule names.
 */
export function publishedPorts(next: Ruleset, interfaces: readonly string[]): readonly Problem[] {
  const outside = interfaces.filter((name) => name !== 'lo' && !isProgramInterface(name));
  const explain = explainer(next);
  return FAMILIES.flatMap((family) =>
    publishedIn(next[family]).flatMap(({ rule, protocol, port, container, containerPort }) => {
      const out = bridgeTo(next[family], container);
      const answers = (outside.length === 0 ? [undefined] : outside).map((device) =>
        explain({
          hook: 'FORWARD',
          in: device,
          out,
          src: UNKNOWN_SENDER[family],
          dst: container,
          protocol,
          dport: containerPort,
        }),
      );
      if (!answers.some(passesUnmanaged)) return [];
      const reach = answers.some(({ verdict }) => verdict === 'accept') ? 'reaches' : 'may reach';
      return [
        warning(
          'docker-published-port',
          `Docker publishes ${protocol}/${port}, and everyone ${reach} it: its packets go to ${container} through FORWARD, where "input:" does not apply.`,
          {
            location: rule.location,
            hint: `Publish it on 127.0.0.1, or allow access to ${container} under "forward:" and deny the rest. If it is intended: accept: [{finding: docker-published-port, reason: …}].`,
          },
        ),
      ];
    }),
  );
}

/** Accepted, or perhaps accepted, and not by a rule of the policy. */
const passesUnmanaged = ({ verdict, rule }: Explanation): boolean =>
  (verdict === 'accept' && (rule === null || !isOwned(rule.chain))) || verdict === 'unknown';

function publishedIn(tables: Tables): readonly Published[] {
  const nat = tables.find(({ name }) => name === 'nat');
  return (nat?.chains ?? [])
    .filter(({ name }) => programOfChain(name) === 'docker')
    .flatMap(({ rules }) => rules.flatMap((rule) => published(rule) ?? []));
}

function published(rule: Rule): Published | undefined {
  if (rule.target?.name !== 'DNAT' || LOOPBACK.test(rule.destination?.value ?? '')) return undefined;
  const [to = ''] = rule.target.options.find(({ flag }) => flag === '--to-destination')?.values ?? [];
  const port = rule.matches.flatMap(({ options }) => options).find(({ flag }) => flag === '--dport')
    ?.values[0];
  const [, v6, v4, containerPort] = /^(?:\[([0-9a-f:]+)\]|([0-9.]+)):(\d+)$/.exec(to) ?? [];
  const container = v6 ?? v4;
  if (container === undefined || port === undefined || rule.protocol === undefined) return undefined;
  return { rule, protocol: rule.protocol.value, port, container, containerPort: Number(containerPort) };
}

/** The outgoing interface in Docker's rule for the container. */
const bridgeTo = (tables: Tables, container: string): string | undefined =>
  tables
    .find(({ name }) => name === 'filter')
    ?.chains.flatMap(({ rules }) => rules)
    .find(({ destination, outInterface }) => destination?.value.split('/')[0] === container && outInterface)
    ?.outInterface?.value;
