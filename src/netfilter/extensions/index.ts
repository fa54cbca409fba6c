/** The whole table of extensions, by kind, family and name. */
import type { Family } from '../../lib/family.js';
import { CONNECTION } from './matches/connection.js';
import { CONTENT } from './matches/content.js';
import { COUNTING } from './matches/counting.js';
import { HEADER } from './matches/header.js';
import { ICMP_MATCHES } from './matches/icmp.js';
import { IPSEC } from './matches/ipsec.js';
import { IPV6 } from './matches/ipv6.js';
import { LOCAL } from './matches/local.js';
import { PACKET } from './matches/packet.js';
import { RATE } from './matches/rate.js';
import { RATEEST } from './matches/rateest.js';
import { TIME } from './matches/time.js';
import { TRANSPORT } from './matches/transport.js';
import { type ExtensionRow, findOption } from './row.js';
import { ALTERING } from './targets/altering.js';
import { MARKING } from './targets/marking.js';
import { NAT } from './targets/nat.js';
import { STEERING } from './targets/steering.js';
import { VERDICTS } from './targets/verdicts.js';

export const EXTENSIONS: readonly ExtensionRow[] = [
  ...TRANSPORT,
  ...ICMP_MATCHES,
  ...CONNECTION,
  ...RATE,
  ...COUNTING,
  RATEEST,
  ...HEADER,
  ...IPV6,
  ...IPSEC,
  ...LOCAL,
  ...CONTENT,
  ...TIME,
  ...PACKET,
  ...VERDICTS,
  ...NAT,
  ...MARKING,
  ...ALTERING,
  ...STEERING,
];

const index = (kind: ExtensionRow['kind'], family: Family): ReadonlyMap<string, ExtensionRow> =>
  new Map(
    EXTENSIONS.filter((row) => row.kind === kind && (row.family ?? family) === family).flatMap((row) =>
      [row.name, ...(row.aliases ?? [])].map((name) => [name, row] as const),
    ),
  );

const TABLE = {
  match: { v4: index('match', 'v4'), v6: index('match', 'v6') },
  target: { v4: index('target', 'v4'), v6: index('target', 'v6') },
} as const;

/** The extensions that have an option of exactly this name. */
export const extensionsWith = (family: Family, flag: string): readonly string[] =>
  EXTENSIONS.filter((row) => (row.family ?? family) === family && findOption(row, flag) !== undefined).map(
    ({ name }) => name,
  );

/** The row of `-m name` or `-j name`; `undefined` when the table does not know it. */
export const findExtension = (
  kind: ExtensionRow['kind'],
  family: Family,
  name: string,
): ExtensionRow | undefined => TABLE[kind][family].get(name);
