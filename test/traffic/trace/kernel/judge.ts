/** Tests the model against the kernel, ruleset by ruleset, and reduces a disagreement to a small example. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Family } from '../../../../src/lib/family.js';
import type { Ruleset } from '../../../../src/netfilter/model.js';
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
}

interface Harness {
  readonly ask: (lines: readonly string[]) => Promise<string>;
  readonly close: () => Promise<void>;
}

function startHarness(folder: string): Harness {
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
      const [rules, sets] = [generateRules(random, family), generateSets(random, family)];
      const samples = generatePackets(random, family, packetsEach);
      const kernel = await askKernel(harness, folder, backend, family, rules, sets, samples);
      if (typeof kernel === 'string') {
        tally.refused++;
        if (!EXPECTED_REFUSALS.test(kernel))
          tally.disagreements.push(`seed ${seed + index}: refused: ${kernel}\n${rules}`);
        continue;
      }
      const model = explainAll(family, rules, sets, samples);
      tally.rulesets++;
      tally.packets += samples.length;
      for (const [at, explanation] of model.entries()) {
        if (explanation.verdict === 'unknown') tally.unknown++;
        else if ((explanation.verdict === 'accept') !== kernel[at]) {
          const ask = (text: string, some: readonly Sample[]) =>
            askKernel(harness, folder, backend, family, text, sets, some);
          const smaller = await shrink(ask, family, rules, sets, samples.slice(0, at + 1));
          tally.disagreements.push(
            [
              `seed ${seed + index}, packet ${at}, iptables-${backend}: the kernel ${kernel[at] ? 'accepts' : 'refuses'}, the model says ${explanation.verdict}`,
              ...smaller.samples.map((sample) => JSON.stringify(sample)),
              sets + smaller.rules,
              JSON.stringify(explainAll(family, smaller.rules, sets, smaller.samples).at(-1), null, 1),
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

/** Whether each packet was accepted; or why the rules do not load. */
async function askKernel(
  harness: Harness,
  folder: string,
  backend: Backend,
  family: Family,
  rules: string,
  sets: string,
  samples: readonly Sample[],
): Promise<readonly boolean[] | string> {
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
  const restore = `${PROGRAM[family]}-${backend}-restore`;
  const loaded = await harness.ask([
    `run cd ${folder} && ${restore} < empty && ${DESTROY} && ipset restore < sets && ${restore} < rules && conntrack -F 2> /dev/null && { [ ! -s flows ] || conntrack -R flows; }`,
  ]);
  if (loaded !== 'ok') return loaded;
  const lines = samples.map(
    ({ packet, device, service, flow }, id) =>
      `${packet.hook} ${device} ${bytesOf(packet, family, service, id, packet.state === 'RELATED' ? flow : undefined).toString('hex')}`,
  );
  const answer = await harness.ask([`packets ${samples.length}`, ...lines]);
  return [...answer].map((bit) => bit === '1');
}

/** A connection that has seen packets both ways, as `conntrack --load-file` reads it. */
const knownFlow = ({ src, dst, protocol, sport, dport }: Packet): string =>
  `-A -t 600 -u SEEN_REPLY,ASSURED -s ${src} -d ${dst} -p ${protocol} --sport ${sport} --dport ${dport}${protocol === 'tcp' ? ' --state ESTABLISHED' : ''}\n`;

function explainAll(
  family: Family,
  rules: string,
  sets: string,
  samples: readonly Sample[],
): readonly Explanation[] {
  const explainers = (['INPUT', 'FORWARD'] as const).map((hook) =>
    explainer(rulesetOf(family, rules, sets), {
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

interface Case {
  readonly rules: string;
  /** The last is the one with different verdicts. */
  readonly samples: readonly Sample[];
}

/** Leaves out packets, then rule after rule, while the disagreement about the last packet stays. */
async function shrink(
  ask: (rules: string, samples: readonly Sample[]) => Promise<readonly boolean[] | string>,
  family: Family,
  rules: string,
  sets: string,
  all: readonly Sample[],
): Promise<Case> {
  const disagree = async (text: string, samples: readonly Sample[]): Promise<boolean> => {
    const kernel = await ask(text, samples);
    const verdict = explainAll(family, text, sets, samples.slice(-1))[0]?.verdict;
    return typeof kernel !== 'string' && verdict !== 'unknown' && (verdict === 'accept') !== kernel.at(-1);
  };
  let samples = all;
  for (let size = samples.length - 1; size >= 1; size = Math.floor(size / 2))
    for (let from = 0; from + size < samples.length; ) {
      const fewer = samples.toSpliced(from, size);
      if (await disagree(rules, fewer)) samples = fewer;
      else from += size;
    }
  let lines = rules.split('\n');
  for (let index = lines.length - 1; index >= 0; index--) {
    if (!lines[index]?.startsWith('-A')) continue;
    const fewer = lines.toSpliced(index, 1);
    if (await disagree(fewer.join('\n'), samples)) lines = fewer;
  }
  return { rules: lines.join('\n'), samples };
}
