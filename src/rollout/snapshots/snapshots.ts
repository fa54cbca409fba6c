/**
 * Recorded states in a folder: `<host>.v4`, `<host>.v6`, `<host>.sets`, as the tools on the host print them,
 * `<host>.nft.json`, the native nft tables, and `<host>.activity`, what it was doing then.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity, HostClient, HostState, Reading } from '../../host/client.js';
import { error } from '../../lib/problem.js';
import type { RulesText } from '../../netfilter/model.js';
import { stripVolatile } from '../../netfilter/text/normalise.js';
import { activityText, readActivityText } from './activity.js';

const KINDS = ['v4', 'v6', 'sets', 'nft'] as const;
/** What follows the name of the host. */
const ENDINGS = { v4: 'v4', v6: 'v6', sets: 'sets', nft: 'nft.json', activity: 'activity' } as const;

/** Reads hosts from a folder instead of over SSH. A host without a file is unreachable. */
export function snapshotClient(directory: string): Pick<HostClient, 'read' | 'close'> {
  return {
    read: async ({ name }): Promise<Reading> => {
      const [v4, v6, sets, nft, activity] = await Promise.all(
        ([...KINDS, 'activity'] as const).map((kind) =>
          readIfExists(join(directory, `${name}.${ENDINGS[kind]}`)),
        ),
      );
      if (v4 === undefined && v6 === undefined)
        return {
          status: 'unreachable',
          problem: error('no-recorded-state', `No recorded state of ${name} in ${directory}.`, {
            hint: 'Record one with `sallyport plan --save`.',
          }),
        };
      const live = { v4: v4 ?? '', v6: v6 ?? '', sets: sets ?? '', nft };
      const state = recordedState(name, live);
      return { status: 'read', state: { ...state, activity: readActivityText(activity ?? '') } };
    },
    close: async () => {},
  };
}

/** Writes what a host runs into a folder; without counters and dates, so that equal rules are equal files. */
export async function saveSnapshot(
  directory: string,
  host: string,
  live: RulesText,
  activity?: Activity,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const texts = { v4: stripVolatile(live.v4), v6: stripVolatile(live.v6), sets: live.sets, nft: live.nft };
  const write = (kind: keyof typeof ENDINGS, text: string): Promise<void> =>
    writeFile(join(directory, `${host}.${ENDINGS[kind]}`), text);
  await Promise.all([
    ...KINDS.flatMap((kind) => {
      const text = texts[kind];
      return text === undefined ? [] : [write(kind, text)];
    }),
    ...(activity === undefined ? [] : [write('activity', activityText(activity))]),
  ]);
}

/** The same client, which also saves a snapshot of every host that it reads. */
export function recording<P extends Pick<HostClient, 'read'>>(client: P, directory: string): P {
  return {
    ...client,
    read: async (host, options) => {
      const reading = await client.read(host, options);
      if (reading.status === 'read') {
        const { live, activity } = reading.state;
        await saveSnapshot(directory, host.name, live, activity);
      }
      return reading;
    },
  };
}

async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

const UNKNOWN: RulesText = { v4: '', v6: '', sets: '' };

function recordedState(hostname: string, live: RulesText): HostState {
  return {
    live,
    saved: {},
    boot: { loader: 'none', enabled: false, paths: UNKNOWN },
    backend: 'nft',
    versions: { iptables: '', kernel: '' },
    facts: { hostname, machineId: '', addresses: [], interfaces: [], systemd: false, ipv6: true },
    record: { history: [] },
    recorded: true,
  };
}
