/** The answer to `read`, as the state of a host, or the reason why it cannot be read truthfully. */

import { error, type Problem } from '../../lib/problem.js';
import type { RulesText } from '../../netfilter/model.js';
import type { Host } from '../../policy/fleet.js';
import { pairs, type Section } from '../agent/agent.js';
import type { Boot, HostFacts, HostState, Reading } from '../client.js';
import { readActivity } from './activity.js';
import { dropCount, storedDropCount } from './drops.js';
import { readRecord } from './record.js';

/** `knownGood` is the entry whose text was asked for. */
export function readState(host: Host, sections: ReadonlyMap<string, Section>, knownGood?: number): Reading {
  const problem = unreadableState(host, sections);
  if (problem !== undefined) return { status: 'error', problem };
  const text = (name: string): string => sections.get(name)?.out ?? '';
  const facts = pairs(text('facts'));
  const kernel = value(facts, 'kernel');
  const ipset = /ipset v([\w.]+)/.exec(text('ipset-version'))?.[1];
  const saved = (name: string) => sections.get(`saved-${name}`)?.out;
  const known = readFacts(facts, text('addresses'));
  const activity = readActivity(text('activity'), [...host.addresses, ...known.addresses]);
  const state: HostState = {
    live: {
      v4: withoutCounters(text('live-v4')),
      v6: withoutCounters(text('live-v6')),
      sets: text('live-sets'),
    },
    saved: given({ v4: saved('v4'), v6: saved('v6'), sets: saved('sets') }),
    boot: readBoot(text('boot')),
    backend: backendOf(text('version')),
    versions: {
      iptables: /v([\d.]+)/.exec(text('version'))?.[1] ?? '',
      kernel,
      ...(ipset === undefined ? {} : { ipset }),
    },
    facts: known,
    record: readRecord(text('record'), knownText(sections), knownGood),
    notes: [...nativeChains(host, text('nft')), ...nativeRules(host, text('nft'))],
    drops: {
      now: dropCount(text('facts'), { v4: text('live-v4'), v6: text('live-v6') }),
      ...(sections.has('counted') ? { before: storedDropCount(text('counted')) } : {}),
    },
    ...(activity === undefined ? {} : { activity }),
    ...(sections.has('log')
      ? {
          log: text('log')
            .split('\n')
            .filter((line) => line !== ''),
        }
      : {}),
  };
  return { status: 'read', state };
}

/** As `iptables-save` prints it without `-c`, but for the counters of policies, which it prints always. */
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
    ...(client === undefined || client === '' ? {} : { client }),
    ...(sshPort === undefined ? {} : { sshPort: Number(sshPort) }),
    systemd: value(facts, 'systemd') === 'yes',
    ipv6: value(facts, 'ipv6') === 'yes',
    managers: all('manager'),
  };
}

function knownText(sections: ReadonlyMap<string, Section>) {
  const v4 = sections.get('known-v4')?.out;
  if (v4 === undefined) return undefined;
  return { v4, v6: sections.get('known-v6')?.out ?? '', sets: sections.get('known-sets')?.out ?? '' };
}

const given = (texts: { readonly [K in keyof RulesText]: string | undefined }): HostState['saved'] =>
  Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined));

/** The first thing that makes what was read less than the truth. */
function unreadableState(host: Host, sections: ReadonlyMap<string, Section>): Problem | undefined {
  const version = sections.get('version')?.out ?? '';
  const missing = pairs(sections.get('tools')?.out ?? '').map(([, tool]) => tool);
  if (missing.length > 0)
    return error(
      'tools-missing',
      `${host.name} lacks ${missing.join(', ')}.`,
      undefined,
      missing.some((tool) => tool.startsWith('ip'))
        ? 'Install the package iptables on it.'
        : 'Install coreutils and util-linux, or a busybox that has them.',
    );
  for (const [name, tool] of SAVERS) {
    const found = saveProblem(host, sections.get(name), tool, name !== 'live-sets');
    if (found !== undefined) return found;
  }
  if (holdsRules(sections.get('other')?.out ?? ''))
    return error(
      'two-backends',
      `${host.name} has rules in both backends, ${backendOf(version) === 'nft' ? 'nft (iptables) and legacy (iptables-legacy)' : 'legacy (iptables) and nft (iptables-nft)'}; both filter, and only one would be seen.`,
      undefined,
      'Move the rules into one of them, flush the other, and see who filled it.',
    );
  return undefined;
}

