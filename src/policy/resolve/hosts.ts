/** One host from its file and the rules of its roles. */
import type { Problem, SourceLocation } from '../../lib/problem.js';
import type { AcceptFile, HostFile, RoleFile } from '../files/schema.js';
import type { Source } from '../files/yaml.js';
import type { Host, NatRule, PolicyRule, RawRule, Suppression } from '../fleet.js';
import { undefinedName } from '../names.js';
import { oneLine } from '../values.js';
import type { RuleContext, Unbound } from './context.js';
import { resolveNat } from './nat.js';
import { resolveRaw } from './raw.js';
import { resolveRule } from './rules.js';
import { checks } from './settings.js';

/** The rules of a role or host file, resolved as far as they do not depend on the host. */
export interface UnboundRules {
  readonly input: readonly Unbound<PolicyRule>[];
  readonly output: readonly Unbound<PolicyRule>[];
  readonly forward: readonly Unbound<PolicyRule>[];
  readonly nat: readonly Unbound<NatRule>[];
  readonly raw: readonly RawRule[];
  readonly checks: Host['checks'];
}

/** Resolves the names in all rules of a file; invalid rules are reported and left out. */
export function resolveRules(file: RoleFile | HostFile, context: RuleContext): UnboundRules {
  const { source } = context;
  const each = <File, Rule>(
    files: readonly File[] = [],
    resolve: (file: File, location: SourceLocation) => Rule | undefined,
  ): readonly Rule[] => defined(files.map((one, index) => resolve(one, source.keyAt(files, index))));
  const rules = (direction: PolicyRule['direction']): readonly Unbound<PolicyRule>[] =>
    each(file[direction], (rule, location) => resolveRule(rule, direction, context, location));
  return {
    input: rules('input'),
    output: rules('output'),
    forward: rules('forward'),
    nat: each(file.nat, (rule, location) => resolveNat(rule, context, location)),
    raw: each(file.raw, (rule) => resolveRaw(rule, context)),
    checks: checks(file.checks, source),
  };
}

const defined = <T>(values: readonly (T | undefined)[]): readonly T[] =>
  values.filter((value) => value !== undefined);

/** The accepted findings of a file. @param origin the role or host; absent for fleet.yml */
export const suppressions = (
  file: AcceptFile | undefined,
  source: Source,
  origin?: string,
): readonly Suppression[] =>
  (file ?? []).map((accepted) => ({
    finding: accepted.finding,
    reason: oneLine(accepted.reason),
    origin,
    location: source.keyAt(accepted, 'finding'),
  }));

/** What rules are bound to. */
export interface HostBinding {
  readonly host: string;
  readonly interfaces: ReadonlyMap<string, string>;
  readonly today: string;
  readonly problems: Problem[];
}

type BoundRules = Pick<Host, 'input' | 'output' | 'forward' | 'nat' | 'raw' | 'checks' | 'expired'>;

/** The rules of the host and then those of its roles, with the interfaces of the host. */
export function bindRules(parts: readonly UnboundRules[], binding: HostBinding): BoundRules {
  const bind = <Rule extends PolicyRule | NatRule>(rules: readonly Unbound<Rule>[]): readonly Rule[] =>
    defined(rules.map((rule) => bindInterfaces(rule, binding)));
  const isExpired = ({ expires }: PolicyRule): boolean => expires !== undefined && expires < binding.today;
  const current = (rules: readonly PolicyRule[]) => rules.filter((rule) => !isExpired(rule));
  const input = bind(parts.flatMap((part) => part.input));
  const output = bind(parts.flatMap((part) => part.output));
  const forward = bind(parts.flatMap((part) => part.forward));
  return {
    input: current(input),
    output: current(output),
    forward: current(forward),
    nat: bind(parts.flatMap((part) => part.nat)),
    raw: parts.flatMap((part) => part.raw),
    checks: parts.flatMap((part) => part.checks),
    expired: [...input, ...output, ...forward].filter(isExpired),
  };
}

function bindInterfaces<Rule extends PolicyRule | NatRule>(
  { rule, inLocation, outLocation }: Unbound<Rule>,
  binding: HostBinding,
): Rule | undefined {
  if (rule.in === undefined && rule.out === undefined) return rule;
  const before = binding.problems.length;
  const bound = {
    ...rule,
    in: rule.in && kernelName(rule.in, inLocation, binding),
    out: rule.out && kernelName(rule.out, outLocation, binding),
  };
  return binding.problems.length > before ? undefined : bound;
}

/** A name from the host's `interfaces`, a kernel name that it lists, or `lo`; anything else may be a typing error. */
function kernelName(
  name: string,
  location: SourceLocation,
  { host, interfaces, problems }: HostBinding,
): string {
  const own = interfaces.get(name);
  if (own !== undefined) return own;
  if (name === 'lo' || [...interfaces.values()].includes(name)) return name;
  const hint = `Add it under "interfaces" of host "${host}".`;
  const problem = undefinedName('interface', name, interfaces.keys(), location, hint);
  problems.push({ ...problem, message: `Unknown interface "${name}" on host "${host}".` });
  return name;
}
