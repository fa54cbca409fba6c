/** The options of iptables itself: protocol, addresses, interfaces, matches, target, counters. */

import type { Family } from '../../lib/family.js';
import { findExtension } from '../extensions/index.js';
import { protocolNumber } from '../extensions/protocols.js';
import { isRefusal } from '../extensions/row.js';
import { canonicalNetwork } from '../extensions/values.js';
import type { Token } from '../text/tokens.js';
import { fault, load, type State, takeArgument } from './state.js';

/** One option: its letter, its long names, and how its value is read. */
export interface Core {
  readonly letter: string;
  readonly long: readonly string[];
  readonly argument: boolean;
  /** Its value must be a separate word: iptables 1.8.9 reads `-ieth0` as an interface `-ieth0`. */
  readonly separate?: true;
  readonly read: (state: State, value: Token, flag: Token) => void;
}

export const CORE: readonly Core[] = [
  { letter: 'p', long: ['--protocol'], argument: true, separate: true, read: readProtocol },
  { letter: 's', long: ['--source', '--src'], argument: true, separate: true, read: addresses('source') },
  {
    letter: 'd',
    long: ['--destination', '--dst'],
    argument: true,
    separate: true,
    read: addresses('destination'),
  },
  { letter: 'i', long: ['--in-interface'], argument: true, separate: true, read: interfaceOf('inInterface') },
  {
    letter: 'o',
    long: ['--out-interface'],
    argument: true,
    separate: true,
    read: interfaceOf('outInterface'),
  },
  { letter: 'f', long: ['--fragments'], argument: false, read: readFragment },
  { letter: 'm', long: ['--match'], argument: true, read: readMatch },
  { letter: 'j', long: ['--jump'], argument: true, separate: true, read: readTarget(false) },
  { letter: 'g', long: ['--goto'], argument: true, read: readTarget(true) },
  { letter: 'c', long: ['--set-counters'], argument: true, read: readCounters },
  { letter: '4', long: ['--ipv4'], argument: false, read: onlyFor('v4') },
  { letter: '6', long: ['--ipv6'], argument: false, read: onlyFor('v6') },
  // For listings; restore accepts and ignores it.
  { letter: 'v', long: ['--verbose'], argument: false, read: () => undefined },
];

/**
 * The other long options of iptables: they do not occur in a rule, but an abbreviation must not match one of them too
 * (as getopt_long: `--in` may be --in-interface or --insert).
 */
export const COMMAND_OPTIONS: readonly string[] = [
  '--append',
  '--check',
  '--delete',
  '--delete-chain',
  '--exact',
  '--flush',
  '--help',
  '--insert',
  '--line-numbers',
  '--list',
  '--list-rules',
  '--modprobe',
  '--new-chain',
  '--numeric',
  '--policy',
  '--rename-chain',
  '--replace',
  '--table',
  '--version',
  '--wait',
  '--wait-interval',
  '--zero',
];

export const CORE_BY_LETTER = new Map(CORE.map((core) => [core.letter, core]));
export const CORE_LONG = new Map(CORE.flatMap((core) => core.long.map((name) => [name, core] as const)));

function readProtocol(state: State, value: Token, flag: Token): void {
  if (state.protocol !== undefined) twice(state, flag);
  const number = protocolNumber(value.text);
  const negated = state.negated !== undefined;
  if (number === undefined)
    fault(state, value, 'bad-value', `Unknown protocol "${value.text}".`, 'Write its number, from 0 to 255.');
  else if (number === 0 && negated)
    fault(state, value, 'bad-negation', 'A rule for no protocol would never match.', 'Remove "! -p all".');
  else state.protocol = { number, negated, written: value.text.toLowerCase() };
}

const twice = (state: State, flag: Token): void =>
  fault(state, flag, 'option-twice', `Duplicate ${flag.text}.`, 'Keep one of them.');

/** What `/0` stands for. iptables reads nothing before it: `any/0`, and `0/0` for IPv6 too. */
export const EVERYWHERE: { readonly [family in Family]: string } = { v4: '0.0.0.0/0', v6: '::/0' };

function addresses(key: 'source' | 'destination'): Core['read'] {
  return (state, value, flag) => {
    if (state[key] !== undefined) twice(state, flag);
    const parts = value.text.split(',');
    const negated = state.negated !== undefined;
    if (negated && parts.length > 1)
      fault(
        state,
        value,
        'bad-negation',
        `"!" is not valid before a list of addresses.`,
        'Use a chain or a set instead.',
      );
    const values = parts.map((part) => {
      if (part.endsWith('/0')) return EVERYWHERE[state.family];
      const parsed = canonicalNetwork(state.family === 'v4' ? padded(part) : part, state.family);
      if (!isRefusal(parsed)) return parsed;
      fault(state, value, 'bad-address', `${flag.text} ${parsed.refused}.`, parsed.hint);
      return part;
    });
    state[key] = { values, negated };
  };
}

