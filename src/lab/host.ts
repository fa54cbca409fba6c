/** One real host, as tests and the demo hold it: through the machine's kernel, never through SSH. */

import { dirname } from 'node:path';
import { error, ProblemError } from '../lib/problem.js';
import { type HostType, type LabNamespaces, nsenterArguments, type Running } from './boot.js';
import { type Faults, faultsOf } from './faults.js';
import { type Addresses, type HostSetup, type Rules, SAVED, type User } from './host-root.js';
import { type ProcessResult, quote, run, until } from './shell.js';

export interface Host extends Faults {
  readonly name: string;
  readonly addresses: Addresses;
  /** Where its sshd listens. */
  readonly port: number;
  readonly user: User;
  /** `type base64`, one for each host key, as `known_hosts` holds them after the address. */
  readonly hostKeys: readonly string[];
  /**
   * Runs a script with `sh -eu` as root inside the host. It ends when the script's output does: what shall stay
   * behind in the background must close its own (`daemon >/dev/null 2>&1 &`).
   */
  exec(script: string, input?: string): Promise<ProcessResult>;
  /** As `exec`, for what must succeed: its output, or a ProblemError. */
  must(script: string, input?: string): Promise<string>;
  /** What the kernel runs, comments dropped and counters zeroed: equal text means equal rules. */
  liveRules(): Promise<Required<Rules>>;
  /** What loads at boot, in the same form; a missing file is left out. */
  savedRules(): Promise<Rules>;
  /** The text of a file, or undefined where there is none. */
  readFile(path: string): Promise<string | undefined>;
  /** Writes a file with the directories above it. */
  writeFile(path: string, text: string): Promise<void>;
  isUp(): boolean;
  /** Everything that was memory is gone at once: processes, kernel rules, mounts. The disk stays. */
  powerCut(): Promise<void>;
  /** The same disk, from the beginning. Saved rules load: by systemd on a whole host, by its only script on a light one. */
  boot(): Promise<void>;
}

/** The host of a seat, not booted yet. */
export function hostOf(namespaces: LabNamespaces, setup: HostSetup, type: HostType): Host {
  let running: Running | undefined;

  const isUp = (): boolean => running !== undefined;
  const pid = (): number => {
    if (running !== undefined) return running.pid;
    throw new ProblemError([
      error('lab-host-is-off', `${setup.name} has no power.`, undefined, 'Boot it first.'),
    ]);
  };
  const exec = async (script: string, input?: string): Promise<ProcessResult> =>
    run('nsenter', [...nsenterArguments(pid(), 'mnpui'), '/bin/sh', '-euc', script], {
      env: HOST_ENV,
      ...(input === undefined ? {} : { input }),
    });
  const must = async (script: string, input?: string): Promise<string> => {
    const ran = await exec(script, input);
    if (ran.code === 0) return ran.stdout;
    throw new ProblemError([
      error(
        'lab-command-failed',
        `On ${setup.name}, "${script.trim()}" ended with status ${ran.code}: ${ran.stderr.trim()}`,
      ),
    ]);
  };
  const readFile = async (path: string): Promise<string | undefined> => {
    const ran = await exec(`[ -e ${quote(path)} ] || exit 4; cat ${quote(path)}`);
    return ran.code === 4 ? undefined : ran.stdout;
  };

  return {
    ...faultsOf({ namespaces, setup, inHost: must, pid, isUp }),
    name: setup.name,
    addresses: setup.addresses,
    port: setup.port,
    user: setup.user,
    hostKeys: setup.hostKeys,
    exec,
    must,
    readFile,
    liveRules: async () => {
      const said = await must(
        `iptables-save; echo ${CUT}; ip6tables-save; echo ${CUT}; ! command -v ipset >/dev/null || ipset save`,
      );
      const [v4 = '', v6 = '', sets = ''] = said.split(`${CUT}\n`);
      return { v4: bare(v4), v6: bare(v6), sets };
    },
    savedRules: async () => {
      const [v4, v6, sets] = await Promise.all([SAVED.v4, SAVED.v6, SAVED.sets].map(readFile));
      return {
        ...(v4 === undefined ? {} : { v4: bare(v4) }),
        ...(v6 === undefined ? {} : { v6: bare(v6) }),
        ...(sets === undefined ? {} : { sets }),
      };
    },
    writeFile: async (path, text) =>
      void (await must(`mkdir -p ${quote(dirname(path))}; cat >${quote(path)}`, text)),
    isUp,
    powerCut: async () => {
      if (running === undefined) return;
      const { pid: first, ended } = running;
      running = undefined;
      process.kill(first, 'SIGKILL');
      await ended;
      await unplugged(namespaces, setup);
    },
    boot: async () => {
      if (running !== undefined) return;
      const up = await type.boot(namespaces, setup);
      running = up;
      // A host may also end by itself; its process id may then belong to anyone.
      void up.ended.then(() => {
        if (running === up) running = undefined;
      });
    },
  };
}

const HOST_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' };
const CUT = '@@@';

const bare = (text: string): string =>
  text
    .replace(/^#.*\n/gm, '')
    .replace(/^(:\S+ \S+) \[\d+:\d+\]/gm, '$1 [0:0]')
    .replace(/^\[\d+:\d+\] /gm, '');

/** The kernel takes a namespace's devices away in its own time; the next boot needs the name. */
async function unplugged({ pid }: LabNamespaces, { link }: HostSetup): Promise<void> {
  const ip = (...words: string[]): Promise<ProcessResult> =>
    run('nsenter', [...nsenterArguments(pid, 'n'), 'ip', 'link', ...words]);
  await ip('delete', link.port);
  await until(`${link.port} is unplugged`, async () =>
    (await ip('show', link.port)).code === 0 ? undefined : true,
  );
}
