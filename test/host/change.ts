/** Changes written by hand: an owned chain with an entry jump in INPUT, as the compiler would produce them. */
import { randomBytes } from 'node:crypto';
import type { Change, HostState } from '../../src/host/client.js';
import type { RulesText } from '../../src/netfilter/model.js';

const CHAIN = 'SALLYPORT-INPUT';
const ENTRY_JUMP = `INPUT -j ${CHAIN}`;

/** Rules without `-A CHAIN`, for both families unless `v6` is given. */
export interface Wanted {
  readonly rules: readonly string[];
  readonly v6?: readonly string[];
  /** Members of the set `SALLYPORT-office-4`, which the v4 rules may name. */
  readonly office?: readonly string[];
}

const ESSENTIAL = [
  '-i lo -j ACCEPT',
  '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-p ipv6-icmp -j ACCEPT',
];

/** Accepts new connections to sshd, and to `ports`. */
export const open = (...ports: readonly number[]): Wanted => ({
  rules: [...ESSENTIAL, ...[22, ...ports].map((port) => `-p tcp -m tcp --dport ${port} -j ACCEPT`)],
});

/** Accepts established connections only. */
export const lockedOut: Wanted = { rules: ESSENTIAL };

/** As `open` for IPv4, and as `lockedOut` for IPv6. */
export const lockedOutOfV6: Wanted = { rules: open().rules, v6: ESSENTIAL };

/** The change from a state to the wanted rules, and back. */
export function changeTo(state: HostState, wanted: Wanted, changes: Partial<Change> = {}): Change {
  const v4 = wanted.rules.filter((rule) => !rule.includes('ipv6-icmp'));
  const v6 = wanted.v6 ?? wanted.rules;
  const owned: RulesText = { v4: ownedText(v4), v6: ownedText(v6), sets: setText(wanted.office) };
  const before = state.live.sets.includes('create SALLYPORT-office-4');
  const sets = setScripts(state.live.sets, wanted.office);
  return {
    run: `run-${randomBytes(6).toString('hex')}`,
    commit: '0123456789abcdef0123456789abcdef01234567',
    owner: 'anna@laptop',
    confirmWithinSeconds: 20,
    live: state.live,
    next: owned,
    forward: { v4: forward(state.live.v4, v4), v6: forward(state.live.v6, v6), ...sets },
    backward: {
      v4: backward(state.live.v4),
      v6: backward(state.live.v6),
      sets: '',
      setsAfter: before || wanted.office === undefined ? '' : 'destroy SALLYPORT-office-4\n',
    },
    savedBefore: state.saved,
    savedAfter: owned,
    owned,
    ...changes,
  };
}

function ownedText(rules: readonly string[]): string {
  return `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:${CHAIN} - [0:0]
-A ${ENTRY_JUMP}
${rules.map((rule) => `-A ${CHAIN} ${rule}\n`).join('')}COMMIT
`;
}

const setText = (members: readonly string[] | undefined): string =>
  members === undefined
    ? ''
    : `create SALLYPORT-office-4 hash:net family inet hashsize 1024 maxelem 65536\n${members.map((member) => `add SALLYPORT-office-4 ${member}\n`).join('')}`;

function setScripts(
  live: string,
  members: readonly string[] | undefined,
): { readonly sets: string; readonly setsAfter: string } {
  if (live.includes('create SALLYPORT-office-4') || members === undefined) return { sets: '', setsAfter: '' };
  return { sets: setText(members), setsAfter: '' };
}

const forward = (live: string, rules: readonly string[]): string => `*filter
:INPUT DROP [0:0]
:${CHAIN} - [0:0]
${rules.map((rule) => `-A ${CHAIN} ${rule}\n`).join('')}${live.includes(`-A ${ENTRY_JUMP}`) ? '' : `-I ${ENTRY_JUMP.replace('INPUT', 'INPUT 1')}\n`}COMMIT
`;

function backward(live: string): string {
  const policy = /^\*filter\n:INPUT (\w+)/m.exec(live)?.[1] ?? 'ACCEPT';
  if (live.includes(`:${CHAIN} `)) {
    const rules = [...live.matchAll(new RegExp(`^-A ${CHAIN} .*$`, 'gm'))].join('\n');
    return `*filter\n:INPUT ${policy} [0:0]\n:${CHAIN} - [0:0]\n${rules}\nCOMMIT\n`;
  }
  return `*filter\n:INPUT ${policy} [0:0]\n-D ${ENTRY_JUMP}\n-F ${CHAIN}\n-X ${CHAIN}\nCOMMIT\n`;
}
