/** Tests the model against the kernel, ruleset by ruleset, and reduces a disagreement to a small example. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Family } from '../../../../src/lib/family.js';
import type { Ruleset } from '../../../../src/netfilter/model.js';
import { nativeTablesText, readNftables } from '../../../../src/netfilter/nftables/read.js';
import { parseSets } from '../../../../src/netfilter/sets.js';
import { parseSave } from '../../../../src/netfilter/text/parse.js';
import type { Explanation, Packet } from '../../../../src/traffic/model.js';
import { explainer } from '../../../../src/traffic/trace/explain.js';
import {
  DEVICES,
  generatePackets,
  generateRules,
  generateSets,
  NAT_TARGETS,
  OWN_ADDRESSES,
  type Sample,
} from './generate.js';
import { generateNft } from './generate-nft.js';
import { bytesOf } from './packet-bytes.js';
import { seededRandom } from './random.js';

export type Backend = 'nft' | 'legacy';

export interface Tally {
  readonly rulesets: number;
  readonly packets: number;
  /** Packets for which the verdict of the model is "unknown". */
  readonly unknown: number;
  /** Rulesets that the kernel refuses. */
  readonly refused: number;
  readonly disagreements: readonly string[];
}

export interface JudgeOptions {
  readonly backend: Backend;
  readonly family: Family;
  readonly seed: number;
  readonly rulesets: number;
  readonly packetsEach: number;
  /** The folder of `harness.pl`. */
  readonly folder: string;
  /** Also native nft tables. */
  readonly native?: boolean;
}

/** What is loaded, as text. */
interface Rules {
  readonly rules: string;
  readonly sets: string;
  /** For `nft -f`; absent where no native tables take part. */
  readonly nft?: string;
}

export interface Harness {
  readonly ask: (lines: readonly string[]) => Promise<string>;
  readonly close: () => Promise<void>;
}

