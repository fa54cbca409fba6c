/** The state of a host, from the agent's answer to `read`; or why it cannot be read reliably. */
import { error, type Problem } from '../../lib/problem.js';
import type { RulesText } from '../../netfilter/model.js';
import type { Host } from '../../policy/fleet.js';
import { pairs, type Section } from '../agent/agent.js';
import type { Boot, HostFacts, HostState, Reading } from '../client.js';
import { readActivity } from './activity.js';
import { dropCount, storedDropCount } from './drops.js';
import { nativeNotes, nativeText } from './native.js';
import { readRecord } from './record.js';

/** Reads the sections of an answer. `knownGood` is the number of the history entry whose rules were requested. */
export function readState(host: Host, sections: ReadonlyMap<string, Section>, knownGood?: number): Reading {
  const problem = unreadableState(host, sections);
  if (problem !== undefined) return { status: 'error', problem };
  const text = (name: string): string => sections.get(name)?.out ?? '';
  const version = text('version');
  const pairsOfFacts = pairs(text('facts'));
  const facts = readFacts(pairsOfFacts, text('addresses'));
  const saved = (name: string) => sections.get(`saved-${name}`)?.out;
  const native = nativeText(sections.get('native'), text('nft'), backendOf(version));
  const state: HostState = {
    live: {
      v4: withoutCounters(text('live-v4')),
      v6: withoutCounters(text('live-v6')),
      sets: text('live-sets'),
      nft: native,
    },
    saved: { v4: saved('v4'), v6: saved('v6'), sets: saved('sets') },
    boot: readBoot(text('boot')),
    backend: backendOf(version),
    versions: {
      iptables: /v([\d.]+)/.exec(version)?.[1] ?? '',
      kernel: value(pairsOfFacts, 'kernel'),
      ipset: /ipset v([\w.]+)/.exec(text('ipset-version'))?.[1],
    },
    facts,
    record: readRecord(text('record'), knownRules(sections), knownGood),
    notes: [...nativeNotes(host, native), ...nativeRules(host, text('nft'))],
    drops: {
      now: dropCount(text('facts'), { v4: text('live-v4'), v6: text('live-v6') }),
      before: sections.has('counted') ? storedDropCount(text('counted')) : undefined,
    },
    activity: readActivity(text('activity'), [...host.addresses, ...facts.addresses]),
    log: sections.has('log')
      ? text('log')
          .split('\n')
          .filter((line) => line !== '')
      : undefined,
  };
  return { status: 'read', state };
}

/** The text as printed without `-c`. The counters of policies stay: iptables-save always prints them. */
const withoutCounters = (save: string): string => save.replace(/^\[\d+:\d+\] /gm, '');

const backendOf = (version: string): 'nft' | 'legacy' => (version.includes('nf_tables') ? 'nft' : 'legacy');

const value = (facts: readonly (readonly [string, string])[], name: string): string =>
  facts.find(([key]) => key === name)?.[1] ?? '';

function readBoot(text: string): Boot {
  const facts = pairs(text);
  return {
    loader: value(facts, 'loader') as Boot['loader'],
    enabled: value(facts, 'enabled') === 'yes',
    paths: { v4: value(facts, 'v4'), v6: value(facts, 'v6'), sets: value(facts, 'sets') },
  };
}

function readFacts(facts: readonly (readonly [string, string])[], addresses: string): HostFacts {
  // SSH_CONNECTION: the client's address and port, the server's address and port (ssh(1)).
  const [client, , , sshPort] = value(facts, 'ssh').split(' ');
  const all = (name: string) => facts.filter(([key]) => key === name).map(([, found]) => found);
  return {
    hostname: value(facts, 'hostname'),
    machineId: value(facts, 'machine-id'),
    addresses: [...addresses.matchAll(/^\d+: \S+\s+inet6? ([^\s/]+)/gm)].map(([, address = '']) => address),
    interfaces: all('interface'),
    client: client || undefined,
    sshPort: sshPort === undefined ? undefined : Number(sshPort),
    systemd: value(facts, 'systemd') === 'yes',
    ipv6: value(facts, 'ipv6') === 'yes',
    managers: all('manager'),
  };
}

