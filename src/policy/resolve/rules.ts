/** One rule of the policy, resolved. A rule that would match more than written, or no packet, is an error. */
import type { Family } from '../../lib/family.js';
import { addError, type SourceLocation } from '../../lib/problem.js';
import { FAMILY, list } from '../../lib/text.js';
import { familiesOf, isWithin } from '../addresses.js';
import type { RuleFile } from '../files/schema-rules.js';
import type { AddressSet, PolicyRule, Service, Verb } from '../fleet.js';
import { countable, isDate, oneLine, rate } from '../values.js';
import { addressesUnder, type RuleContext, type Unbound } from './context.js';
import { nameRefs } from './refs.js';
import { type ResolvedName, serviceFamilies } from './services.js';

type Direction = PolicyRule['direction'];

const VERBS = ['allow', 'deny', 'reject', 'log'] as const;

interface Action {
  readonly verb: Verb;
  readonly services: string | readonly string[];
  readonly location: SourceLocation;
}

/** The one verb of the rule. */
function actionOf(
  file: RuleFile,
  { source, problems }: RuleContext,
  location: SourceLocation,
): Action | undefined {
  const [action, second] = VERBS.flatMap((verb): readonly Action[] => {
    const services = file[verb];
    if (services === undefined || typeof services === 'boolean') return [];
    return [{ verb, services, location: source.keyAt(file, verb) }];
  });
  if (action === undefined) {
    const message = 'Missing key "allow", "deny", "reject" or "log".';
    return addError(problems, 'no-verb', message, {
      location,
      hint: 'Add one of them, such as "allow: https".',
    });
  }
  if (second !== undefined) {
    const message = `"${action.verb}" and "${second.verb}" are mutually exclusive.`;
    const hint =
      second.verb === 'log'
        ? 'Write "log: true" to log the packets that the rule matches.'
        : 'Split it into two rules.';
    return addError(problems, 'two-verbs', message, { location: second.location, hint });
  }
  return action;
}

/**
 * Resolves the names of one rule; `undefined` when the rule is invalid, with the reason in `context.problems`.
 * @param location of the rule
 */
export function resolveRule(
  file: RuleFile,
  direction: Direction,
  context: RuleContext,
  location: SourceLocation,
): Unbound<PolicyRule> | undefined {
  const { source, problems } = context;
  const before = problems.length;
  const action = actionOf(file, context, location);
  checkKeys(file, direction, action, context, location);
  const named = action && context.services.resolve(nameRefs(source, file, action.verb, action.services));
  const from = addressesUnder(file, 'from', context);
  const to = addressesUnder(file, 'to', context);
  const except = addressesUnder(file, 'except', context);
  const limit = limitOf(file, context);
  if (action === undefined || named === undefined) return undefined;
  if (from === undefined || to === undefined || except === undefined) return undefined;
  const families = matchedFamilies(file, direction, from, to, except);
  if (families.length === 0) reportNoPacket(file, direction, from, to, action.location, context);
  else checkServices(named, families, action.location, context);
  if (problems.length > before) return undefined;
  const rule: PolicyRule = {
    verb: action.verb,
    direction,
    origin: context.origin,
    services: named.flatMap(({ services }) => services.filter((service) => isIn(service, families))),
    from,
    to,
    except: file.except === undefined ? undefined : except,
    in: file.in,
    out: file.out,
    rate: limit,
    log: file.log === true,
    states: file.state === undefined || file.state === 'any' ? file.state : [...new Set([file.state].flat())],
    family: file.family,
    reason: file.reason && oneLine(file.reason),
    owner: file.owner && oneLine(file.owner),
    ticket: file.ticket && oneLine(file.ticket),
    expires: file.expires,
    location: action.location,
  };
  return { rule, inLocation: source.at(file, 'in'), outLocation: source.at(file, 'out') };
}

