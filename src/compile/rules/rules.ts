/** One rule of the policy in one family: every condition of the rule is compiled, or there is a problem. */
import type { Family } from '../../lib/family.js';
import { error, note, type Problem } from '../../lib/problem.js';
import type { PolicyRule, RawRule, Verb } from '../../policy/fleet.js';
import { tag } from '../names.js';
import {
  COMMENT_BYTES,
  comment,
  EMPTY_FRAGMENT,
  inChain,
  join,
  type LogOptions,
  limit,
  logTarget,
  oneLine,
  type RuleFragment,
} from './fragment.js';
import { type ServiceMatch, serviceMatches } from './services.js';
import { around, sideOf } from './sides.js';

export interface RuleContext {
  readonly family: Family;
  /** The owned chain of the rule. */
  readonly chain: string;
  readonly setsFrom: number;
  readonly log: LogOptions;
}

/** `web: Prometheus scrapes node_exporter [sre OPS-12]`: origin, reason, owner and ticket. */
function ruleComment(rule: PolicyRule): string {
  const ask = join(rule.owner ?? '', rule.ticket ?? '');
  const why = rule.reason === undefined ? rule.origin : `${rule.origin}: ${rule.reason}`;
  return oneLine(ask === '' ? why : `${why} [${ask}]`);
}

/** Problems of a rule in either family. */
export function ruleProblems(rule: PolicyRule): readonly Problem[] {
  const { location } = rule;
  const problems: Problem[] = [];
  if (rule.rate !== undefined && (rule.verb === 'deny' || rule.verb === 'reject'))
    problems.push(
      error('rate-on-deny', `A ${rule.verb} with a rate does not apply to packets beyond the rate.`, {
        location,
        hint: 'Put the rate on the allow rule: packets beyond it are not accepted.',
      }),
    );
  const text = ruleComment(rule);
  if (Buffer.byteLength(text) > COMMENT_BYTES)
    problems.push(
      note(
        'comment-cut',
        `The reason is longer than the ${COMMENT_BYTES} bytes of a rule's comment and is truncated on the host.`,
        { location, hint: 'Shorten it.' },
      ),
    );
  return problems;
}

/**
 * The rule in one family; empty when none of its packets are of that family. Unless it names states, an allow matches NEW
 * packets only: those of established connections were accepted before. So a deny applies to new connections only.
 */
export function ruleFragment(rule: PolicyRule, context: RuleContext): RuleFragment {
  const { family, setsFrom } = context;
  if (rule.family !== undefined && rule.family !== family) return EMPTY_FRAGMENT;
  const isOutput = rule.direction === 'output';
  const options = { family, setsFrom, mayReturn: true };
  const from = sideOf(rule.from, isOutput ? undefined : rule.except, { ...options, direction: 'source' });
  const to = sideOf(rule.to, isOutput ? rule.except : undefined, { ...options, direction: 'destination' });
  if (from === undefined || to === undefined) return EMPTY_FRAGMENT;
  const services = serviceMatches(rule.services, family);
  const interfaces = join(rule.in ? `-i ${rule.in}` : '', rule.out ? `-o ${rule.out}` : '');
  const reason = comment(ruleComment(rule));
  const returns = [...from.returns, ...to.returns];
  const parts = targetsOf(rule.verb, services).map(({ matches, target, protocol = '' }) => {
    const conditions = from.matches.flatMap((source) =>
      to.matches.flatMap((destination) =>
        matches.map((match) =>
          join(around(source, destination, join(interfaces, match.text)), stateOf(rule, match)),
        ),
      ),
    );
    return statement({ conditions, returns, target, protocol, reason, rule, context });
  });
  return {
    rules: parts.flatMap((part) => part.rules),
    chains: parts.flatMap((part) => part.chains),
    sets: [...from.sets, ...to.sets],
  };
}

function stateOf({ verb, states }: PolicyRule, match: ServiceMatch): string {
  if (states === 'any') return '';
  if (states !== undefined) return `-m conntrack --ctstate ${states.join(',').toUpperCase()}`;
  return verb === 'allow' && match.tracked ? '-m conntrack --ctstate NEW' : '';
}

interface ServiceTarget {
  readonly matches: readonly ServiceMatch[];
  /** Absent for a rule that only logs. */
  readonly target?: string;
  /** `-p tcp` where the target needs it in its own rule, even in a chain that only such packets enter. */
  readonly protocol?: string;
}