/** `10/8` means `10.0.0.0/8`. Without a mask a short address stays refused: other tools read 10.1 as 10.0.0.1. */
function padded(text: string): string {
  const short = text.split('.', 4).length < 4 ? /^(\d+(?:\.\d+){0,2})(\/.+)$/.exec(text) : null;
  if (short === null) return text;
  const [, host = '', mask = ''] = short;
  return `${host}${'.0'.repeat(4 - host.split('.').length)}${mask}`;
}

/** IFNAMSIZ with its final zero byte is 16. */
const INTERFACE_BYTES = 15;

function interfaceOf(key: 'inInterface' | 'outInterface'): Core['read'] {
  return (state, value, flag) => {
    if (state[key] !== undefined) twice(state, flag);
    const bytes = Buffer.byteLength(value.text);
    if (bytes === 0 || bytes > INTERFACE_BYTES || /[\s/"]/.test(value.text))
      fault(
        state,
        value,
        'bad-interface',
        `"${value.text}" is not a valid interface name.`,
        `Write 1 to ${INTERFACE_BYTES} bytes without spaces, slashes and quotes; "+" at the end matches any rest.`,
      );
    state[key] = { value: value.text, negated: state.negated !== undefined };
  };
}

function readFragment(state: State, value: Token, flag: Token): void {
  if (state.fragment !== undefined) twice(state, flag);
  if (state.family === 'v6')
    fault(state, value, 'unknown-option', '-f does not exist for IPv6.', 'Write -m frag instead.');
  state.fragment = { negated: state.negated !== undefined };
}

/** A rule marked for the other family is left out, so that one file can serve both. */
function onlyFor(family: Family): Core['read'] {
  return (state) => {
    if (state.family !== family) state.otherFamily = true;
  };
}

function notNegated(state: State, flag: Token): void {
  if (state.negated !== undefined)
    fault(
      state,
      flag,
      'bad-negation',
      `"!" is not valid before ${flag.text}.`,
      'Write it before the option it negates.',
    );
}

function readMatch(state: State, value: Token, flag: Token): void {
  notNegated(state, flag);
  if (!/^[\w.-]{1,28}$/.test(value.text))
    fault(state, value, 'bad-match-name', `"${value.text}" is not a valid match name.`);
  const row = findExtension('match', state.family, value.text);
  if (isOfOtherFamily('match', state.family, value.text)) wrongFamily(state, value);
  const name = row?.name ?? value.text;
  load(state, { kind: 'match', name, row, column: value.column, given: [], broken: false });
}

/** XT_EXTENSION_MAXNAMELEN with its final zero byte is 29. */
export const CHAIN_NAME_BYTES = 28;

function readTarget(goto: boolean): Core['read'] {
  return (state, value, flag) => {
    notNegated(state, flag);
    if (state.target !== undefined) twice(state, flag);
    const { text, column } = value;
    if (text === '' || /[\s"]/.test(text) || Buffer.byteLength(text) > CHAIN_NAME_BYTES)
      fault(
        state,
        value,
        'bad-chain-name',
        `"${text}" is not a valid target.`,
        `Write a name of 1 to ${CHAIN_NAME_BYTES} bytes without spaces.`,
      );
    const row = goto || state.chains.has(text) ? undefined : findExtension('target', state.family, text);
    state.target = { kind: 'target', name: text, row, column, given: [], broken: false, goto };
    state.latest = state.target;
  };
}

const OTHER: { readonly [family in Family]: Family } = { v4: 'v6', v6: 'v4' };

/** An extension that iptables has for the other family alone. */
export function wrongFamily(state: State, name: { readonly text: string; readonly column: number }): void {
  const { family } = state;
  fault(
    state,
    name,
    'wrong-family',
    `${name.text} is for IP${OTHER[family]} and this is IP${family}.`,
    `Move the rule to the IP${OTHER[family]} rules, or add ${family === 'v4' ? '-6' : '-4'}, so that it applies to IP${OTHER[family]} only.`,
  );
}

/** Whether only the other family has the extension. */
export const isOfOtherFamily = (kind: 'match' | 'target', family: Family, name: string): boolean =>
  findExtension(kind, family, name) === undefined && findExtension(kind, OTHER[family], name) !== undefined;

function readCounters(state: State, value: Token, flag: Token): void {
  notNegated(state, flag);
  if (state.counters !== undefined) twice(state, flag);
  const comma = value.text.indexOf(',');
  const bytes = comma === -1 ? takeArgument(state, flag)?.text : value.text.slice(comma + 1);
  const packets = comma === -1 ? value.text : value.text.slice(0, comma);
  if (!/^\d+$/.test(packets) || !/^\d+$/.test(bytes ?? ''))
    fault(state, value, 'bad-counters', `${flag.text} takes two numbers, packets and bytes.`);
  else state.counters = { packets: BigInt(packets), bytes: BigInt(bytes ?? 0) };
}
