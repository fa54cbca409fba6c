/** Writes the JSON Schemas of the policy files and of the results to `schema/`, from the schemas that check them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'schema');
const work = mkdtempSync(join(tmpdir(), 'sallyport-schema-'));

try {
  const outfile = join(work, 'schemas.mjs');
  await build({
    absWorkingDir: root,
    stdin: {
      contents: `export * from './src/policy/files/json-schema.js';
        export * from './src/rollout/results/json-schema.js';`,
      resolveDir: root,
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile,
    logLevel: 'warning',
  });
  const { jsonSchemas, resultSchemas, schemaText } = await import(pathToFileURL(outfile).href);
  mkdirSync(folder, { recursive: true });
  for (const [name, schema] of Object.entries({ ...jsonSchemas(), ...resultSchemas() })) {
    writeFileSync(join(folder, name), schemaText(schema));
    console.log(`schema/${name}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
