/** Address translation: masquerade, snat, dnat, redirect. */
import type { Family } from '../../lib/family.js';
import { addError, type SourceLocation } from '../../lib/problem.js';
import { familiesOf, readAddress } from '../addresses.js';
import type { NatFile } from '../files/schema-rules.js';
import type { NatRule } from '../fleet.js';
import { oneLine } from '../values.js';
import { addressesUnder, type RuleContext, type Unbound } from './context.js';
import { nameRefs } from './refs.js';

type Kind = NatRule['kind'];

interface KindRow {
  /** masquerade and snat run after routing, where the incoming interface is not known; the others before it. */
  readonly interface: 'in' | 'out';
  readonly target: 'none' | 'address' | 'port';
}

const KINDS: { readonly [kind in Kind]: KindRow } = {
  masquerade: { interface: 'out', target: 'none' },
  snat: { interface: 'out', target: 'address' },
  dnat: { interface: 'in', target: 'address' },
  redirect: { interface: 'in', target: 'port' },
};
const NAMES = Object.keys(KINDS) as Kind[];

/**
 * Resolves the names of one translation; `undefined` when it is invalid, with the reason in `context.problems`.
 * @param location of the translation
 */
export function resolveNat(
  file: NatFile,
  context: RuleContext,
  location: SourceLocation,
): Unbound<NatRule> | undefined {
  const { source, problems } = context;
  const before = problems.length;
  const [kind, second] = NAMES.filter((name) => file[name] !== undefined);
  if (kind === undefined) {
    const message = 'Missing key "masquerade", "snat", "dnat" or "redirect".';
    const hint = 'Add one of them, such as "masquerade: any" or "dnat: https".';
    return addError(problems, 'no-verb', message, { location, hint });
  }
  if (second !== undefined) {
    const message = `"${kind}" and "${second}" are mutually exclusive.`;
    return addError(problems, 'two-verbs', message, { location, hint: 'Split it into two rules.' });
  }
  const keyLocation = source.keyAt(file, kind);
  const row = KINDS[kind];
  const wrong = row.interface === 'in' ? 'out' : 'in';
  if (file[wrong] !== undefined) {
    const message = `"${wrong}" does not apply to ${kind} rules.`;
    addError(problems, 'wrong-interface', message, {
      location: source.keyAt(file, wrong),
      hint: `Use "${row.interface}".`,
    });
  }
  if (kind === 'masquerade' && file.out === undefined) {
    const message = 'Missing key "out": the rule would masquerade on every interface.';
    addError(problems, 'missing-interface', message, {
      location: keyLocation,
      hint: 'Add the outgoing interface.',
    });
  }
  const named = context.services.resolve(nameRefs(source, file, kind, file[kind] ?? []));
  const from = addressesUnder(file, 'from', context);
  const to = addressesUnder(file, 'to', context);
  const target = checkTarget(file, kind, context);
  if (named === undefined || from === undefined || to === undefined) return undefined;
  const services = named.flatMap((each) => each.services);
  const common = familiesOf(from).filter((family) => familiesOf(to).includes(family));
  if (common.length === 0 || (target?.family !== undefined && !common.includes(target.family))) {
    const message = 'The rule matches no packet: its addresses are of different families.';
    addError(problems, 'no-common-family', message, { location: keyLocation });
  }
  if (target?.port === true && services.some((service) => service.kind !== 'ports')) {
    const message = 'A target port needs a service with ports.';
    const hint = 'Write a service or a port, such as tcp/443.';
    addError(problems, 'port-without-protocol', message, { location: keyLocation, hint });
  }
  if (problems.length > before) return undefined;
  return {
    rule: {
      kind,
      origin: context.origin,
      services,
      from,
      to,
      in: file.in,
      out: file.out,
      target: target?.text,
      reason: oneLine(file.reason),
      location: keyLocation,
    },
    inLocation: source.at(file, 'in'),
    outLocation: source.at(file, 'out'),
  };
}

interface Target {
  readonly text: string;
  readonly family?: Family;
  readonly port: boolean;
}

function checkTarget(file: NatFile, kind: Kind, { source, problems }: RuleContext): Target | undefined {
  const expected = KINDS[kind].target;
  const location = file.target === undefined ? source.keyAt(file, kind) : source.at(file, 'target');
  if (expected === 'none') {
    if (file.target === undefined) return undefined;
    const hint = 'Remove it, or use snat: masquerade uses the address of the interface.';
    return addError(problems, 'bad-target', '"target" does not apply to masquerade rules.', {
      location,
      hint,
    });
  }
  if (file.target === undefined) {
    const message = `Missing key "target" in a ${kind} rule.`;
    return addError(problems, 'missing-key', message, {
      location,
      hint: `Add ${expected === 'port' ? 'a' : 'an'} ${expected}.`,
    });
  }
  const text = String(file.target);
  const target = expected === 'port' ? portOnly(text) : addressAndPort(text);
  if (target !== undefined) return target;
  const hint =
    expected === 'port'
      ? 'Write a port from 1 to 65535.'
      : 'Write 192.0.2.5, 192.0.2.5:8080 or [2001:db8::5]:8080.';
  return addError(problems, 'bad-target', `"${text}" is not a valid ${kind} target.`, { location, hint });
}

const isPort = (text: string): boolean => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535;

const portOnly = (text: string): Target | undefined => (isPort(text) ? { text, port: true } : undefined);

function addressAndPort(text: string): Target | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  if (port !== undefined && !isPort(port)) return undefined;
  const address = readAddress(port === undefined ? text : (bracketed ?? plain ?? ''));
  if ('id' in address || (bracketed !== undefined && address.family === 'v4')) return undefined;
  const { family } = address;
  if (port === undefined) return { text: address.text, family, port: false };
  const host = family === 'v6' ? `[${address.text}]` : address.text;
  return { text: `${host}:${port}`, family, port: true };
}
