/** Reports on one imported host: how many rules became what, what stays, and what differs. */
import { programOfChain } from '../compile/programs.js';
import { FAMILIES } from '../lib/family.js';
import { error, note, type Problem, warning } from '../lib/problem.js';
import { count, FAMILY, list } from '../lib/text.js';
import type { Flow, TrafficDiff } from '../traffic/model.js';
import { packetText } from '../traffic/trace/sentences.js';
import type { BuiltInChain, HostDraft } from './draft/host.js';
import { foreignItems } from './draft/unmanaged.js';
import type { ImportedHost, ImportHost } from './model.js';
import type { ChainItem, LogChange } from './read/flatten.js';
import { linesOf } from './write/generated-names.js';

/** The counts of an imported host, and the programs whose rules are left to them. */
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
    rules: [...live.v4, ...live.v6].flatMap((table) => table.chains.flatMap(({ rules }) => rules)).length,
    statements: lines.length - literal,
    literal,
    programs: programsOf(foreign),
    foreign: foreign.filter(({ program }) => program === undefined).length,
  };
}

const programsOf = (items: readonly ChainItem[]): readonly string[] =>
  [...new Set(items.flatMap(({ program }) => program ?? []))].toSorted();

/** Notes on what is not imported, or is not exactly as before. */
export function notesOf(
  host: ImportHost,
  chains: readonly BuiltInChain[],
  draft: HostDraft,
  ownership: 'chains' | 'tables',
): readonly Problem[] {
  const { name } = host;
  const foreign = foreignItems(chains);
  const programs = programsOf(foreign);
  const missing = host.withoutIpv6 ? [] : FAMILIES.filter((family) => !host.families.includes(family));
  const notes: Problem[] = [];
  if (host.unknownAddress)
    notes.push(
      warning(
        'import-address-unknown',
        `The address of ${name} is not known; its file has ${host.address}, which is reserved for documentation (RFC 5737).`,
        {
          hint: `Change it there, or import again with the address: sallyport import ${name}=USER@ADDRESS --file …`,
        },
      ),
    );
  for (const family of missing)
    notes.push(
      warning(
        'import-one-family',
        `The ${FAMILY[family]} rules of ${name} are not known: in ${FAMILY[family]} the policy opens nothing, and drops what no rule allows.`,
        { hint: `Add them: --file ${name}=rules.${family}` },
      ),
    );
  if (programs.length > 0)
    notes.push(note('import-program', `Rules managed by ${list(programs)} on ${name} are not imported.`));
  for (const { keptReason, top } of chains.flatMap(({ items }) => items))
    if (keptReason !== undefined)
      notes.push(
        warning(
          'import-chain-stays',
          `The chain ${top.rule.target?.name} of ${chainText(top)} stays on ${name}, and a literal rule jumps to it: ${keptReason}.`,
          { location: top.rule.location },
        ),
      );
  const inPlace = foreign.filter(({ leftInPlace }) => leftInPlace);
  if (inPlace.length > 0)
    notes.push(
      warning(
        'import-left',
        `${count(inPlace.length, 'rule')} of ${list([...new Set(inPlace.map(({ top }) => top.table))])} on ${name} cannot be imported: beside rules that stay, only the filter table is imported.`,
      ),
    );
  notes.push(...logNotes(name, chains));
  if (ownership === 'chains')
    notes.push(
      note(
        'import-old-rules',
        `The imported rules of ${name} stay beside those of the policy, and have no effect.`,
        { hint: 'Remove them from INPUT, OUTPUT and FORWARD on the host after the policy is deployed.' },
      ),
    );
  return [...notes, ...verdictNotes(name, draft)];
}

const LOG_CHANGES: { readonly [change in LogChange]: string } = {
  less: 'no longer logs before its verdict: its jump counts packets, and can be written only once',
  more: 'logs more than before: the policy cannot express the limit of the log',
};

