/** What import says of a host: how much of it is in words, what stays, what is not as it was. */
import { programOfChain } from '../compile/programs.js';
import { FAMILIES } from '../lib/family.js';
import { error, note, type Problem, warning } from '../lib/problem.js';
import type { Ruleset } from '../netfilter/model.js';
import type { Flow, TrafficDiff } from '../traffic/model.js';
import { packetText } from '../traffic/trace/sentences.js';
import type { BuiltInChain, HostDraft } from './draft/host.js';
import { foreignItems } from './draft/unmanaged.js';
import type { ImportedHost, ImportHost } from './model.js';
import type { ChainItem, Logs } from './read/flatten.js';
import { linesOf } from './write/generated-names.js';

const countRules = (ruleset: Ruleset): number =>
  FAMILIES.flatMap((family) => ruleset[family])
    .flatMap(({ chains }) => chains)
    .reduce((sum, { rules }) => sum + rules.length, 0);

export function summaryOf(
  { name, live }: ImportHost,
  chains: readonly BuiltInChain[],
  draft: HostDraft,
): Omit<ImportedHost, 'notes' | 'anomalies'> {
  const lines = linesOf(draft);
  const literal = lines.filter(({ statement }) => statement.kind === 'raw').length;
  const foreign = foreignItems(chains);
  return {
    name,
    rules: countRules(live),
    statements: lines.length - literal,
    literal,
    programs: programsOf(foreign),
    foreign: foreign.filter(({ program }) => program === undefined).length,
  };
}

const programsOf = (items: readonly ChainItem[]): readonly string[] =>
  [...new Set(items.flatMap(({ program }) => program ?? []))].toSorted();

export function notesOf(
  host: ImportHost,
  chains: readonly BuiltInChain[],
  draft: HostDraft,
  ownership: 'chains' | 'tables',
): readonly Problem[] {
  const { name } = host;
  const foreign = foreignItems(chains);
  const programs = programsOf(foreign);
  const left = chains.flatMap(({ items }) => items.filter(({ keptReason }) => keptReason !== undefined));
  const missing = host.withoutIpv6 ? [] : FAMILIES.filter((family) => !host.families.includes(family));
  return [
    ...(host.unknownAddress
      ? [
          warning(
            'import-address-unknown',
            `Nothing tells the address of ${name}; its file holds ${host.address}, which is nobody's (RFC 5737).`,
            undefined,
            `Write it there, or name it: sallyport import ${name}=USER@ADDRESS --file …`,
          ),
        ]
      : []),
    ...missing.map((family) =>
      warning(
        'import-one-family',
        `The ${family === 'v4' ? 'IPv4' : 'IPv6'} rules of ${name} are not known: the policy opens nothing there, and drops what it does not name.`,
        undefined,
        `Give them as well: --file ${name}=rules.${family}`,
      ),
    ),
    ...(programs.length === 0
      ? []
      : [note('import-program', `The rules of ${programs.join(', ')} on ${name} stay theirs.`)]),
    ...left.map(({ keptReason = '', top }) =>
      warning(
        'import-chain-stays',
        `The chain ${top.rule.target?.name} of ${where(top)} stays on ${name}, and a literal rule jumps to it: ${keptReason}.`,
        top.rule.location,
      ),
    ),
    ...leftInPlaceNotes(name, foreign),
    ...logNotes(name, chains),
    ...(ownership === 'chains' ? [oldRulesNote(name)] : []),
    ...verdictNotes(name, draft),
  ];
}

const LOGS: { readonly [logs in Logs]: string } = {
  less: 'logged packets before a verdict that the policy gives without a log: what leads there counts packets, and may do so once only',
  more: 'will log more than before: a limit in front of it has no place in the policy',
};

function logNotes(name: string, chains: readonly BuiltInChain[]): readonly Problem[] {
  return (['less', 'more'] as const).flatMap((logs) => {
    const [first, ...others] = chains.flatMap(({ items }) => items.filter((item) => item.logs === logs));
    if (first === undefined) return [];
    const who = others.length === 0 ? 'A rule' : `Each of ${others.length + 1} rules`;
    return [note('import-log-otherwise', `${who} of ${name} ${LOGS[logs]}.`, first.origin.rule.location)];
  });
}

