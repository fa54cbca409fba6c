/** The subset of JSON Schema 2020-12 that the policy schemas use; any other keyword throws. */

type Schema = Readonly<Record<string, unknown>>;

const IGNORED = new Set(['$schema', '$defs', 'title', 'description', 'additionalProperties']);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
};

export function accepts(schema: Schema, value: unknown, root: Schema = schema): boolean {
  const inner = (given: unknown, part: unknown): boolean => accepts(given as Schema, part, root);
  const all = (given: unknown): readonly unknown[] => given as readonly unknown[];
  const entries = isObject(value) ? Object.entries(value) : [];
  const keywords: Readonly<Record<string, (given: unknown) => boolean>> = {
    $ref: (given) => inner((root.$defs as Schema)[String(given).replace('#/$defs/', '')], value),
    type: (given) => TYPES[String(given)]?.(value) === true,
    const: (given) => value === given,
    enum: (given) => all(given).includes(value),
    pattern: (given) => typeof value !== 'string' || new RegExp(String(given), 'u').test(value),
    minimum: (given) => typeof value !== 'number' || value >= Number(given),
    maximum: (given) => typeof value !== 'number' || value <= Number(given),
    minItems: (given) => !Array.isArray(value) || value.length >= Number(given),
    items: (given) => !Array.isArray(value) || value.every((item) => inner(given, item)),
    required: (given) => !isObject(value) || all(given).every((key) => Object.hasOwn(value, String(key))),
    anyOf: (given) => all(given).some((option) => inner(option, value)),
    oneOf: (given) => all(given).filter((option) => inner(option, value)).length === 1,
    propertyNames: (given) => entries.every(([key]) => inner(given, key)),
    properties: (given) =>
      entries.every(
        ([key, part]) => !Object.hasOwn(given as object, key) || inner((given as Schema)[key], part),
      ),
  };
  const own = Object.keys((schema.properties ?? {}) as object);
  const more = schema.additionalProperties;
  return (
    Object.entries(schema).every(([keyword, given]) => {
      const check = keywords[keyword];
      if (check === undefined && !IGNORED.has(keyword)) throw new Error(`Unsupported keyword "${keyword}".`);
      return check?.(given) ?? true;
    }) &&
    entries.every(
      ([key, part]) => own.includes(key) || more === undefined || (more !== false && inner(more, part)),
    )
  );
}
