/** Commands about any rules in files: explain, compare, fmt. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { Explainable } from '../../commands/explain.js';
import type { RulesFile, TextFile } from '../../commands/inputs/rules-file.js';
import type { Family } from '../../lib/family.js';
import { error, failure, ProblemError, type Result } from '../../lib/problem.js';
import type { Explanation, Packet } from '../../traffic/model.js';
import { DIFFERENT, DONE, emit, FAILED, type Io, readText, reportProblems, textOptions } from '../io.js';
import { type Act, examples, type OutputOptions, withOutput, withPolicy } from '../options.js';
import { definePacket, type PacketOptions, packetOf } from '../packet-options.js';

interface FamilyOptions {
  readonly family?: Family;
}

const familyOption = (): Option =>
  new Option('--family <family>', 'family of a single file (default: from its name and content)').choices([
    'v4',
    'v6',
  ]);

const nativeOption = (): Option =>
  new Option(
    '--nft <file>',
    'native nft tables that decide as well: the output of "nft -j list ruleset" (in a folder: nft.json)',
  );

/** Defines `explain`, `compare` and `fmt`. */
export function defineFileCommands(program: Command, act: Act, io: Io): void {
  const explain = definePacket(
    withPolicy(
      program
        .command('explain')
        .summary('the verdict on one packet, and the rule that decides it')
        .description(
          'Traces a packet through the rules without sending it: the verdict, the rule that decides, and its line in the policy. HOST takes its rules from the policy; --rules takes any iptables-save file. Prints text on a terminal and JSON otherwise, one line per packet.',
        )
        .argument('[host]', 'a host of the policy')
        .option('--rules <file>', 'an iptables-save file (or a folder with rules.v4, rules.v6, sets)')
        .addOption(familyOption())
        .addOption(nativeOption())
        .option('--packets <file>', 'packets, one JSON object per line ("-": standard input)')
        .option('--packet <json>', 'one packet as JSON')
        .addOption(new Option('-f, --format <format>', 'format of the answer').choices(['text', 'json'])),
    ),
  );
  examples(
    explain,
    'sallyport explain web-1 --src 198.51.100.7 --dport 443',
    'sallyport explain web-1 --hook OUTPUT --dst 198.51.100.7 --dport 25',
    'sallyport explain --rules rules.v4 --src 198.51.100.7 --dst 203.0.113.10 --dport 22',
    'sallyport explain web-1 --packets packets.jsonl',
  );
  act(explain, (host: string | undefined, options: ExplainOptions) => runExplain(host, options, io));

  const compare = withOutput(
    program
      .command('compare')
      .summary('the traffic that two rulesets treat differently')
      .description(
        'Compares any two iptables-save files (or folders with rules.v4, rules.v6, sets): which traffic NEW opens and closes, proved for every packet, and which rules differ. The exit status is 2 when the traffic differs, or could not be proved equal.',
      )
      .argument('<old>', 'an iptables-save file or a folder')
      .argument('<new>', 'an iptables-save file or a folder to compare it with')
      .addOption(familyOption())
      .option('--sets <file>', 'an ipset save file for both')
      .addOption(nativeOption()),
  );
  examples(
    compare,
    'sallyport compare before.v4 after.v4',
    'sallyport compare build/web-1 new/web-1 --format json',
  );
  act(compare, (old: string, next: string, options: CompareOptions) => runCompare(old, next, options, io));

  const fmt = program
    .command('fmt')
    .summary('any iptables text in canonical iptables-save form')
    .description(
      'Prints an iptables-restore text exactly as iptables-save would after loading it, without iptables installed. Text that would not load is reported with line and column.',
    )
    .argument('<file>', 'an iptables-restore file ("-": standard input)')
    .addOption(familyOption())
    .option('-o, --output <file>', 'write to a file instead of standard output');
  examples(fmt, 'sallyport fmt rules.v4', 'iptables-save | sallyport fmt -');
  act(fmt, (file: string, options: FamilyOptions & { readonly output?: string }) =>
    runFmt(file, options, io),
  );
}

type ExplainOptions = FamilyOptions &
  PacketOptions & {
    readonly policies: string;
    readonly rules?: string;
    readonly nft?: string;
    readonly packets?: string;
    readonly packet?: string;
    readonly format?: 'text' | 'json';
  };

async function runExplain(host: string | undefined, options: ExplainOptions, io: Io): Promise<number> {
  const { explain } = await import('../../commands/explain.js');
  const subject = reportProblems(io, await explainable(host, options, io));
  if (subject === undefined) return FAILED;
  const packets = reportProblems(io, await packetsOf(options, subject.value, io));
  if (packets === undefined) return FAILED;
  const answers = explain(subject.value, packets.value);
  const format = options.format ?? (io.stdout.isTTY && answers.length === 1 ? 'text' : 'json');
  if (format === 'json') for (const answer of answers) io.stdout.write(`${answerLine(answer)}\n`);
  else {
    const { explanationText } = await import('../../report/terminal/explanation.js');
    const text = packets.value.map((packet, index) =>
      explanationText(packet, answers[index] as Explanation, textOptions(io.stdout, io.env)),
    );
    io.stdout.write(text.join('\n'));
  }
  return DONE;
}

