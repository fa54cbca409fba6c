/**
 * Tests the traffic model against the kernel at length: `node scripts/kernel-judge.mjs [--packets 10000000] [--seed 1]`.
 * Needs root, perl-base, iptables, nftables, ipset, iproute2 and conntrack. Half of the rulesets have native nft tables. Prints a line for every batch and, for every
 * disagreement, the smallest rules and packets that reproduce it. Exit status: 0 when there is none.
 */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '10000000' },
    each: { type: 'string', default: '2500' },
    seed: { type: 'string', default: '1' },
  },
});
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'test/traffic/trace/kernel');
const outfile = join(root, 'node_modules/.cache/sallyport/kernel-judge.mjs');
await build({
  entryPoints: [join(folder, 'judge.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'error',
});
const { judge } = await import(outfile);

const wanted = Number(values.packets);
const packetsEach = Number(values.each);
const kinds = ['nft', 'legacy'].flatMap((backend) =>
  ['v4', 'v6'].flatMap((family) => [false, true].map((native) => ({ backend, family, native }))),
);
const started = Date.now();
const sum = { rulesets: 0, packets: 0, unknown: 0, disagreements: 0 };
/** Rulesets in one namespace; each kind tests the same ones. */
const BATCH = 25;

for (let seed = Number(values.seed); sum.packets < wanted; seed += BATCH) {
  const tallies = await Promise.all(
    kinds.map((kind) => judge({ ...kind, seed, rulesets: BATCH, packetsEach, folder })),
  );
  for (const tally of tallies) {
    sum.rulesets += tally.rulesets;
    sum.packets += tally.packets;
    sum.unknown += tally.unknown;
    sum.disagreements += tally.disagreements.length;
    for (const text of tally.disagreements) console.log(`${text}\n`);
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(
    `${seconds} s: ${sum.rulesets} rulesets, ${sum.packets} packets, ${sum.unknown} unknown, ${sum.disagreements} disagreements`,
  );
}
rmSync(outfile);
process.exit(sum.disagreements === 0 ? 0 : 1);