/** The verdict for each of the services. TCP is rejected with a reset, the rest with "port unreachable". */
function targetsOf(verb: Verb, services: readonly ServiceMatch[]): readonly ServiceTarget[] {
  if (services.length === 0) return [];
  if (verb === 'log') return [{ matches: services }];
  if (verb !== 'reject') return [{ matches: services, target: verb === 'allow' ? '-j ACCEPT' : '-j DROP' }];
  const split = services.flatMap((match) =>
    match.protocol === undefined ? [{ ...match, text: '-p tcp', protocol: 'tcp' }, match] : [match],
  );
  const isTcp = ({ protocol }: ServiceMatch): boolean => protocol === 'tcp' || protocol === '6';
  return [
    { matches: split.filter(isTcp), target: '-j REJECT --reject-with tcp-reset', protocol: '-p tcp' },
    { matches: split.filter((match) => !isTcp(match)), target: '-j REJECT' },
  ].filter(({ matches }) => matches.length > 0);
}

interface Statement {
  /** Alternatives: the matches of one rule each. */
  readonly conditions: readonly string[];
  readonly returns: readonly string[];
  readonly target: string | undefined;
  readonly protocol: string;
  /** The comment match. */
  readonly reason: string;
  readonly rule: PolicyRule;
  readonly context: RuleContext;
}

/**
 * Each condition with the rules that follow it. What applies once to all conditions (a rate, exceptions), or is more than
 * one rule, is moved to a chain of its own.
 */
function statement(parts: Statement): RuleFragment {
  const { conditions, returns, target, protocol, reason, rule, context } = parts;
  const rate = rateOf(rule, conditions);
  let body: RuleFragment = { ...EMPTY_FRAGMENT, rules: bodyOf(rule, context.log, target, rate, reason) };
  if (body.rules.length > 1 && rate !== '') {
    // The rate matches a packet once; logging and verdict both apply to that one packet.
    const inner = inChain(context.chain, conditions, body);
    body = { ...inner.fragment, rules: [join(rate, reason, inner.jump)] };
  } else if (rate !== '') body = { ...body, rules: body.rules.map((line) => join(rate, line)) };
  const once = returns.length > 0 || (conditions.length > 1 && (rate !== '' || body.rules.length > 1));
  if (!once)
    return {
      ...body,
      rules: conditions.flatMap((condition) => body.rules.map((line) => join(condition, line))),
    };
  const rules = [
    ...returns.map((match) => `${match} -j RETURN`),
    ...body.rules.map((line) => join(protocol, line)),
  ];
  const outer = inChain(context.chain, conditions, { ...body, rules });
  return {
    ...outer.fragment,
    rules: conditions.map((condition) => join(condition, reason, outer.jump)),
  };
}

/** A denied packet is logged with the prefix of the baseline, so that one pattern finds all drops. */
const PREFIX: { readonly [verb in Verb]?: string } = { allow: 'iptables-allow: ', log: 'iptables-log: ' };

function bodyOf(
  rule: PolicyRule,
  log: LogOptions,
  target: string | undefined,
  rate: string,
  reason: string,
): readonly string[] {
  const logging = logTarget({ ...log, prefix: PREFIX[rule.verb] ?? log.prefix });
  const logLimit = rule.verb === 'log' && rate !== '' ? '' : limit(log.rate, log.burst);
  return [
    ...(rule.log || target === undefined ? [join(logLimit, reason, logging)] : []),
    ...(target === undefined ? [] : [join(reason, target)]),
  ];
}

/** One bucket for the rule, or one for each source address. */
function rateOf(rule: PolicyRule, conditions: readonly string[]): string {
  if (rule.rate === undefined) return '';
  const { rate, burst, perSource } = rule.rate;
  if (!perSource) return limit(rate, burst);
  // xt_hashlimit.h: a name has 15 characters in the oldest revision. Rules with the same name share the buckets.
  const name = `SP-${tag([rule.origin, rule.verb, `${rate.count}/${rate.per}`, ...conditions].join('\n'), 10)}`;
  return `-m hashlimit --hashlimit-upto ${rate.count}/${rate.per} --hashlimit-burst ${burst} --hashlimit-mode srcip --hashlimit-name ${name}`;
}

/** A literal rule with its reason as a comment, unless it has a comment of its own. */
export const rawRule = (raw: RawRule): string =>
  raw.rule.includes('--comment')
    ? raw.rule
    : join(comment(oneLine(`${raw.origin}: ${raw.reason}`)), raw.rule);