/** One sentence for whole tables. */
function leftInPlaceNotes(name: string, foreign: readonly ChainItem[]): readonly Problem[] {
  const items = foreign.filter((item) => item.leftInPlace);
  const tables = [...new Set(items.map(({ top }) => top.table))];
  return tables.length === 0
    ? []
    : [
        warning(
          'import-left',
          `${items.length} rules of ${tables.join(', ')} on ${name} stay as they are: beside what is not the policy's only the filter is imported.`,
        ),
      ];
}

const where = ({ table, chain, family }: ChainItem['origin']): string =>
  `${table === 'filter' ? '' : `${table} `}${chain} (${family === 'v4' ? 'IPv4' : 'IPv6'})`;

const oldRulesNote = (name: string): Problem =>
  note(
    'import-old-rules',
    `The rules of ${name} that were imported stay beside the policy's and change nothing.`,
    undefined,
    'Take them out of INPUT, OUTPUT and FORWARD on the host once the policy is deployed.',
  );

/** Where the verdict is the same and something else is not. */
function verdictNotes(name: string, draft: HostDraft): readonly Problem[] {
  const lines = linesOf(draft).flatMap(({ statement, origins }) =>
    statement.kind === 'rule' ? [{ statement, rule: origins[0]?.rule }] : [],
  );
  const answers = [...new Set(lines.flatMap(({ statement }) => statement.answer ?? []))];
  const logs = lines.filter(({ statement }) => statement.log !== undefined);
  return [
    ...(answers.length === 0
      ? []
      : [
          note(
            'import-answer',
            `${name} answers what it rejects with ${answers.join(', ')}; the policy answers with a TCP reset or "port unreachable".`,
          ),
        ]),
    ...(logs.length === 0
      ? []
      : [
          note(
            'import-log',
            `What ${name} logs beside its verdicts is logged with the prefixes and the pace of the policy.`,
          ),
        ]),
  ];
}

/** The most flows that are told of one kind. */
const MAX_FLOWS = 5;

/** The traffic that the policy would treat otherwise. */
export function trafficProblems(
  host: ImportHost,
  diff: TrafficDiff | readonly Problem[],
): readonly Problem[] {
  if (!('proved' in diff))
    return [
      error(
        'import-unsayable',
        `The rules of ${host.name} cannot be said by a policy${diff.length === 0 ? '.' : ', for these reasons.'}`,
      ),
      ...diff,
    ];
  if (!diff.proved)
    return [
      error(
        'import-differs',
        `It could not be proved that the policy of ${host.name} does the same. ${diff.why ?? ''}`.trim(),
      ),
    ];
  const kinds: readonly (readonly [string, readonly Flow[], string?])[] = [
    ['would be opened', diff.opened],
    ['would be closed', diff.closed],
    ['might be opened', diff.possiblyOpened, NOT_IN_PACKET],
    ['might be closed', diff.possiblyClosed, NOT_IN_PACKET],
    ['would be answered otherwise', diff.answeredDifferently],
  ];
  return kinds.flatMap(([what, flows, hint]) => [
    ...flows.slice(0, MAX_FLOWS).map((flow) => flowProblem(host.name, what, flow, hint)),
    ...(flows.length > MAX_FLOWS
      ? [error('import-differs', `${flows.length - MAX_FLOWS} more flows of ${host.name} ${what}.`)]
      : []),
  ]);
}

/** A program's rules come before the policy's; where they do not on the host today, only that can be mended. */
function programFirst(after: Flow['after']): string | undefined {
  const program = after === null ? undefined : programOfChain(after.chain);
  if (program === undefined) return undefined;
  const restart = program === 'fail2ban' ? ', as fail2ban does itself when it is restarted' : '';
  return `The rules of ${program} stay, and come before those of the policy: let their jump come first on the host as well${restart}, then import again.`;
}

/** Of "might": a rule of the same words that stands elsewhere is not known to answer alike. */
const NOT_IN_PACKET =
  'It hangs on what no packet shows, such as a mark, a rate or a module that is not understood: take such rules out of the file and import again, then write them under "raw:" by hand.';

function flowProblem(
  name: string,
  what: string,
  { hook, before, after, example }: Flow,
  hint?: string,
): Problem {
  const rule = (side: Flow['before']): string =>
    side === null ? 'nothing' : `${side.table} ${side.chain} rule ${side.number} (${side.text})`;
  return error(
    'import-differs',
    `On ${name} traffic of ${hook} ${what}: ${packetText(example)}; before by ${rule(before)}, after by ${rule(after)}.`,
    before?.source,
    programFirst(after) ?? hint,
  );
}
