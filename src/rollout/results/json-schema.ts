/** JSON Schemas of the results and of a packet, for programs that read or write them; made from the schemas that check them. */
import * as z from 'zod';
import { packetSchema } from '../../traffic/trace/read-packet.js';
import { driftSchema, outcomesSchema, planSchema } from './schema.js';

const FILES: { readonly [name: string]: { readonly schema: z.ZodType; readonly title: string } } = {
  'plan.schema.json': { schema: planSchema, title: 'plan.json: what `plan --format json` writes' },
  'deploy.schema.json': { schema: outcomesSchema, title: 'deploy.json: what `deploy --format json` writes' },
  'drift.schema.json': { schema: driftSchema, title: 'drift.json: what `drift --format json` writes' },
  'packet.schema.json': { schema: packetSchema, title: 'A packet, as `explain --packet` takes it' },
};

/** File name in `schema/` → schema, draft 2020-12. Unknown keys of results are allowed: later versions may have more. */
export const resultSchemas = (): Readonly<Record<string, object>> =>
  Object.fromEntries(
    Object.entries(FILES).map(([name, { schema, title }]) => [
      name,
      { title, ...z.toJSONSchema(schema, { io: 'input' }) },
    ]),
  );
