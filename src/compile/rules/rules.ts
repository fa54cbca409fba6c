/** One rule of the policy in one family. Every condition of the rule is in what comes out, or there is a problem. */
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
  /** The owned chain that it stands in. */
  readonly chain: string;
  readonly setsFrom: number;
  readonly log: LogOptions;
}

/** `web: Prometheus scrapes node_exporter [sre OPS-12]`: whose rule it is, why it is there, whom to ask. */
function ruleComment(rule: PolicyRule): string {
  const ask = join(rule.owner ?? '', rule.ticket ?? '');
  const why = rule.reason === undefined ? rule.origin : `${rule.origin}: ${rule.reason}`;
  return oneLine(ask === '' ? why : `${why} [${ask}]`);
}

/** What is wrong with a rule, whatever the family. */
export function ruleProblems(rule: PolicyRule): readonly Problem[] {
  const { location } = rule;
  const problems: Problem[] = [];
  if (rule.rate !== undefined && (rule.verb === 'deny' || rule.verb === 'reject'))
    problems.push(
      error('rate-on-deny', `A ${rule.verb} with a rate would let everything beyond the rate pass on.`, {
        location,
        hint: 'Put the rate on the allow: what exceeds it is not let in.',
      }),
    );
  const text = ruleComment(rule);
  if (Buffer.byteLength(text) > COMMENT_BYTES)
    problems.push(
      note(
        'comment-cut',
        `The reason is longer than the ${COMMENT_BYTES} bytes of a rule's comment and is cut on the host.`,
        { location, hint: 'Say it in fewer words.' },
      ),
    );
  return problems;
}

/**
 * The rule in one family; empty when none of its packets are of that family. Unless it names states, an allow takes NEW
 * packets only: those of established connections have passed before, which also means that a deny acts on new ones alone.
 */
export function ruleLines(rule: PolicyRule, context: RuleContext): RuleFragment {
  const { family, setsFrom } = context;
  if (rule.family !== undefined && rule.family !== family) return EMPTY_FRAGMENT;
  const leaving = rule.direction === 'output';
  const wish = { family, setsFrom, mayReturn: true };
  const from = sideOf(rule.from, leaving ? undefined : rule.except, { ...wish, direction: 'source' });
  const to = sideOf(rule.to, leaving ? rule.except : undefined, { ...wish, direction: 'destination' });
  if (from === undefined || to === undefined) return EMPTY_FRAGMENT;
  const services = serviceMatches(rule.services, family);
  const interfaces = join(rule.in ? `-i ${rule.in}` : '', rule.out ? `-o ${rule.out}` : '');
  const words = comment(ruleComment(rule));
  const returns = [...from.returns, ...to.returns];
  const parts = answers(rule.verb, services).map(({ matches, target, needs = '' }) => {
    const heads = from.matches.flatMap((source) =>
      to.matches.flatMap((destination) =>
        matches.map((match) =>
          join(around(source, destination, join(interfaces, match.text)), stateOf(rule, match)),
        ),
      ),
    );
    return statement({ heads, returns, target, needs, words, rule, context });
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

interface Answer {
  readonly matches: readonly ServiceMatch[];
  /** Absent where nothing is decided. */
  readonly target?: string;
  /** What the target wants to see in its own rule, even where only such packets come. */
  readonly needs?: string;
}

/** The verdict for each of the services. TCP is rejected with a reset, the rest with "port unreachable". */
function answers(verb: Verb, services: readonly ServiceMatch[]): readonly Answer[] {
  if (services.length === 0) return [];
  if (verb === 'log') return [{ matches: services }];
  if (verb !== 'reject') return [{ matches: services, target: verb === 'allow' ? '-j ACCEPT' : '-j DROP' }];
  const split = services.flatMap((match) =>
    match.protocol === undefined ? [{ ...match, text: '-p tcp', protocol: 'tcp' }, match] : [match],
  );
  const isTcp = ({ protocol }: ServiceMatch): boolean => protocol === 'tcp' || protocol === '6';
  return [
    { matches: split.filter(isTcp), target: '-j REJECT --reject-with tcp-reset', needs: '-p tcp' },
    { matches: split.filter((match) => !isTcp(match)), target: '-j REJECT' },
  ].filter(({ matches }) => matches.length > 0);
}

interface Statement {
  readonly heads: readonly string[];
  readonly returns: readonly string[];
  readonly target: string | undefined;
  readonly needs: string;
  readonly words: string;
  readonly rule: PolicyRule;
  readonly context: RuleContext;
}

/**
 * Heads and what is done behind them. What must happen once for all heads (a rate, exceptions) or what is more than
 * one rule stands in a chain of its own.
 */
function statement({ heads, returns, target, needs, words, rule, context }: Statement): RuleFragment {
  const rate = rateOf(rule, heads);
  let body: RuleFragment = { ...EMPTY_FRAGMENT, rules: bodyOf(rule, context.log, target, rate, words) };
  if (body.rules.length > 1 && rate !== '') {
    // The rate lets a packet through once; logging and verdict both belong to that one packet.
    const inner = inChain(context.chain, heads, body);
    body = { ...inner.lines, rules: [join(rate, words, inner.jump)] };
  } else if (rate !== '') body = { ...body, rules: body.rules.map((line) => join(rate, line)) };
  const once = returns.length > 0 || (heads.length > 1 && (rate !== '' || body.rules.length > 1));
  if (!once) return { ...body, rules: heads.flatMap((head) => body.rules.map((line) => join(head, line))) };
  const whole = [
    ...returns.map((match) => `${match} -j RETURN`),
    ...body.rules.map((line) => join(needs, line)),
  ];
  const outer = inChain(context.chain, heads, { ...body, rules: whole });
  return { ...outer.lines, rules: heads.map((head) => join(head, words, outer.jump)) };
}

/** What is logged as dropped has the prefix of the baseline, so that one pattern finds all drops. */
const PREFIX: { readonly [verb in Verb]?: string } = { allow: 'iptables-allow: ', log: 'iptables-log: ' };

function bodyOf(
  rule: PolicyRule,
  look: LogOptions,
  target: string | undefined,
  rate: string,
  words: string,
): readonly string[] {
  const log = logTarget({ ...look, prefix: PREFIX[rule.verb] ?? look.prefix });
  const pace = rule.verb === 'log' && rate !== '' ? '' : limit(look.rate, look.burst);
  return [
    ...(rule.log || target === undefined ? [join(pace, words, log)] : []),
    ...(target === undefined ? [] : [join(words, target)]),
  ];
}

/** One bucket for the rule, or one for each source address. */
function rateOf(rule: PolicyRule, heads: readonly string[]): string {
  if (rule.rate === undefined) return '';
  const { rate, burst, perSource } = rule.rate;
  if (!perSource) return limit(rate, burst);
  // xt_hashlimit.h: a name has 15 characters in the oldest revision. It is shared by rules of the same name.
  const name = `SP-${tag([rule.origin, rule.verb, `${rate.count}/${rate.per}`, ...heads].join('\n'), 10)}`;
  return `-m hashlimit --hashlimit-upto ${rate.count}/${rate.per} --hashlimit-burst ${burst} --hashlimit-mode srcip --hashlimit-name ${name}`;
}

/** The rule with its reason as a comment, unless it brings a comment of its own. */
export const rawLine = (rule: RawRule): string =>
  rule.rule.includes('--comment')
    ? rule.rule
    : join(comment(oneLine(`${rule.origin}: ${rule.reason}`)), rule.rule);
