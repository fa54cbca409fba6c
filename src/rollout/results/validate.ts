/** What zod finds wrong with JSON that another job, or anyone at all, may have written, as the half of a sentence. */
import type { ZodError } from 'zod';

/** zod's option for which {@link faultText} has an issue's value: what is undefined in it is missing. */
export const REPORT_INPUT = { reportInput: true } as const;

const TYPES: { readonly [expected: string]: string } = {
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

/** The first issue with its path, without a full stop: `hosts[3].status is not one of changed, unchanged`. */
export function faultText({ issues: [issue] }: ZodError): string {
  const path = (issue?.path ?? []).map((key) =>
    typeof key === 'number' ? `[${key}]` : `.${String(key).slice(0, 100)}`,
  );
  const at = path.join('').replace(/^\./, '') || 'it';
  if (issue === undefined || issue.input === undefined) return `${at} is missing`;
  if (issue.code === 'invalid_value')
    return `${at} is not ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`;
  const type = issue.code === 'invalid_type' ? TYPES[issue.expected] : undefined;
  return `${at} is not ${type ?? 'valid'}`;
}