function knownRules(sections: ReadonlyMap<string, Section>): RulesText | undefined {
  const v4 = sections.get('known-v4')?.out;
  if (v4 === undefined) return undefined;
  return { v4, v6: sections.get('known-v6')?.out ?? '', sets: sections.get('known-sets')?.out ?? '' };
}

/** The first reason why the rules that were read may be incomplete or wrong. */
function unreadableState(host: Host, sections: ReadonlyMap<string, Section>): Problem | undefined {
  const version = sections.get('version')?.out ?? '';
  const missing = pairs(sections.get('tools')?.out ?? '').map(([, tool]) => tool);
  if (missing.length > 0)
    return error('tools-missing', `${host.name} lacks ${missing.join(', ')}.`, {
      hint: missing.some((tool) => tool.startsWith('ip'))
        ? 'Install the package iptables on it.'
        : 'Install coreutils and util-linux, or a busybox that has them.',
    });
  for (const [name, tool] of SAVERS) {
    const problem = saveProblem(host, sections.get(name), tool, name !== 'live-sets');
    if (problem !== undefined) return problem;
  }
  if (holdsRules(sections.get('other')?.out ?? ''))
    return error(
      'two-backends',
      `${host.name} has rules in both backends, ${backendOf(version) === 'nft' ? 'nft (iptables) and legacy (iptables-legacy)' : 'legacy (iptables) and nft (iptables-nft)'}; both filter packets, but only one can be read.`,
      { hint: 'Move the rules to one backend, flush the other, and find out what wrote to it.' },
    );
  return undefined;
}

const SAVERS: readonly (readonly [section: string, tool: string])[] = [
  ['live-v4', 'iptables-save'],
  ['live-v6', 'ip6tables-save'],
  ['live-sets', 'ipset save'],
];

/** An empty text with status 0 is valid; a partial one, or one with a table that the tool cannot print, is not. */
function saveProblem(
  host: Host,
  section: Section | undefined,
  tool: string,
  tables: boolean,
): Problem | undefined {
  const { out, err, code } = section ?? { out: '', err: '', code: 127 };
  const unreadable = (why: string): Problem =>
    error('state-unreadable', `${host.name}: ${why}${lastLines(err)}.`, {
      hint: `Run "${tool}" on the host as root.`,
    });
  if (code !== 0) return unreadable(`${tool} exited with status ${code}`);
  const table = /^# Table `(\w+)' (?:is incompatible|contains incompatible)/m.exec(out)?.[1];
  if (table !== undefined)
    return error(
      'native-nft-table',
      `${host.name}: table ${table} contains rules created with nft, which ${tool} cannot print.`,
      { hint: 'Move them to a separate nft table, or manage this host with nft alone.' },
    );
  const count = (pattern: RegExp): number => (tables ? [...out.matchAll(pattern)].length : 0);
  return out.includes('\r') || count(/^\*\w+$/gm) !== count(/^COMMIT$/gm)
    ? unreadable(`the output of ${tool} is incomplete`)
    : undefined;
}

const lastLines = (stderr: string): string =>
  stderr.trim() === '' ? '' : `: ${stderr.trim().split('\n').slice(-2).join(' ')}`;

/** Whether there is more than empty chains with policy ACCEPT. */
const holdsRules = (text: string): boolean =>
  /^-A |^:\S+ (DROP|-) |^# cannot be seen|^# Table .* (is|contains) incompatible/m.test(text);

/** Warns of nft rules in the tables of iptables; a deploy checks each, and refuses those that are printed wrongly. */
function nativeRules(host: Host, listing: string): readonly Problem[] {
  const rules = listing
    .split('\n')
    .filter((line) => line.startsWith('rule '))
    .map((line) => {
      const [, family = '', table = '', chain = '', number = ''] = line.split(' ');
      return `rule ${number} of ${chain} (table ${family} ${table})`;
    });
  const [first] = rules;
  if (first === undefined) return [];
  const more = rules.length > 1 ? ` and ${rules.length - 1} more` : '';
  return [
    {
      id: 'native-nft-rules',
      level: 'warning',
      message: `${host.name}: ${first}${more} was created with nft, and iptables-save prints it as a different rule; so does this plan.`,
      hint: 'Move it to a separate nft table, or create it with iptables; until then a deploy refuses the host.',
    },
  ];
}
