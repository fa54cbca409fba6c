/** Machine-readable reports: the same bytes for the same values. */

/** These come first, in this order, as the documents describe them; all others follow by name. */
const FIRST = ['version', 'commit', 'digest', 'host', 'status', 'outcome', 'hosts'];

const rank = (key: string): number => {
  const index = FIRST.indexOf(key);
  return index === -1 ? FIRST.length : index;
};

/** Indented JSON with a stable order of keys and a line break at its end. */
export const jsonText = (value: object): string => `${JSON.stringify(value, stable, 2)}\n`;

function stable(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0)),
  );
}
