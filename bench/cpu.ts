/** Processor time of this process and its children, hosts included, measured with a control group. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Meter {
  /** Seconds of all processors, since the meter was opened. */
  readonly seconds: () => number;
  readonly close: () => void;
}

/** The hierarchies that count: cgroup v2 in its one file of several lines, v1 in nanoseconds. */
const HIERARCHIES = [
  {
    root: '/sys/fs/cgroup',
    sign: 'cgroup.controllers',
    file: 'cpu.stat',
    seconds: (text: string): number => Number(/^usage_usec (\d+)$/m.exec(text)?.[1] ?? 0) / 1e6,
  },
  {
    root: '/sys/fs/cgroup/cpuacct',
    sign: 'cpuacct.usage',
    file: 'cpuacct.usage',
    seconds: (text: string): number => Number(text) / 1e9,
  },
] as const;

/** Opens a meter; `undefined` where this machine allows no control group. */
export function openMeter(): Meter | undefined {
  const hierarchy = HIERARCHIES.find(({ root, sign }) => existsSync(join(root, sign)));
  if (hierarchy === undefined) return undefined;
  const { root, file, seconds } = hierarchy;
  const group = join(root, `sallyport-bench-${process.pid}`);
  try {
    mkdirSync(group);
    writeFileSync(join(group, 'cgroup.procs'), String(process.pid));
  } catch {
    return undefined;
  }
  return {
    seconds: () => seconds(readFileSync(join(group, file), 'utf8')),
    close: () => {
      writeFileSync(join(root, 'cgroup.procs'), String(process.pid));
      try {
        rmdirSync(group);
      } catch {
        // Processes of the hosts may still be ending; an empty group costs nothing.
      }
    },
  };
}
