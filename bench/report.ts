/** The results of a benchmark as lines of a table. */
export interface Row {
  readonly name: string;
  readonly seconds: number;
  /** Seconds of all processors together, where they were counted. */
  readonly processor?: number;
  /** Peak of the process; absent where several processes work together. */
  readonly megabytes?: number;
  readonly limit?: { readonly seconds?: number; readonly megabytes?: number };
  /** Against other rows of the same run. */
  readonly ratios?: readonly { readonly to: string; readonly value: number; readonly limit?: number }[];
}

export const isWithinLimits = ({ seconds, megabytes = 0, limit = {}, ratios = [] }: Row): boolean =>
  seconds <= (limit.seconds ?? Number.POSITIVE_INFINITY) &&
  megabytes <= (limit.megabytes ?? Number.POSITIVE_INFINITY) &&
  ratios.every(({ value, limit: most = Number.POSITIVE_INFINITY }) => value <= most);

export function line(row: Row): string {
  const { name, seconds, processor, megabytes, limit, ratios = [] } = row;
  const parts = [
    name.padEnd(50),
    `${seconds.toFixed(2)} s`.padStart(9),
    processor === undefined ? '' : `  (${processor.toFixed(2)} s of processor)`,
    (megabytes === undefined ? '' : `${megabytes.toFixed(0)} MB`).padStart(8),
    ...ratios.map(
      ({ to, value, limit: most }) =>
        `  ${value.toFixed(2)} × ${to}${most === undefined ? '' : ` (at most ${most})`}`,
    ),
    limit?.seconds === undefined ? '' : `  at most ${limit.seconds} s`,
    limit?.megabytes === undefined ? '' : `, ${limit.megabytes} MB`,
    isWithinLimits(row) ? '' : '  MISSED',
  ];
  return parts.join('').trimEnd();
}