const logNotes = (name: string, chains: readonly BuiltInChain[]): readonly Problem[] =>
  (['less', 'more'] as const).flatMap((change) => {
    const [first, ...others] = chains.flatMap(({ items }) => items.filter(({ logs }) => logs === change));
    if (first === undefined) return [];
    const rules = others.length === 0 ? 'A rule' : `Each of ${others.length + 1} rules`;
    return [
      note('import-log-otherwise', `${rules} of ${name} ${LOG_CHANGES[change]}.`, {
        location: first.origin.rule.location,
      }),
    ];
  });

const chainText = ({ table, chain, family }: ChainItem['origin']): string =>
  `${table === 'filter' ? '' : `${table} `}${chain} (${FAMILY[family]})`;

/** Rules with the same verdict that answer or log differently. */
function verdictNotes(name: string, draft: HostDraft): readonly Problem[] {
  const statements = linesOf(draft).flatMap(({ statement }) =>
    statement.kind === 'rule' ? [statement] : [],
  );
  const answers = [...new Set(statements.flatMap(({ answer }) => answer ?? []))];
  const notes: Problem[] = [];
  if (answers.length > 0)
    notes.push(
      note(
        'import-answer',
        `${name} rejects with ${list(answers)}; the policy rejects with a TCP reset or "port unreachable".`,
      ),
    );
  if (statements.some(({ log }) => log !== undefined))
    notes.push(
      note(
        'import-log',
        `What ${name} logs in addition to a verdict is logged with the prefixes and the rate limit of the policy.`,
      ),
    );
  return notes;
}

/** The flows of one kind that are reported. */
const MAX_FLOWS = 5;

/** The traffic that a policy would treat differently, or the problems that prevent one. */
export function trafficProblems(
  host: ImportHost,
  diff: TrafficDiff | readonly Problem[],
): readonly Problem[] {
  if (!('proved' in diff))
    return [
      error(
        'import-unsayable',
        `The rules of ${host.name} cannot be expressed as a policy${diff.length === 0 ? '.' : ', for these reasons.'}`,
      ),
      ...diff,
    ];
  if (!diff.proved)
    return [
      error(
        'import-differs',
        `The policy of ${host.name} could not be proved equal to its rules. ${diff.why ?? ''}`.trim(),
      ),
    ];
  const kinds: readonly (readonly [string, readonly Flow[], string?])[] = [
    ['would be opened', diff.opened],
    ['would be closed', diff.closed],
    ['might be opened', diff.possiblyOpened, NOT_IN_PACKET],
    ['might be closed', diff.possiblyClosed, NOT_IN_PACKET],
    ['would be answered differently', diff.answeredDifferently],
  ];
  return kinds.flatMap(([what, flows, hint]) => [
    ...flows.slice(0, MAX_FLOWS).map((flow) => flowProblem(host.name, what, flow, hint)),
    ...(flows.length > MAX_FLOWS
      ? [error('import-differs', `${flows.length - MAX_FLOWS} more flows of ${host.name} ${what}.`)]
      : []),
  ]);
}

/** Rules of a program come before the policy's. If they are later on the host today, only a change there helps. */
function programFirst(after: Flow['after']): string | undefined {
  const program = after === null ? undefined : programOfChain(after.chain);
  if (program === undefined) return undefined;
  const restart = program === 'fail2ban' ? ', as fail2ban itself does when it restarts' : '';
  return `The rules of ${program} stay, and come before those of the policy: on the host, move their jump to the top as well${restart}, then import again.`;
}

/** For "might": whether a rule with the same text in another position has the same result is not known. */
const NOT_IN_PACKET =
  'The result depends on what a packet does not show, such as a mark, a rate or an unknown match: remove such rules from the file, import again, then add them under "raw:" by hand.';

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
    `On ${name}, ${hook} traffic ${what}: ${packetText(example)}; before by ${rule(before)}, after by ${rule(after)}.`,
    { location: before?.source, hint: programFirst(after) ?? hint },
  );
}