/** Checks which keys go together. */
function checkKeys(
  file: RuleFile,
  direction: Direction,
  action: Action | undefined,
  { source, problems }: RuleContext,
  location: SourceLocation,
): void {
  const report = (id: string, message: string, key: keyof RuleFile, hint: string): void =>
    addError(problems, id, message, { location: source.keyAt(file, key), hint });
  if (action?.verb === 'allow' && file.reason === undefined) {
    const hint = 'Add a sentence that explains the rule.';
    addError(problems, 'missing-reason', 'Missing key "reason" in an allow rule.', { location, hint });
  }
  if (direction === 'input' && file.out !== undefined)
    report('wrong-interface', '"out" does not apply to input rules.', 'out', 'Use "in".');
  if (direction === 'output' && file.in !== undefined)
    report('wrong-interface', '"in" does not apply to output rules.', 'in', 'Use "out".');
  if (file.expires === undefined) return;
  if (action !== undefined && action.verb !== 'allow') {
    const hint = 'Remove it: a rule that expires must not open anything.';
    report('expires-only-allow', `"expires" does not apply to ${action.verb} rules.`, 'expires', hint);
  }
  if (!isDate(file.expires)) {
    const message = `${file.expires} is not a valid date.`;
    addError(problems, 'bad-date', message, {
      location: source.at(file, 'expires'),
      hint: 'Write it as YYYY-MM-DD.',
    });
  }
}

function limitOf(file: RuleFile, { source, problems }: RuleContext): PolicyRule['rate'] {
  if (file.rate === undefined) return undefined;
  const { limit, burst = 5, per } = typeof file.rate === 'string' ? { limit: file.rate } : file.rate;
  const parsed = rate(limit);
  if (!countable(parsed, burst)) {
    const message = `The kernel does not support a rate of ${limit} with a burst of ${burst}.`;
    const hint = 'Lower the burst until it refills within a day, and use at most 10000/second.';
    addError(problems, 'bad-rate', message, { location: source.at(file, 'rate'), hint });
  }
  return { rate: parsed, burst, perSource: per === 'source' };
}

const sharedFamilies = (from: AddressSet, to: AddressSet): readonly Family[] =>
  familiesOf(from).filter((family) => familiesOf(to).includes(family));

/** The families in which the rule has any address left. */
function matchedFamilies(
  file: RuleFile,
  direction: Direction,
  from: AddressSet,
  to: AddressSet,
  except: AddressSet,
): readonly Family[] {
  const reduced = direction === 'output' ? to : from;
  return sharedFamilies(from, to).filter(
    (family) =>
      (file.family === undefined || file.family === family) &&
      (file.except === undefined || !isWithin(only(reduced, family), except)),
  );
}

const only = (set: AddressSet, family: Family): AddressSet => {
  const [v4, v6] = set.any ? [['0.0.0.0/0'], ['::/0']] : [set.v4, set.v6];
  return { ...set, any: false, v4: family === 'v4' ? v4 : [], v6: family === 'v6' ? v6 : [] };
};

const isIn = (service: Service, families: readonly Family[]): boolean =>
  serviceFamilies(service).some((family) => families.includes(family));

const labels = (families: readonly Family[]): string => list(families.map((family) => FAMILY[family]));

/** A rule without a packet is a mistake, and ignoring the part that empties it would make it wider. */
function reportNoPacket(
  file: RuleFile,
  direction: Direction,
  from: AddressSet,
  to: AddressSet,
  location: SourceLocation,
  { source, problems }: RuleContext,
): void {
  const shared = sharedFamilies(from, to);
  const report = (id: string, reason: string, at: SourceLocation): void =>
    addError(problems, id, `The rule matches no packet: ${reason}.`, { location: at });
  if (shared.length === 0) {
    const reason = `"from" is ${labels(familiesOf(from))} and "to" is ${labels(familiesOf(to))}`;
    report('no-common-family', reason, location);
  } else if (file.family !== undefined && !shared.includes(file.family)) {
    const reason = `it is for ${FAMILY[file.family]}, but its addresses are ${labels(shared)}`;
    report('no-address', reason, source.at(file, 'family'));
  } else {
    const reason = `"except" removes every address of "${direction === 'output' ? 'to' : 'from'}"`;
    report('no-address', reason, source.at(file, 'except'));
  }
}

/** Each name must have a service in one of the families. */
function checkServices(
  named: readonly ResolvedName[],
  families: readonly Family[],
  location: SourceLocation,
  { problems }: RuleContext,
): void {
  for (const { text, services } of named)
    if (!services.some((service) => isIn(service, families))) {
      const message = `${text} does not exist in ${labels(families)}, the family of the rule's addresses.`;
      addError(problems, 'no-common-family', message, { location, hint: 'Move it to a separate rule.' });
    }
}
