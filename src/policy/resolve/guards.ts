/** Guards and policy tests: statements about packets, their names resolved. */
import { isIP } from 'node:net';
import { error, type Problem } from '../../lib/problem.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import { ANY, familiesOf, subtract } from '../addresses.js';
import type { GuardFile, TestFile } from '../files/schema-rules.js';
import type { Guard, PolicyTest } from '../fleet.js';
import { oneLine } from '../values.js';
import { type RuleContext, termsOf } from './rules.js';
import { type HostIndex, selected } from './settings.js';

export function resolveGuard(file: GuardFile, context: RuleContext, crew: HostIndex): Guard | undefined {
  const { source, problems } = context;
  const before = problems.length;
  const on = selected(source, file, 'on', file.on, crew, problems);
  const verdict = file.drop === undefined ? 'accept' : 'drop';
  const claim = file.drop ?? file.accept;
  if (claim === undefined || (file.drop !== undefined && file.accept !== undefined)) {
    problems.push(
      error(
        claim === undefined ? 'no-verb' : 'two-verbs',
        'A guard says either drop or accept.',
        source.at(file, 'name'),
        'Add "drop:" with what must never pass.',
      ),
    );
    return undefined;
  }
  const named = context.services.resolve(termsOf(source, claim, 'service', claim.service));
  const from =
    claim.from === undefined ? ANY : context.addresses.resolve(termsOf(source, claim, 'from', claim.from));
  const except =
    claim.except === undefined
      ? undefined
      : context.addresses.resolve(termsOf(source, claim, 'except', claim.except));
  if (named === undefined || from === undefined || problems.length > before) return undefined;
  if (except !== undefined && familiesOf(subtract(from, except)).length === 0) {
    problems.push(
      error(
        'no-address',
        '"except" takes out every address of "from", so the guard says nothing.',
        source.at(claim, 'except'),
      ),
    );
    return undefined;
  }
  return {
    name: oneLine(file.name),
    on,
    verdict,
    services: named.flatMap(({ services }) => services),
    from,
    ...(except === undefined ? {} : { except }),
    location: source.at(file, 'name'),
  };
}

const FLAGS = new Set(['SYN', 'ACK', 'FIN', 'RST', 'URG', 'PSH', 'NONE']);

export function resolveTest(
  file: TestFile,
  { source, problems }: RuleContext,
  crew: HostIndex,
): PolicyTest | undefined {
  const before = problems.length;
  const on = selected(source, file, 'on', file.on, crew, problems);
  const { packet } = file;
  const report = (key: keyof typeof packet, message: string, hint?: string): Problem =>
    error(
      'bad-packet',
      message,
      Object.hasOwn(packet, key) ? source.at(packet, key) : source.keyAt(file, 'packet'),
      hint,
    );
  for (const key of ['src', 'dst'] as const) {
    const own = (key === 'src' && packet.hook === 'OUTPUT') || (key === 'dst' && packet.hook === 'INPUT');
    if (packet[key] === undefined ? !own : isIP(packet[key]) === 0)
      problems.push(report(key, `The packet needs an address as "${key}".`));
  }
  if (packet.src !== undefined && packet.dst !== undefined && isIP(packet.src) !== isIP(packet.dst))
    problems.push(report('dst', 'The packet goes from one family to the other.'));
  if (protocolNumber(packet.protocol) === undefined)
    problems.push(
      report(
        'protocol',
        `There is no protocol "${packet.protocol}".`,
        'Write tcp, udp, icmp, ipv6-icmp or a number.',
      ),
    );
  if (packet.flags !== undefined && !packet.flags.split(',').every((flag) => FLAGS.has(flag)))
    problems.push(
      report('flags', `"${packet.flags}" are no flags of TCP.`, 'Write SYN, or several joined by commas.'),
    );
  if (problems.length > before) return undefined;
  const given: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(packet)) if (value !== undefined) given[key] = value;
  return {
    name: oneLine(file.name),
    on,
    packet: given,
    verdict: file.verdict,
    location: source.at(file, 'name'),
  };
}
