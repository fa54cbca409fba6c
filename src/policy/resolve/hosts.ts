/** One host from its file and its roles' rules. */
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { readAddress } from '../addresses.js';
import type { AcceptFile, HostFile, RoleFile } from '../files/schema.js';
import type { Source } from '../files/yaml.js';
import type { Host, NatRule, PolicyRule, RawRule, Suppression } from '../fleet.js';
import { undefinedName } from '../names.js';
import { oneLine } from '../values.js';
import { resolveNat, type WrittenNat } from './nat.js';
import { resolveRaw } from './raw.js';
import { type RuleContext, resolveRule, type WrittenRule } from './rules.js';
import { checks } from './settings.js';

/** The rules that a role or a host writes, resolved as far as they do not depend on the host. */
export interface Written {
  readonly input: readonly WrittenRule[];
  readonly output: readonly WrittenRule[];
  readonly forward: readonly WrittenRule[];
  readonly nat: readonly WrittenNat[];
  readonly raw: readonly RawRule[];
  readonly checks: Host['checks'];
}

export function resolveWritten(file: RoleFile | HostFile, context: RuleContext): Written {
  const rules = (direction: PolicyRule['direction']): readonly WrittenRule[] => {
    const parent = file[direction] ?? [];
    return sound(parent.map((rule, index) => resolveRule(rule, direction, context, index, parent)));
  };
  const nat = file.nat ?? [];
  return {
    input: rules('input'),
    output: rules('output'),
    forward: rules('forward'),
    nat: sound(nat.map((rule, index) => resolveNat(rule, context, index, nat))),
    raw: sound((file.raw ?? []).map((rule) => resolveRaw(rule, context))),
    checks: checks(file.checks, context.source),
  };
}

const sound = <T>(values: readonly (T | undefined)[]): readonly T[] =>
  values.filter((value) => value !== undefined);

export const acceptances = (
  file: AcceptFile | undefined,
  source: Source,
  origin?: string,
): readonly Suppression[] =>
  (file ?? []).map((accepted) => ({
    finding: accepted.finding,
    reason: oneLine(accepted.reason),
    ...(origin === undefined ? {} : { origin }),
    location: source.keyAt(accepted, 'finding'),
  }));

export interface Identity {
  readonly address: string;
  readonly addresses: readonly string[];
}

/** The unspecified address, multicast, and what RFC 1112 reserves, with broadcast. */
const NO_HOST = /^(?:0\.|(?:22[4-9]|2[345]\d)\.|::$|ff[\da-f]{2}:)/;

/** Where SSH connects, and every address; `undefined` when the host has none that is sound. */
export function identify(
  name: string,
  file: HostFile,
  source: Source,
  location: SourceLocation,
  problems: Problem[],
): Identity | undefined {
  const before = problems.length;
  const found: string[] = [];
  const add = (text: string, at: SourceLocation): string => {
    const address = readAddress(text);
    if ('id' in address) {
      problems.push(
        error(address.id, address.message, at, address.hint ?? 'Write an address without a prefix length.'),
      );
      return text;
    }
    if (NO_HOST.test(address.text)) {
      const message = `${address.text} is the address of no host.`;
      problems.push(error('bad-address', message, at, 'Write an address that an interface of the host has.'));
      return text;
    }
    if (!found.includes(address.text)) found.push(address.text);
    return address.text;
  };
  const literal = /^[\d.]+$|:/.test(file.address ?? '');
  const address =
    file.address !== undefined && literal ? add(file.address, source.at(file, 'address')) : file.address;
  for (const [index, text] of (file.addresses ?? []).entries())
    add(text, source.at(file.addresses ?? [], index));
  const connect = address ?? found[0];
  if (problems.length > before) return undefined;
  if (connect === undefined || found.length === 0) {
    problems.push(
      error(
        'host-without-address',
        connect === undefined
          ? `The host ${name} has no address.`
          : `The host ${name} has a name to connect to, but no address.`,
        connect === undefined ? location : source.at(file, 'address'),
        connect === undefined
          ? 'Add "address:".'
          : 'Add "addresses:" with all of them: rules and proofs need them.',
      ),
    );
    return undefined;
  }
  return { address: connect, addresses: found };
}

export interface Assembly {
  readonly host: string;
  readonly interfaces: ReadonlyMap<string, string>;
  readonly today: string;
  readonly problems: Problem[];
}

type Sets = Pick<Host, 'input' | 'output' | 'forward' | 'nat' | 'raw' | 'checks' | 'expired'>;

/** The host's own rules and then its roles', with the interfaces of this host. */
export function assemble(parts: readonly Written[], assembly: Assembly): Sets {
  const all = (direction: PolicyRule['direction']): readonly PolicyRule[] =>
    parts.flatMap((part) => sound(part[direction].map((written) => onHost(written, assembly))));
  const isExpired = ({ expires }: PolicyRule): boolean => expires !== undefined && expires < assembly.today;
  const [input, output, forward] = [all('input'), all('output'), all('forward')];
  const current = (rules: readonly PolicyRule[]) => rules.filter((rule) => !isExpired(rule));
  return {
    input: current(input),
    output: current(output),
    forward: current(forward),
    nat: parts.flatMap((part) => sound(part.nat.map((written) => onHost(written, assembly)))),
    raw: parts.flatMap((part) => part.raw),
    checks: parts.flatMap((part) => part.checks),
    expired: [...input, ...output, ...forward].filter(isExpired),
  };
}

interface Interfaced<T extends PolicyRule | NatRule> {
  readonly rule: T;
  readonly inPlace: SourceLocation;
  readonly outPlace: SourceLocation;
}

function onHost<T extends PolicyRule | NatRule>(
  { rule, inPlace, outPlace }: Interfaced<T>,
  assembly: Assembly,
): T | undefined {
  if (rule.in === undefined && rule.out === undefined) return rule;
  const before = assembly.problems.length;
  const inside = rule.in === undefined ? {} : { in: kernelName(rule.in, inPlace, assembly) };
  const outside = rule.out === undefined ? {} : { out: kernelName(rule.out, outPlace, assembly) };
  return assembly.problems.length > before ? undefined : { ...rule, ...inside, ...outside };
}

/** A name that the host gives, a kernel name that it lists, or `lo`; anything else may be a typing error. */
function kernelName(
  name: string,
  location: SourceLocation,
  { host, interfaces, problems }: Assembly,
): string {
  const own = interfaces.get(name);
  if (own !== undefined) return own;
  if (name === 'lo' || [...interfaces.values()].includes(name)) return name;
  const problem = undefinedName(
    'interface',
    name,
    interfaces.keys(),
    location,
    `Add it under "interfaces:" of ${host}.`,
  );
  problems.push({ ...problem, message: `The host ${host} has no interface "${name}".` });
  return name;
}
