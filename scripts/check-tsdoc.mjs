/** Fails on an exported function of `src/` without a TSDoc comment. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'));

/** A function, or a constant that holds one: `export const f = (x): y =>`, `export const f = memoize(…)` is none. */
const EXPORTED =
  /(\*\/\n)?^export (?:async )?(?:function\*? (\w+)|const (\w+)(?:: [^=\n]+(?:=>[^=\n]+)?)? =\s+(?:async )?(?:<[^=]*?>)?\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)(?:: [^=]*?(?:\([^)]*\) =>[^=]*?)?)? =>)/gm;

const found = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /(?<!\.d)\.ts$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .toSorted()
  .flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return [...text.matchAll(EXPORTED)]
      .filter(([, comment]) => comment === undefined)
      .map(({ index, 2: declared, 3: constant }) => {
        const line = text.slice(0, index).split('\n').length;
        return `${relative(root, file)}:${line}:1: ${declared ?? constant}() is exported and has no TSDoc comment.`;
      });
  });

for (const line of found) console.error(line);
if (found.length > 0) process.exit(1);
console.log('tsdoc: every exported function has a comment');
