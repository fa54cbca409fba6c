/**
 * Says what this machine lacks, and installs it: `--for demo|lab|tests` (default tests). With `--yes`, or in CI, the
 * packages are installed without asking; otherwise the command to type is printed. Exit status 0: nothing is missing.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

const source = join(dirname(fileURLToPath(import.meta.url)), '../src/lab/machine.ts');
const { code } = transformSync(readFileSync(source, 'utf8'), { loader: 'ts' });
/** The list of packages has one home; this script must run before anything is built. */
const { missingFor, installCommand, installPackages } = await import(
  `data:text/javascript,${encodeURIComponent(code)}`
);

const purpose = process.argv.includes('--for') ? process.argv[process.argv.indexOf('--for') + 1] : 'tests';
if (!['demo', 'lab', 'tests'].includes(purpose)) {
  console.error(`"--for ${purpose}" is not known; use demo, lab or tests.`);
  process.exit(1);
}

const { packages, reasons } = missingFor(purpose);
for (const reason of reasons) console.error(reason);
if (packages.length > 0 && reasons.length === 0) {
  if (process.argv.includes('--yes') || process.env.CI === 'true') {
    console.error(`Installing ${packages.join(', ')}.`);
    if (!installPackages(packages)) process.exit(1);
  } else {
    console.error(`This machine lacks ${packages.join(', ')}. Install with: ${installCommand(packages)}`);
    process.exit(1);
  }
}
if (reasons.length > 0) process.exit(1);