const answerLine = ({ verdict, rule, assumptions, ...rest }: Explanation): string =>
  JSON.stringify({ verdict, rule, assumptions, ...rest });

async function explainable(
  host: string | undefined,
  { policies, rules, family, nft }: ExplainOptions,
  io: Io,
): Promise<Result<Explainable>> {
  const { readRulesFile, readListing } = await import('../../commands/inputs/rules-file.js');
  if (rules !== undefined) {
    const read = readRulesFile(await rulesFile(rules, io, { nft }), family);
    return read.ok ? { ...read, value: { ruleset: read.value, addresses: [] } } : read;
  }
  if (host === undefined)
    return failure(
      error('no-rules', 'No rules given.', { hint: 'Give a host of the policy, or --rules FILE.' }),
    );
  const { desiredOf } = await import('../../commands/explain.js');
  const listing = readListing(await textFile(nft, io));
  if (!listing.ok) return listing;
  const desired = await desiredOf({ policies, hosts: host });
  if (!desired.ok) return desired;
  const { ruleset, addresses } = desired.value;
  return { ...desired, value: { ruleset: { ...ruleset, nft: listing.value }, addresses } };
}

async function packetsOf(
  options: ExplainOptions,
  { addresses }: Explainable,
  io: Io,
): Promise<Result<readonly Packet[]>> {
  const { readPackets } = await import('../../commands/inputs/packets.js');
  const { readPacket } = await import('../../traffic/trace/read-packet.js');
  if (options.packets !== undefined) return readPackets(await readText(io, options.packets), options.packets);
  if (options.packet !== undefined) return readPackets(options.packet.replaceAll('\n', ' '), '--packet');
  const packet = readPacket(packetOf(options, addresses));
  return packet.ok ? { ...packet, value: [packet.value] } : packet;
}

type CompareOptions = FamilyOptions & OutputOptions & { readonly sets?: string; readonly nft?: string };

async function runCompare(old: string, next: string, options: CompareOptions, io: Io): Promise<number> {
  const { compare } = await import('../../commands/compare.js');
  const [before, after] = [await rulesFile(old, io, options), await rulesFile(next, io, options)];
  const compared = reportProblems(io, compare(before, after, options));
  if (compared === undefined) return FAILED;
  const { value } = compared;
  const { comparisonReport } = await import('./comparison.js');
  const paint = options.output === undefined ? textOptions(io.stdout, io.env) : { colour: false };
  await emit(io, comparisonReport(value, next, options.format, paint), options.output);
  return value.equal ? DONE : DIFFERENT;
}

async function runFmt(
  file: string,
  { family, output }: FamilyOptions & { readonly output?: string },
  io: Io,
): Promise<number> {
  const { formatRules } = await import('../../netfilter/text/fmt.js');
  const { familyOfName } = await import('../../commands/inputs/rules-file.js');
  const text = await readText(io, file);
  const name = file === '-' ? 'standard input' : file;
  const guess = family ?? familyOfName(file);
  const first = formatRules(text, guess, name);
  const second =
    first.ok || family !== undefined ? first : formatRules(text, guess === 'v4' ? 'v6' : 'v4', name);
  const formatted = reportProblems(io, second.ok ? second : first);
  if (formatted === undefined) return FAILED;
  await emit(io, formatted.value, output);
  return DONE;
}

/** Files beside those with rules. */
interface Beside {
  readonly sets?: string;
  readonly nft?: string;
}

const textFile = async (path: string | undefined, io: Io): Promise<TextFile | undefined> =>
  path === undefined ? undefined : { path, text: await readText(io, path) };

const existing = async (path: string): Promise<string | undefined> =>
  (await exists(path)) ? path : undefined;

/** A file, or a folder as `sallyport render` writes it. */
async function rulesFile(path: string, io: Io, beside: Beside): Promise<RulesFile> {
  const nft = await textFile(beside.nft, io);
  if (path === '-' || !(await isFolder(path)))
    return {
      kind: 'file',
      path: path === '-' ? 'standard input' : path,
      text: await readText(io, path),
      sets: await textFile(beside.sets, io),
      nft,
    };
  const part = async (name: string): Promise<string | undefined> =>
    (await exists(join(path, name))) ? readText(io, join(path, name)) : undefined;
  const [v4, v6, own] = [await part('rules.v4'), await part('rules.v6'), await part('sets')];
  if (v4 === undefined && v6 === undefined)
    throw new ProblemError([
      error('no-rules', `${path} has neither rules.v4 nor rules.v6.`, {
        hint: 'Give a file, or a folder with one of them.',
      }),
    ]);
  return {
    kind: 'folder',
    path,
    v4,
    v6,
    sets: own,
    nft: nft ?? (await textFile(await existing(join(path, 'nft.json')), io)),
  };
}

const isFolder = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
