/** One host of a lab, as tests and the demo control it: directly with nsenter, not over SSH. */
import { dirname } from 'node:path';
import { shellQuote } from '../lib/text.js';
import { type HostType, type LabNamespaces, nsenterArguments, type Running } from './boot.js';
import { type Faults, faultsOf } from './faults.js';
import { type Addresses, type HostSetup, type Rules, SAVED, type User } from './host-root.js';
import { labError, type ProcessResult, run, until } from './shell.js';

export interface Host extends Faults {
  readonly name: string;
  readonly addresses: Addresses;
  /** The port of its sshd. */
  readonly port: number;
  readonly user: User;
  /** One `type base64` for each host key, as in known_hosts. */
  readonly hostKeys: readonly string[];
  /**
   * Runs a script with `sh -eu` as root inside the host, until its output is closed: background processes must close
   * theirs (`daemon >/dev/null 2>&1 &`).
   */
  exec(script: string, input?: string): Promise<ProcessResult>;
  /** As `exec`, but returns the output; a ProblemError if the script fails. */
  must(script: string, input?: string): Promise<string>;
  /** The rules in the kernel, without comments and with zero counters, so that equal rules have equal texts. */
  liveRules(): Promise<Required<Rules>>;
  /** The rules that load at boot, in the same form; `undefined` for a missing file. */
  savedRules(): Promise<Rules>;
  /** The text of a file; `undefined` if missing. */
  readFile(path: string): Promise<string | undefined>;
  /** Writes a file; creates its directories. */
  writeFile(path: string, text: string): Promise<void>;
  isUp(): boolean;
  /** Discards everything in memory: processes, kernel rules, mounts. The disk stays. */
  powerCut(): Promise<void>;
  /** Boots with the same disk, and loads the saved rules: by systemd, or by the init script of a light host. */
  boot(): Promise<void>;
}

/** A host, not booted yet. */
export function hostOf(namespaces: LabNamespaces, setup: HostSetup, type: HostType): Host {
  let running: Running | undefined;

  const isUp = (): boolean => running !== undefined;
  const pid = (): number => {
    if (running !== undefined) return running.pid;
    throw labError('lab-host-is-off', `${setup.name} is powered off.`, 'Boot it first.');
  };
  const exec = async (script: string, input?: string): Promise<ProcessResult> =>
    run('nsenter', [...nsenterArguments(pid(), 'mnpui'), '/bin/sh', '-euc', script], {
      env: HOST_ENV,
      input,
    });
  const must = async (script: string, input?: string): Promise<string> => {
    const ran = await exec(script, input);
    if (ran.code === 0) return ran.stdout;
    throw labError(
      'lab-command-failed',
      `On ${setup.name}, "${script.trim()}" exited with status ${ran.code}: ${ran.stderr.trim()}`,
    );
  };
  const readFile = async (path: string): Promise<string | undefined> => {
    const ran = await exec(`[ -e ${shellQuote(path)} ] || exit 4; cat ${shellQuote(path)}`);
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
      const output = await must(
        `iptables-save; echo ${CUT}; ip6tables-save; echo ${CUT}; ! command -v ipset >/dev/null || ipset save`,
      );
      const [v4 = '', v6 = '', sets = ''] = output.split(`${CUT}\n`);
      return { v4: bare(v4), v6: bare(v6), sets };
    },
    savedRules: async () => {
      const [v4, v6, sets] = await Promise.all([SAVED.v4, SAVED.v6, SAVED.sets].map(readFile));
      return { v4: v4 && bare(v4), v6: v6 && bare(v6), sets };
    },
    writeFile: async (path, text) =>
      void (await must(`mkdir -p ${shellQuote(dirname(path))}; cat >${shellQuote(path)}`, text)),
    isUp,
    powerCut: async () => {
      if (running === undefined) return;
      const { pid: first, ended } = running;
      running = undefined;
      process.kill(first, 'SIGKILL');
      await ended;
      await deleteLink(namespaces, setup);
    },
    boot: async () => {
      if (running !== undefined) return;
      const up = await type.boot(namespaces, setup);
      running = up;
      // A host may also shut down by itself; its process number may then be reused.
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

/** Deletes the bridge port and waits: the kernel removes a namespace's devices later, and the next boot needs the name. */
async function deleteLink({ pid }: LabNamespaces, { link }: HostSetup): Promise<void> {
  const ip = (...words: string[]): Promise<ProcessResult> =>
    run('nsenter', [...nsenterArguments(pid, 'n'), 'ip', 'link', ...words]);
  await ip('delete', link.port);
  await until(`${link.port} is deleted`, async () =>
    (await ip('show', link.port)).code === 0 ? undefined : true,
  );
}
