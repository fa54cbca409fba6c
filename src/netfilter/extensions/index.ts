/** The whole table of extensions, by kind, family and name. */
import type { Family } from '../../lib/family.js';
import { ADDRESS_INTERFACE } from './matches/address-interface.js';
import { CONNTRACK } from './matches/conntrack.js';
import { COUNTERS } from './matches/counters.js';
import { HASHLIMIT } from './matches/hashlimit.js';
import { ICMP_MATCHES } from './matches/icmp.js';
import { IPSEC } from './matches/ipsec.js';
import { IPV6 } from './matches/ipv6.js';
import { LIMIT_RECENT } from './matches/limit-recent.js';
import { PACKET } from './matches/packet.js';
import { PAYLOAD } from './matches/payload.js';
import { RATEEST } from './matches/rateest.js';
import { SOCKET } from './matches/socket.js';
import { TIME } from './matches/time.js';
import { TRANSPORT } from './matches/transport.js';
import { type ExtensionRow, findOption } from './row.js';
import { ACTIVITY } from './targets/activity.js';
import { MANGLE } from './targets/mangle.js';
import { MARK } from './targets/mark.js';
import { NAT } from './targets/nat.js';
import { PROXY } from './targets/proxy.js';
import { VERDICTS } from './targets/verdicts.js';

export const EXTENSIONS: readonly ExtensionRow[] = [
  ...TRANSPORT,
  ...ICMP_MATCHES,
  ...CONNTRACK,
  ...LIMIT_RECENT,
  HASHLIMIT,
  ...COUNTERS,
  RATEEST,
  ...PACKET,
  ...IPV6,
  ...IPSEC,
  ...SOCKET,
  ...PAYLOAD,
  ...TIME,
  ...ADDRESS_INTERFACE,
  ...VERDICTS,
  ...NAT,
  ...MARK,
  ...MANGLE,
  ...PROXY,
  ...ACTIVITY,
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

/** The row of `-m name` or `-j name`; `undefined` when the table does not have it. */
export const findExtension = (
  kind: ExtensionRow['kind'],
  family: Family,
  name: string,
): ExtensionRow | undefined => TABLE[kind][family].get(name);
