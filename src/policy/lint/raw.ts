/** Lints for `raw:` rules with a surprising effect. */
import type { Rule } from '../../netfilter/model.js';
import { parseRules } from '../../netfilter/text/parse.js';
import type { Fleet, RawRule } from '../fleet.js';
import type { Finding, Lint, Message } from './row.js';

type RawCheck = (rule: Rule) => Message | undefined;

function parsed(raw: RawRule): readonly Rule[] {
  return raw.families.flatMap((family) => {
    const { table, chain, location } = raw;
    const result = parseRules(raw.rule, { family, table, chain, location });
    return result.ok ? result.value : [];
  });
}

const eachRaw =
  (check: RawCheck) =>
  (fleet: Fleet): readonly Finding[] =>
    fleet.hosts.flatMap((host) =>
      host.raw.flatMap((raw) =>
        parsed(raw).flatMap((rule) => {
          const found = check(rule);
          return found === undefined ? [] : [{ ...found, location: raw.location, origin: raw.origin }];
        }),
      ),
    );

const LOGS = ['LOG', 'NFLOG', 'AUDIT'];
const LIMITS = ['limit', 'hashlimit', 'quota', 'recent', 'statistic'];
export const UNLIMITED = {
  message: 'The rule logs without a rate limit, so anyone can fill the disk of the host.',
  hint: 'Add a rate, such as "rate: 5/minute".',
};

const rawLog: RawCheck = ({ target, matches }) =>
  LOGS.includes(target?.name ?? '') && !matches.some(({ name }) => LIMITS.includes(name))
    ? { ...UNLIMITED, hint: 'Add "-m limit --limit 5/minute".' }
    : undefined;

export const rawLogs = eachRaw(rawLog);

const PORTS = ['--dports', '--sports', '--ports'];

/** The first port of a list that another entry contains too. */
function repeated(list: string): string | undefined {
  const parts = list.split(',').map((text) => {
    const [from = '', to = from] = text.split(':');
    return { text, from: Number(from), to: Number(to) };
  });
  return parts.find(
    ({ from, to }, index) =>
      parts.findIndex((other, at) => at !== index && other.from <= from && to <= other.to) !== -1,
  )?.text;
}

export const rawPortsTwice = eachRaw(({ matches }) => {
  const lists = matches.flatMap(({ options }) => options.filter(({ flag }) => PORTS.includes(flag)));
  const port = lists.map(({ values }) => repeated(values.join(','))).find((found) => found !== undefined);
  return port === undefined
    ? undefined
    : { message: `The rule lists port ${port.replace(':', '-')} twice.`, hint: 'Keep one of them.' };
});

const PORT_FLAGS = ['--sport', '--dport'];

/** iptables 1.8.9 saves such a rule without the "!"; restored, it matches every packet of the protocol. */
const noPort: RawCheck = ({ matches }) => {
  const found = matches
    .flatMap(({ options }) => options)
    .find(({ flag, negated, values }) => negated && PORT_FLAGS.includes(flag) && values[0] === '0:65535');
  return found === undefined
    ? undefined
    : {
        message: `"! ${found.flag} 0:65535" matches no packet, and some iptables versions lose the "!" and match every packet.`,
        hint: 'Remove the rule, or write the intended ports.',
      };
};

export const RAW: readonly Lint[] = [
  { id: 'raw-matches-nothing', level: 'warning', check: eachRaw(noPort) },
  {
    id: 'raw-state',
    level: 'warning',
    check: eachRaw(({ matches }) =>
      matches.some(({ name }) => name === 'state')
        ? {
            message: '"-m state" is obsolete: newer kernels and iptables versions do not have it.',
            hint: 'Write "-m conntrack --ctstate".',
          }
        : undefined,
    ),
  },
  {
    id: 'raw-accept-everything',
    level: 'error',
    check: eachRaw((rule) =>
      rule.text === '-j ACCEPT'
        ? {
            message: 'The rule accepts every packet of its chain.',
            hint: 'Add a match for the intended packets.',
          }
        : undefined,
    ),
  },
];
