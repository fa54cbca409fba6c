/** Small rulesets from the rules that matter. */
import type { Ruleset } from '../../src/netfilter/model.js';
import { parseSets } from '../../src/netfilter/sets.js';
import { parseSave } from '../../src/netfilter/text/parse.js';
import type { Flow, TrafficDiff } from '../../src/traffic/model.js';

export function ruleset({
  v4 = '',
  v6 = '',
  sets = '',
}: {
  v4?: string;
  v6?: string;
  sets?: string;
}): Ruleset {
  const [four, six, named] = [
    parseSave(v4, 'v4', 'rules.v4'),
    parseSave(v6, 'v6', 'rules.v6'),
    parseSets(sets, 'sets'),
  ];
  if (!four.ok || !six.ok || !named.ok)
    throw new Error(JSON.stringify([four.problems, six.problems, named.problems]));
  return { v4: four.value, v6: six.value, sets: named.value };
}

/** A table with these rules; declares their user chains. */
export function table(name: string, rules: readonly string[], policies: Record<string, string> = {}): string {
  const chains = [...new Set(rules.flatMap((rule) => /^-A (\S+)/.exec(rule)?.[1] ?? []))];
  const builtIn = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
  return [
    `*${name}`,
    ...Object.entries(policies).map(([chain, policy]) => `:${chain} ${policy}`),
    ...chains.filter((chain) => !builtIn.includes(chain)).map((chain) => `:${chain} -`),
    ...rules,
    'COMMIT',
    '',
  ].join('\n');
}

export const DROPS = { INPUT: 'DROP', FORWARD: 'DROP' };

/** The baseline of a host with more rules before its last one. */
export const host = (...rules: readonly string[]): string =>
  table(
    'filter',
    [
      '-A INPUT -i lo -j ACCEPT',
      '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A INPUT -m conntrack --ctstate INVALID -j DROP',
      ...rules,
      '-A INPUT -m limit --limit 5/min -j LOG',
      '-A INPUT -j DROP',
    ],
    DROPS,
  );

const list = (name: string, values: readonly string[]): readonly string[] =>
  values.length === 0 ? [] : [`${name} ${values.join(',')}`];

/** `opened INPUT tcp dport 443`, one line per row. */
export function rowsOf(diff: TrafficDiff): readonly string[] {
  const lines = (kind: string, flows: readonly Flow[]): readonly string[] =>
    flows.map((flow) =>
      [
        kind,
        flow.hook,
        flow.family,
        ...list('in', flow.in),
        ...list('out', flow.out),
        ...(flow.state.join() === 'NEW' ? [] : list('state', flow.state)),
        flow.protocol,
        ...list('from', flow.src),
        ...list('to', flow.dst),
        ...list('sport', flow.sport),
        ...list('dport', flow.dport),
        ...list('type', flow.type),
        ...(flow.also ?? []),
      ].join(' '),
    );
  return [
    ...lines('opened', diff.opened),
    ...lines('closed', diff.closed),
    ...lines('possibly opened', diff.possiblyOpened),
    ...lines('possibly closed', diff.possiblyClosed),
    ...lines('answered', diff.answeredDifferently),
  ];
}