export function startHarness(folder: string): Harness {
  const child: ChildProcessWithoutNullStreams = spawn('unshare', ['-n', 'perl', join(folder, 'harness.pl')]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return {
    ask: async (asked) => {
      child.stdin.write(asked.map((line) => `${line}\n`).join(''));
      const answer = await lines.next();
      if (answer.done) throw new Error(`The harness ended: ${errors}`);
      return answer.value;
    },
    close: async () => {
      child.stdin.end();
      await closed;
    },
  };
}

const textOf = ({ rules, sets, nft = '' }: Rules): string => sets + rules + nft;

const PROGRAM: { readonly [family in Family]: string } = { v4: 'iptables', v6: 'ip6tables' };

export async function judge(options: JudgeOptions): Promise<Tally> {
  const { backend, family, seed, rulesets, packetsEach } = options;
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-kernel-'));
  const harness = startHarness(options.folder);
  const tally = { rulesets: 0, packets: 0, unknown: 0, refused: 0, disagreements: [] as string[] };
  try {
    await expectAnswer(harness, `devices ${DEVICES.join(' ')}`, 'ready');
    for (let index = 0; index < rulesets && tally.disagreements.length < 5; index++) {
      const random = seededRandom(seed + index);
      const loaded: Rules = {
        rules: generateRules(random, family),
        sets: generateSets(random, family),
        nft: options.native ? generateNft(random, family) : undefined,
      };
      const samples = generatePackets(random, family, packetsEach);
      const kernel = await askKernel(harness, folder, backend, family, loaded, samples);
      if (typeof kernel === 'string') {
        tally.refused++;
        if (!EXPECTED_REFUSALS.test(kernel))
          tally.disagreements.push(`seed ${seed + index}: refused: ${kernel}\n${textOf(loaded)}`);
        continue;
      }
      const model = explainAll(family, loaded, kernel.listing, samples);
      tally.rulesets++;
      tally.packets += samples.length;
      for (const [at, explanation] of model.entries()) {
        if (explanation.verdict === 'unknown') tally.unknown++;
        else if ((explanation.verdict === 'accept') !== kernel.accepted[at]) {
          const ask: Ask = (some, packets) => askKernel(harness, folder, backend, family, some, packets);
          const smaller = await shrink(ask, family, loaded, samples.slice(0, at + 1));
          tally.disagreements.push(
            [
              `seed ${seed + index}, packet ${at}, iptables-${backend}: the kernel ${kernel.accepted[at] ? 'accepts' : 'refuses'}, the model says ${explanation.verdict}`,
              ...smaller.samples.map((sample) => JSON.stringify(sample)),
              textOf(smaller.loaded),
              JSON.stringify(smaller.explanation, null, 1),
            ].join('\n'),
          );
          break;
        }
      }
    }
  } finally {
    await harness.close();
    rmSync(folder, { recursive: true });
  }
  return tally;
}

/** Why the kernel may refuse a ruleset: never, today. */
const EXPECTED_REFUSALS = /^$/;

async function expectAnswer(harness: Harness, line: string, wanted: string): Promise<void> {
  const answer = await harness.ask([line]);
  if (answer !== wanted) throw new Error(`${line}: ${answer}`);
}

/** A list refers to its sets, and nft releases the sets of deleted rules a moment later. */
const DESTROY =
  '{ for try in $(seq 100); do ipset destroy lists 2> /dev/null; ipset destroy 2> /dev/null && break; sleep 0.02; done; ipset destroy; }';

/** The tables that `generateNft` may make. */
const NATIVE_TABLES = ['ip one', 'ip6 one', 'inet two', 'inet three', 'netdev early'];

interface Answer {
  /** Of each packet. */
  readonly accepted: readonly boolean[];
  /** What `nft -j list ruleset` prints. */
  readonly listing: string;
}

/** What the kernel does; or why the rules do not load. */
async function askKernel(
  harness: Harness,
  folder: string,
  backend: Backend,
  family: Family,
  { rules, sets, nft }: Rules,
  samples: readonly Sample[],
): Promise<Answer | string> {
  writeFileSync(join(folder, 'rules'), rules);
  writeFileSync(join(folder, 'sets'), sets);
  const empty = rules
    .replace(/^-A .*\n/gm, '')
    .replace(/^:(\w+) DROP/gm, ':$1 ACCEPT')
    .replace(/^:\w -.*\n/gm, '');
  writeFileSync(join(folder, 'empty'), empty);
  writeFileSync(
    join(folder, 'flows'),
    samples.flatMap(({ flow }) => (flow ? [knownFlow(flow)] : [])).join(''),
  );
  const without = NATIVE_TABLES.map((name) => `table ${name}\ndelete table ${name}\n`).join('');
  writeFileSync(join(folder, 'native'), without + (nft ?? ''));
  const restore = `${PROGRAM[family]}-${backend}-restore`;
  const native = nft === undefined ? '' : 'nft -f native && nft -j list ruleset > listing && ';
  const loaded = await harness.ask([
    `run cd ${folder} && ${restore} < empty && ${DESTROY} && ipset restore < sets && ${restore} < rules && ${native}conntrack -F 2> /dev/null && { [ ! -s flows ] || conntrack -R flows; }`,
  ]);
  if (loaded !== 'ok') return loaded;
  const lines = samples.map(
    ({ packet, device, service, flow }, id) =>
      `${packet.hook} ${device} ${bytesOf(packet, family, service, id, packet.state === 'RELATED' ? flow : undefined).toString('hex')}`,
  );
  const answer = await harness.ask([`packets ${samples.length}`, ...lines]);
  return {
    accepted: [...answer].map((bit) => bit === '1'),
    listing: nft === undefined ? '' : readFileSync(join(folder, 'listing'), 'utf8'),
  };
}

/** A connection that has seen packets both ways, as `conntrack --load-file` reads it. */
const knownFlow = ({ src, dst, protocol, sport, dport }: Packet): string =>
  `-A -t 600 -u SEEN_REPLY,ASSURED -s ${src} -d ${dst} -p ${protocol} --sport ${sport} --dport ${dport}${protocol === 'tcp' ? ' --state ESTABLISHED' : ''}\n`;

function explainAll(
  family: Family,
  { rules, sets }: Rules,
  listing: string,
  samples: readonly Sample[],
): readonly Explanation[] {
  const nft = listing === '' ? undefined : readNftables(nativeTablesText([listing], 'nft'));
  const ruleset: Ruleset = { ...rulesetOf(family, rules, sets), nft };
  const explainers = (['INPUT', 'FORWARD'] as const).map((hook) =>
    explainer(ruleset, {
      // The harness delivers to itself whatever it does not forward.
      addresses:
        hook === 'INPUT' ? [...OWN_ADDRESSES[family], ...NAT_TARGETS[family]] : OWN_ADDRESSES[family],
    }),
  );
  return samples.map(({ packet }) => {
    const explain = explainers[packet.hook === 'INPUT' ? 0 : 1];
    if (explain === undefined) throw new Error('There are two explainers.');
    return explain(packet);
  });
}

export function rulesetOf(family: Family, rules: string, sets: string): Ruleset {
  const [tables, named] = [parseSave(rules, family, 'rules'), parseSets(sets, 'sets')];
  if (!tables.ok || !named.ok)
    throw new Error(JSON.stringify([tables.problems, named.problems], null, 1) + rules);
  return { v4: [], v6: [], sets: named.value, [family]: tables.value };
}

type Ask = (loaded: Rules, samples: readonly Sample[]) => Promise<Answer | string>;

interface Case {
  readonly loaded: Rules;
  /** The last is the one with different verdicts. */
  readonly samples: readonly Sample[];
  readonly explanation: Explanation | undefined;
}

/** Leaves out packets, then rule after rule, while the disagreement about the last packet stays. */
async function shrink(ask: Ask, family: Family, all: Rules, packets: readonly Sample[]): Promise<Case> {
  let best: Case = { loaded: all, samples: packets, explanation: undefined };
  const disagrees = async (loaded: Rules, samples: readonly Sample[]): Promise<boolean> => {
    const kernel = await ask(loaded, samples);
    if (typeof kernel === 'string') return false;
    const explanation = explainAll(family, loaded, kernel.listing, samples.slice(-1))[0];
    const { verdict } = explanation ?? { verdict: 'unknown' };
    if (verdict === 'unknown' || (verdict === 'accept') === kernel.accepted.at(-1)) return false;
    best = { loaded, samples, explanation };
    return true;
  };
  for (let size = packets.length - 1; size >= 1; size = Math.floor(size / 2))
    for (let from = 0; from + size < best.samples.length; )
      if (!(await disagrees(best.loaded, best.samples.toSpliced(from, size)))) from += size;
  for (const part of ['rules', 'nft'] as const) {
    const count = (best.loaded[part] ?? '').split('\n').length;
    for (let index = count - 1; index >= 0; index--) {
      const lines = (best.loaded[part] ?? '').split('\n');
      if (!/^(-A| {2}(?!type ))/.test(lines[index] ?? '')) continue;
      await disagrees({ ...best.loaded, [part]: lines.toSpliced(index, 1).join('\n') }, best.samples);
    }
  }
  return best;
}
