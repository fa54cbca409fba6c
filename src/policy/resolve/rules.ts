/** One rule of the policy: its verb, what it names, its addresses. What could come out wider than written is refused. */
import type { Family } from '../../lib/family.js';
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { ANY, familiesOf, isWithin } from '../addresses.js';
import type { RuleFile } from '../files/schema-rules.js';
import type { Source } from '../files/yaml.js';
import type { AddressSet, PolicyRule, Service, Verb } from '../fleet.js';
import { countable, isDate, list, oneLine, rate } from '../values.js';
import type { AddressResolver, NameRefs } from './networks.js';
import { type ResolvedName, type ServiceResolver, serviceFamilies } from './services.js';

export interface RuleContext {
  readonly source: Source;
  readonly origin: string;
  readonly addresses: AddressResolver;
  readonly services: ServiceResolver;
  readonly problems: Problem[];
}

/** `in` and `out` are still the policy's names; each host resolves them by its own interfaces. */
export interface WrittenRule {
  readonly rule: PolicyRule;
  readonly inPlace: SourceLocation;
  readonly outPlace: SourceLocation;
}

type Direction = PolicyRule['direction'];

export function termsOf(
  source: Source,
  container: object,
  key: string,
  value: string | readonly string[],
): NameRefs {
  return typeof value === 'string'
    ? { texts: [value], at: () => source.at(container, key) }
    : { texts: value, at: (index) => source.at(value, index) };
}

const VERBS = ['allow', 'deny', 'reject'] as const;

interface Said {
  readonly verb: Verb;
  readonly what: string | readonly string[];
  readonly location: SourceLocation;
}

function verbOf(
  file: RuleFile,
  { source, problems }: RuleContext,
  index: number,
  parent: object,
): Said | undefined {
  const given = VERBS.filter((verb) => file[verb] !== undefined);
  const logged = typeof file.log === 'boolean' ? undefined : file.log;
  const said: readonly Verb[] = logged === undefined ? given : [...given, 'log'];
  const [verb, second] = said;
  if (verb === undefined) {
    problems.push(
      error(
        'no-verb',
        'The rule says neither allow, deny, reject nor log.',
        source.keyAt(parent, index),
        'Name what it is about, as in "allow: https".',
      ),
    );
    return undefined;
  }
  if (second !== undefined) {
    const hint = second === 'log' ? 'Write "log: true" to log what the rule takes.' : 'Make two rules of it.';
    problems.push(
      error('two-verbs', `The rule says both ${verb} and ${second}.`, source.keyAt(file, second), hint),
    );
    return undefined;
  }
  const what = verb === 'log' ? logged : file[verb];
  return what === undefined ? undefined : { verb, what, location: source.keyAt(file, verb) };
}

/** `undefined` when the rule is at fault; why is then in `context.problems`. */
export function resolveRule(
  file: RuleFile,
  direction: Direction,
  context: RuleContext,
  index: number,
  parent: object,
): WrittenRule | undefined {
  const { source, problems } = context;
  const before = problems.length;
  const said = verbOf(file, context, index, parent);
  checkKeys(file, direction, said, context, index, parent);
  const named = said && context.services.resolve(termsOf(source, file, said.verb, said.what));
  const addresses = (key: 'from' | 'to' | 'except'): AddressSet | undefined => {
    const value = file[key];
    return value === undefined ? ANY : context.addresses.resolve(termsOf(source, file, key, value));
  };
  const from = addresses('from');
  const to = addresses('to');
  const except = addresses('except');
  const limit = limitOf(file, context);
  if (
    said === undefined ||
    named === undefined ||
    from === undefined ||
    to === undefined ||
    except === undefined
  )
    return undefined;
  checkReach({ file, direction, named, from, to, except, location: said.location }, context);
  if (problems.slice(before).some(({ level }) => level === 'error')) return undefined;
  const rule: PolicyRule = {
    verb: said.verb,
    direction,
    origin: context.origin,
    services: surviving(named, reach(file, direction, from, to, except)),
    from,
    to,
    ...(file.except === undefined ? {} : { except }),
    ...(file.in === undefined ? {} : { in: file.in }),
    ...(file.out === undefined ? {} : { out: file.out }),
    ...(limit === undefined ? {} : { rate: limit }),
    log: file.log === true,
    ...(file.state === undefined
      ? {}
      : { states: file.state === 'any' ? file.state : [...new Set([file.state].flat())] }),
    ...(file.family === undefined ? {} : { family: file.family }),
    ...(file.reason === undefined ? {} : { reason: oneLine(file.reason) }),
    ...(file.owner === undefined ? {} : { owner: oneLine(file.owner) }),
    ...(file.ticket === undefined ? {} : { ticket: oneLine(file.ticket) }),
    ...(file.expires === undefined ? {} : { expires: file.expires }),
    location: said.location,
  };
  return { rule, inPlace: source.at(file, 'in'), outPlace: source.at(file, 'out') };
}

