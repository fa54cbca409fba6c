/** Address translation: masquerade, snat, dnat, redirect. */
import type { Family } from '../../lib/family.js';
import { error, type SourceLocation } from '../../lib/problem.js';
import { ANY, familiesOf, readAddress } from '../addresses.js';
import type { NatFile } from '../files/schema-rules.js';
import type { AddressSet, NatRule } from '../fleet.js';
import { oneLine } from '../values.js';
import { type RuleContext, termsOf } from './rules.js';

export interface WrittenNat {
  readonly rule: NatRule;
  readonly inPlace: SourceLocation;
  readonly outPlace: SourceLocation;
}

type Kind = NatRule['kind'];

interface Row {
  /** masquerade and snat work after routing, where the interface of arrival is not known; the others before it. */
  readonly interface: 'in' | 'out';
  readonly target: 'none' | 'address' | 'port';
}

const KINDS: { readonly [kind in Kind]: Row } = {
  masquerade: { interface: 'out', target: 'none' },
  snat: { interface: 'out', target: 'address' },
  dnat: { interface: 'in', target: 'address' },
  redirect: { interface: 'in', target: 'port' },
};
const NAMES = Object.keys(KINDS) as Kind[];

export function resolveNat(
  file: NatFile,
  context: RuleContext,
  index: number,
  parent: object,
): WrittenNat | undefined {
  const { source, problems } = context;
  const before = problems.length;
  const report = (id: string, message: string, location: SourceLocation, hint?: string): void => {
    problems.push(error(id, message, location, hint));
  };
  const [kind, second] = NAMES.filter((name) => file[name] !== undefined);
  if (kind === undefined || second !== undefined) {
    const hint = 'Name what is translated, as in "masquerade: any" or "dnat: https".';
    report(
      kind === undefined ? 'no-verb' : 'two-verbs',
      `The rule must say one of ${NAMES.join(', ')}.`,
      source.keyAt(parent, index),
      hint,
    );
    return undefined;
  }
  const row = KINDS[kind];
  const wrong = row.interface === 'in' ? 'out' : 'in';
  if (file[wrong] !== undefined)
    report(
      'wrong-interface',
      `${kind} cannot tell packets by "${wrong}:".`,
      source.keyAt(file, wrong),
      `Write "${row.interface}:".`,
    );
  if (kind === 'masquerade' && file.out === undefined)
    report(
      'missing-interface',
      'The rule would masquerade on every interface.',
      source.keyAt(file, kind),
      'Add "out:" with the interface towards the outside.',
    );
  const addresses = (key: 'from' | 'to'): AddressSet | undefined => {
    const value = file[key];
    return value === undefined ? ANY : context.addresses.resolve(termsOf(source, file, key, value));
  };
  const named = context.services.resolve(termsOf(source, file, kind, file[kind] ?? []));
  const from = addresses('from');
  const to = addresses('to');
  const target = checkTarget(file, kind, context);
  if (named === undefined || from === undefined || to === undefined) return undefined;
  const services = named.flatMap((each) => each.services);
  const common = familiesOf(from).filter((family) => familiesOf(to).includes(family));
  if (common.length === 0 || (target?.family !== undefined && !common.includes(target.family)))
    report(
      'no-common-family',
      'The addresses of the rule are of different families, so no packet fits it.',
      source.keyAt(file, kind),
    );
  if (target?.port === true && services.some((service) => service.kind !== 'ports'))
    report(
      'port-without-protocol',
      'A new port needs a protocol that has ports.',
      source.keyAt(file, kind),
      'Name a service or a port, such as tcp/443.',
    );
  if (problems.length > before) return undefined;
  return {
    rule: {
      kind,
      origin: context.origin,
      services,
      from,
      to,
      ...(file.in === undefined ? {} : { in: file.in }),
      ...(file.out === undefined ? {} : { out: file.out }),
      ...(target === undefined ? {} : { target: target.text }),
      reason: oneLine(file.reason),
      location: source.keyAt(file, kind),
    },
    inPlace: source.at(file, 'in'),
    outPlace: source.at(file, 'out'),
  };
}

interface Target {
  readonly text: string;
  readonly family?: Family;
  readonly port: boolean;
}

function checkTarget(file: NatFile, kind: Kind, { source, problems }: RuleContext): Target | undefined {
  const wanted = KINDS[kind].target;
  const location = file.target === undefined ? source.keyAt(file, kind) : source.at(file, 'target');
  if (wanted === 'none') {
    if (file.target !== undefined)
      problems.push(
        error(
          'bad-target',
          'masquerade takes the address of the interface.',
          location,
          'Remove "target:", or write snat.',
        ),
      );
    return undefined;
  }
  if (file.target === undefined) {
    problems.push(
      error(
        'missing-key',
        `${kind} needs a "target:".`,
        location,
        wanted === 'port' ? 'Write a port.' : 'Write an address.',
      ),
    );
    return undefined;
  }
  const target = wanted === 'port' ? portOnly(String(file.target)) : addressAndPort(String(file.target));
  if (target === undefined)
    problems.push(
      error(
        'bad-target',
        `${kind} cannot go to "${file.target}".`,
        location,
        wanted === 'port'
          ? 'Write a port from 1 to 65535.'
          : 'Write 192.0.2.5, 192.0.2.5:8080 or [2001:db8::5]:8080.',
      ),
    );
  return target;
}

const isPort = (text: string): boolean => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535;

const portOnly = (text: string): Target | undefined => (isPort(text) ? { text, port: true } : undefined);

function addressAndPort(text: string): Target | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  if (port !== undefined && !isPort(port)) return undefined;
  const address = readAddress(port === undefined ? text : (bracketed ?? plain ?? ''));
  if ('id' in address || (bracketed !== undefined && address.family === 'v4')) return undefined;
  const host = port !== undefined && address.family === 'v6' ? `[${address.text}]` : address.text;
  return {
    text: port === undefined ? host : `${host}:${port}`,
    family: address.family,
    port: port !== undefined,
  };
}
