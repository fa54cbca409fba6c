/** Guards and policy tests: statements about packets, with their names resolved. */
import { isIP } from 'node:net';
import { addError } from '../../lib/problem.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import { familiesOf, subtract } from '../addresses.js';
import type { GuardFile, TestFile } from '../files/schema-rules.js';
import type { Guard, PolicyTest } from '../fleet.js';
import { oneLine } from '../values.js';
import { addressesUnder, type RuleContext } from './context.js';
import { type HostIndex, selectedHosts } from './host-index.js';
import { nameRefs } from './refs.js';

/** Resolves the names of one guard; `undefined` when it is invalid. */
export function resolveGuard(file: GuardFile, context: RuleContext, index: HostIndex): Guard | undefined {
  const { source, problems } = context;
  const before = problems.length;
  const on = selectedHosts(source, file, 'on', file.on, index, problems);
  const location = source.at(file, 'name');
  const claim = file.drop ?? file.accept;
  if (claim === undefined)
    return addError(problems, 'no-verb', 'Missing key "drop" or "accept".', {
      location,
      hint: 'Add "drop" with what must never pass.',
    });
  if (file.drop !== undefined && file.accept !== undefined)
    return addError(problems, 'two-verbs', '"drop" and "accept" are mutually exclusive.', {
      location,
      hint: 'Split it into two guards.',
    });
  const named = context.services.resolve(nameRefs(source, claim, 'service', claim.service));
  const from = addressesUnder(claim, 'from', context);
  const except = claim.except === undefined ? undefined : addressesUnder(claim, 'except', context);
  if (named === undefined || from === undefined || problems.length > before) return undefined;
  if (except !== undefined && familiesOf(subtract(from, except)).length === 0) {
    const message = 'The guard matches no packet: "except" removes every address of "from".';
    return addError(problems, 'no-address', message, { location: source.at(claim, 'except') });
  }
  return {
    name: oneLine(file.name),
    on,
    verdict: file.drop === undefined ? 'accept' : 'drop',
    services: named.flatMap(({ services }) => services),
    from,
    except,
    location,
  };
}

const FLAGS = new Set(['SYN', 'ACK', 'FIN', 'RST', 'URG', 'PSH', 'NONE']);

/** Resolves the hosts of one policy test and checks its packet; `undefined` when it is invalid. */
export function resolveTest(
  file: TestFile,
  { source, problems }: RuleContext,
  index: HostIndex,
): PolicyTest | undefined {
  const before = problems.length;
  const on = selectedHosts(source, file, 'on', file.on, index, problems);
  const { packet } = file;
  const report = (key: keyof typeof packet, message: string, hint?: string): void => {
    const location = Object.hasOwn(packet, key) ? source.at(packet, key) : source.keyAt(file, 'packet');
    addError(problems, 'bad-packet', message, { location, hint });
  };
  for (const [key, ownHook] of [
    ['src', 'OUTPUT'],
    ['dst', 'INPUT'],
  ] as const) {
    const address = packet[key];
    if (address === undefined) {
      if (packet.hook !== ownHook) report(key, `Missing key "${key}" in the packet.`, 'Add an address.');
    } else if (isIP(address) === 0) report(key, `"${address}" is not a valid IP address.`);
  }
  if (packet.src !== undefined && packet.dst !== undefined && isIP(packet.src) !== isIP(packet.dst))
    report('dst', '"src" and "dst" are of different families.');
  if (protocolNumber(packet.protocol) === undefined) {
    const hint = 'Write tcp, udp, icmp, ipv6-icmp or a number.';
    report('protocol', `Unknown protocol "${packet.protocol}".`, hint);
  }
  if (packet.flags !== undefined && !packet.flags.split(',').every((flag) => FLAGS.has(flag))) {
    const message = `"${packet.flags}" is not a valid list of TCP flags.`;
    report('flags', message, 'Write SYN, or several flags separated by commas.');
  }
  if (problems.length > before) return undefined;
  const given = Object.entries(packet).filter(
    (entry): entry is [string, string | number] => entry[1] !== undefined,
  );
  return {
    name: oneLine(file.name),
    on,
    packet: Object.fromEntries(given),
    verdict: file.verdict,
    location: source.at(file, 'name'),
  };
}
