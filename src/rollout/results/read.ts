/** Plans and outcomes read back from their JSON, which another job, or anyone at all, may have written. */
import type { ZodType } from 'zod';
import { error, failure, type Result } from '../../lib/problem.js';
import type { Outcomes, Plan } from './model.js';
import { outcomesSchema, planSchema } from './schema.js';
import { faultText, REPORT_INPUT } from './validate.js';

/** A plan as `plan --format json` wrote it. @param file As messages call it. */
export const readPlan = (json: string, file: string): Result<Plan> =>
  read(json, file, 'plan', planSchema, 'Write one with `sallyport plan --format json --output plan.json`.');

/** Outcomes as `deploy --format json` wrote them. @param file As messages call it. */
export const readOutcomes = (json: string, file: string): Result<Outcomes> =>
  read(json, file, 'deploy report', outcomesSchema, 'Write one with `sallyport deploy --format json`.');

function read<T>(json: string, file: string, what: string, schema: ZodType<T>, hint: string): Result<T> {
  const bad = (why: string): Result<T> => {
    const message = `${file} is not a ${what} of this version: ${why}.`;
    return failure(error(`bad-${what.replace(' ', '-')}`, message, { hint }));
  };
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return bad('it is not JSON');
  }
  const parsed = schema.safeParse(value, REPORT_INPUT);
  return parsed.success ? { ok: true, value: parsed.data, problems: [] } : bad(faultText(parsed.error));
}
