/** Whether a value out of a file has the shape that is claimed for it. What it has besides is nobody's concern here. */

/** What is wrong and where, such as `hosts[3].status is not one of changed, unchanged`; nothing when all is well. */
export type Check = (value: unknown, at: string) => string | undefined;

const kind =
  (type: 'string' | 'number' | 'boolean', words: string): Check =>
  (value, at) =>
    typeof value === type ? undefined : `${at} is no ${words}`;

export const text = kind('string', 'text');
export const number = kind('number', 'number');
export const flag = kind('boolean', 'true or false');

export const oneOf =
  (...words: readonly (string | number)[]): Check =>
  (value, at) =>
    words.some((word) => word === value) ? undefined : `${at} is not one of ${words.join(', ')}`;

export const orNull =
  (check: Check): Check =>
  (value, at) =>
    value === null ? undefined : check(value, at);

/** JSON has no `undefined`: what is absent may be absent. */
export const maybe =
  (check: Check): Check =>
  (value, at) =>
    value === undefined ? undefined : check(value, at);

export const listOf =
  (check: Check): Check =>
  (value, at) =>
    Array.isArray(value)
      ? firstOf(value, (item, index) => check(item, `${at}[${index}]`))
      : `${at} is no list`;

export const mapOf =
  (check: Check): Check =>
  (value, at) =>
    isObject(value)
      ? firstOf(Object.entries(value), ([key, item]) => check(item, `${at}.${key.slice(0, 100)}`))
      : `${at} is no object`;

export const shape =
  (fields: { readonly [name: string]: Check }): Check =>
  (value, at) =>
    isObject(value)
      ? firstOf(Object.entries(fields), ([name, check]) =>
          check(Object.hasOwn(value, name) ? value[name] : undefined, at === '' ? name : `${at}.${name}`),
        )
      : `${at === '' ? 'it' : at} is no object`;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function firstOf<T>(
  items: readonly T[],
  look: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = look(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}