/** Which keys go together. */
function checkKeys(
  file: RuleFile,
  direction: Direction,
  said: Said | undefined,
  { source, problems }: RuleContext,
  index: number,
  parent: object,
): void {
  const at = (key: keyof RuleFile): SourceLocation => source.keyAt(file, key);
  const report = (id: string, message: string, location: SourceLocation, hint?: string): void => {
    problems.push(error(id, message, location, hint));
  };
  if (said?.verb === 'allow' && file.reason === undefined)
    report(
      'missing-reason',
      'The rule allows something without a reason.',
      source.keyAt(parent, index),
      'Add "reason:" with a sentence for the next reader.',
    );
  if (direction === 'input' && file.out !== undefined)
    report('wrong-interface', 'A packet to the host leaves by no interface.', at('out'), 'Write "in:".');
  if (direction === 'output' && file.in !== undefined)
    report('wrong-interface', 'A packet from the host came in by no interface.', at('in'), 'Write "out:".');
  if (file.expires !== undefined && said !== undefined && said.verb !== 'allow')
    report(
      'expires-only-allow',
      `A rule that says ${said.verb} cannot expire: that would open something by itself.`,
      at('expires'),
      'Remove "expires:".',
    );
  if (file.expires !== undefined && !isDate(file.expires))
    report(
      'bad-date',
      `The calendar has no day ${file.expires}.`,
      source.at(file, 'expires'),
      'Write it as YYYY-MM-DD.',
    );
}

function limitOf(file: RuleFile, { source, problems }: RuleContext): PolicyRule['rate'] {
  if (file.rate === undefined) return undefined;
  const written = typeof file.rate === 'string' ? { limit: file.rate } : file.rate;
  const limit = rate(written.limit);
  const burst = written.burst ?? 5;
  if (!countable(limit, burst))
    problems.push(
      error(
        'bad-rate',
        `The kernel cannot count ${written.limit} with a burst of ${burst}.`,
        source.at(file, 'rate'),
        'Lower the burst until it refills within a day, and stay at 10000/second or less.',
      ),
    );
  return { rate: limit, burst, perSource: written.per === 'source' };
}

/** The families in which the rule has any address left. */
function reach(
  file: RuleFile,
  direction: Direction,
  from: AddressSet,
  to: AddressSet,
  except: AddressSet,
): readonly Family[] {
  const cut = direction === 'output' ? to : from;
  const families = familiesOf(from).filter((family) => familiesOf(to).includes(family));
  return families.filter(
    (family) =>
      (file.family === undefined || file.family === family) &&
      (file.except === undefined || !isWithin(only(cut, family), except)),
  );
}

const only = (set: AddressSet, family: Family): AddressSet =>
  set.any
    ? { ...set, any: false, v4: family === 'v4' ? ['0.0.0.0/0'] : [], v6: family === 'v6' ? ['::/0'] : [] }
    : { ...set, v4: family === 'v4' ? set.v4 : [], v6: family === 'v6' ? set.v6 : [] };

const surviving = (named: readonly ResolvedName[], families: readonly Family[]): readonly Service[] =>
  named.flatMap(({ services }) =>
    services.filter((service) => serviceFamilies(service).some((family) => families.includes(family))),
  );

const FAMILY: { readonly [family in Family]: string } = { v4: 'IPv4', v6: 'IPv6' };
const inFamilies = (set: AddressSet): string => list(familiesOf(set).map((family) => FAMILY[family]));

interface Reach {
  readonly file: RuleFile;
  readonly direction: Direction;
  readonly named: readonly ResolvedName[];
  readonly from: AddressSet;
  readonly to: AddressSet;
  readonly except: AddressSet;
  readonly location: SourceLocation;
}

/** A rule without a packet is a mistake, and leaving out what empties it would make it wider. */
function checkReach(
  { file, direction, named, from, to, except, location }: Reach,
  { source, problems }: RuleContext,
): void {
  const families = reach(file, direction, from, to, except);
  if (families.length === 0) {
    const cut = direction === 'output' ? 'to' : 'from';
    const shared = familiesOf(from).filter((family) => familiesOf(to).includes(family));
    problems.push(
      shared.length === 0
        ? error(
            'no-common-family',
            `"from" has ${inFamilies(from)} addresses and "to" has ${inFamilies(to)} ones: no packet has both.`,
            location,
          )
        : file.family !== undefined && !shared.includes(file.family)
          ? error(
              'no-address',
              `The rule is for ${FAMILY[file.family]}, but its addresses are ${list(shared.map((family) => FAMILY[family]))} ones.`,
              source.at(file, 'family'),
            )
          : error('no-address', `"except" takes out every address of "${cut}".`, source.at(file, 'except')),
    );
    return;
  }
  for (const { text, services } of named)
    if (!services.some((service) => serviceFamilies(service).some((family) => families.includes(family))))
      problems.push(
        error(
          'no-common-family',
          `${text} is not of ${list(families.map((family) => FAMILY[family]))}, but the addresses of the rule are.`,
          location,
          'Make a rule of its own for it.',
        ),
      );
}