const SAVERS: readonly (readonly [section: string, tool: string])[] = [
  ['live-v4', 'iptables-save'],
  ['live-v6', 'ip6tables-save'],
  ['live-sets', 'ipset save'],
];

/** An empty text with status 0 is an answer; a partial one, or one that says that it cannot show a table, is none. */
function saveProblem(
  host: Host,
  section: Section | undefined,
  tool: string,
  tables: boolean,
): Problem | undefined {
  const { out, err, code } = section ?? { out: '', err: '', code: 127 };
  if (code !== 0)
    return error(
      'state-unreadable',
      `${host.name}: ${tool} ended with status ${code}${said(err)}.`,
      undefined,
      `Run "${tool}" on the host as root.`,
    );
  const blind = /^# Table `(\w+)' (?:is incompatible|contains incompatible)/m.exec(out)?.[1];
  if (blind !== undefined)
    return error(
      'native-nft-table',
      `${host.name}: the table ${blind} holds rules that were made with nft and that ${tool} cannot show.`,
      undefined,
      'Move them into an nft table of another name, or manage this host with nft alone.',
    );
  const opened = tables ? [...out.matchAll(/^\*\w+$/gm)].length : 0;
  if (out.includes('\r') || opened !== (tables ? [...out.matchAll(/^COMMIT$/gm)].length : 0))
    return error(
      'state-unreadable',
      `${host.name}: what ${tool} printed is not complete${said(err)}.`,
      undefined,
      `Run "${tool}" on the host as root.`,
    );
  return undefined;
}

const said = (err: string): string =>
  err.trim() === '' ? '' : `: ${err.trim().split('\n').slice(-2).join(' ')}`;

/** More than empty chains that accept. */
const holdsRules = (text: string): boolean =>
  /^-A |^:\S+ (DROP|-) |^# cannot be seen|^# Table .* (is|contains) incompatible/m.test(text);

/** Tables that iptables-nft itself keeps in nft (iptables-nft(8)). */
const COMPATIBLE = /^table ip6? (filter|nat|mangle|raw|security) \{$/;

/** Native tables with hooks filter as well: what they drop, no rule of Sallyport can let through. */
function nativeChains(host: Host, listing: string): readonly Problem[] {
  const found = new Map<string, string[]>();
  let table = '';
  let chain = '';
  for (const line of listing.split('\n')) {
    if (/^table /.test(line)) table = COMPATIBLE.test(line) ? '' : line.replace(/^table (.*) \{$/, '$1');
    else if (/^\tchain /.test(line)) chain = line.replace(/^\tchain (.*) \{$/, '$1');
    else if (table !== '' && /type filter hook (input|output|forward|prerouting|ingress)/.test(line))
      found.set(table, [...(found.get(table) ?? []), chain]);
  }
  return [...found].map(([name, chains]) => ({
    id: 'native-nft-chains',
    level: 'note',
    message: `${host.name}: the native nft table "${name}" filters as well (${chains.join(', ')}); it is not part of what is compared.`,
    hint: 'A packet must pass it too.',
  }));
}

/** Rules in the tables of iptables that were made with nft: a deploy looks closer, and refuses what is shown wrongly. */
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
      message: `${host.name}: ${first}${more} was made with nft, and iptables-save shows another rule in its place; so does this plan.`,
      hint: 'Move it into an nft table of another name, or make it with iptables; a deploy refuses until then.',
    },
  ];
}
