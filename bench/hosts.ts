/**
 * Benchmarks over real hosts in namespaces: reading and deploying twenty, against what people use today on the same
 * hosts in the same run. Ansible is taken when it is installed (`apt-get install ansible-core`).
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Host, type Lab, openLab } from '../src/lab/lab.js';
import { type Meter, openMeter } from './cpu.js';
import { CLI, median, TELL_PEAK } from './measure.js';
import type { Row } from './report.js';

const HOSTS = 20;

export async function hostBench(): Promise<readonly Row[]> {
  // Before anything is started, so that it counts.
  const meter = openMeter();
  // Ansible's modules are Python programs that it runs on the hosts.
  const lab = await openLab({ base: { packages: ['python3'] } });
  try {
    const hosts: Host[] = [];
    for (let index = 0; index < HOSTS; index++) hosts.push(await lab.light({ name: `host-${index}` }));
    const policies = join(lab.directory, 'policies');
    writePolicy(policies, lab, hosts, { port: 9100 });
    return [...(await reading(lab, policies, hosts)), ...(await deploying(lab, policies, hosts, meter))];
  } finally {
    await lab.close();
    meter?.close();
  }
}

/** How time and the program's memory grow with the fleet. */
const SIZES = [20, 50, 100, 200];
/** Proportional: 200 hosts take no more than ten times what 20 take, and a third for whatever else is at work. */
const PROPORTION = (SIZES.at(-1) ?? 1) / (SIZES[0] ?? 1) + 3;

/** Deploys to ever more hosts of one lab: each time a first deploy for the new ones and a change for the others. */
export async function scaleBench(): Promise<readonly Row[]> {
  const lab = await openLab();
  try {
    const hosts: Host[] = [];
    const policies = join(lab.directory, 'policies');
    const rows: Row[] = [];
    for (const [index, size] of SIZES.entries()) {
      while (hosts.length < size) hosts.push(await lab.light({ name: `host-${hosts.length}` }));
      writePolicy(policies, lab, hosts, { port: 9200 + index });
      const { seconds, megabytes } = await measured(lab, sallyport(lab, 'deploy', policies));
      const [first] = rows;
      const ratio =
        first === undefined || size !== SIZES.at(-1)
          ? {}
          : { ratio: { to: `${SIZES[0]} hosts`, value: seconds / first.seconds, limit: PROPORTION } };
      rows.push({ name: `deploy, ${size} hosts`, seconds, megabytes, limit: { megabytes: 600 }, ...ratio });
    }
    return rows;
  } finally {
    await lab.close();
  }
}

/** Wall time and the peak memory of the program; the exit status must be 0: every host confirmed. */
async function measured(
  lab: Lab,
  args: readonly string[],
): Promise<{ readonly seconds: number; readonly megabytes: number }> {
  const started = process.hrtime.bigint();
  const child = lab.spawn(process.execPath, ['--import', TELL_PEAK, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const [peak, stderr] = await Promise.all([text(child.stdio[3]), text(child.stderr), ended(child)]);
  if (child.exitCode !== 0) throw new Error(`deploy ended with ${child.exitCode}: ${stderr.slice(-2000)}`);
  return {
    seconds: Number(process.hrtime.bigint() - started) / 1e9,
    megabytes: Number(peak) / 1024,
  };
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });

async function text(stream: unknown): Promise<string> {
  let all = '';
  if (stream instanceof Readable) for await (const chunk of stream) all += chunk;
  return all;
}

async function reading(lab: Lab, policies: string, hosts: readonly Host[]): Promise<readonly Row[]> {
  const list = join(lab.directory, 'addresses');
  writeFileSync(list, hosts.map(({ addresses }) => `${addresses.v4}\n`).join(''));
  const ssh = `xargs -P ${HOSTS} -I ADDRESS ssh ${sshOptions(lab)} deploy@ADDRESS sudo iptables-save <${list} >/dev/null`;
  const [theirs, ours]: [number[], number[]] = [[], []];
  // In turn, so that whatever else the machine does falls on both.
  for (let run = 0; run < 5; run++) {
    theirs.push(await timed(lab, 'sh', ['-c', ssh], [0]));
    ours.push(await timed(lab, process.execPath, sallyport(lab, 'plan', policies), [0]));
  }
  const [reference, plan] = [theirs, ours].map((times) => median(times, (seconds) => seconds)) as [
    number,
    number,
  ];
  return [
    { name: `ssh iptables-save, ${HOSTS} hosts`, seconds: reference },
    {
      name: `plan, ${HOSTS} hosts`,
      seconds: plan,
      ratio: { to: 'ssh', value: plan / reference, limit: 1.5 },
    },
  ];
}

/** What a play does to the rules of a host: those of IPv4 alone, or those of both families, as a deploy does. */
const PLAYS = [
  { name: 'Ansible', families: ['v4'] },
  { name: 'Ansible, both families', families: ['v4', 'v6'] },
] as const;

async function deploying(
  lab: Lab,
  policies: string,
  hosts: readonly Host[],
  meter: Meter | undefined,
): Promise<readonly Row[]> {
  const there = spawnSync('ansible-playbook', ['--version']).status === 0;
  const plays = (there ? PLAYS : []).map(({ name, families }) => ({
    name,
    play: ansible(lab, hosts, families),
    costs: [] as Cost[],
  }));
  const ours: Cost[] = [];
  // In turn, and each finds what another one left: whatever else the machine does falls on all.
  for (let run = 0; run < 3; run++) {
    writePolicy(policies, lab, hosts, { port: 9101 + run });
    ours.push(
      await costOf(meter, () => timed(lab, process.execPath, sallyport(lab, 'deploy', policies), [0])),
    );
    for (const { play, costs } of plays) costs.push(await costOf(meter, () => play(run)));
  }
  const deploy = middle(ours);
  const name = `deploy, ${hosts.length} hosts in one wave`;
  if (plays.length === 0) return [{ name, ...deploy }];
  return plays.flatMap(({ name: to, costs }) => {
    const reference = middle(costs);
    const ratio = { to, value: deploy.seconds / reference.seconds, limit: 0.25 };
    return [
      { name: `${to}: copy, restore, reset, ping`, ...reference },
      { name, ...deploy, ratio },
    ];
  });
}

/** Wall and processor time, the hosts' own included. */
interface Cost {
  readonly seconds: number;
  readonly processor?: number;
}

async function costOf(meter: Meter | undefined, work: () => Promise<number>): Promise<Cost> {
  const before = meter?.seconds();
  const seconds = await work();
  return meter === undefined || before === undefined
    ? { seconds }
    : { seconds, processor: meter.seconds() - before };
}

const middle = (costs: readonly Cost[]): Cost => median(costs, ({ seconds }) => seconds);

const RESTORE = { v4: 'iptables-restore', v6: 'ip6tables-restore' } as const;

/** Copies rules files, restores them, resets the connection and pings: what careful people do by hand. */
function ansible(
  lab: Lab,
  hosts: readonly Host[],
  families: readonly ('v4' | 'v6')[],
): (run: number) => Promise<number> {
  const folder = join(lab.directory, `ansible-${families.join('-')}`);
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'inventory'),
    hosts
      .map(
        ({ name, addresses }) =>
          `${name} ansible_host=${addresses.v4} ansible_user=deploy ansible_become=true\n`,
      )
      .join(''),
  );
  writeFileSync(
    join(folder, 'ansible.cfg'),
    `[defaults]\nforks = ${hosts.length}\nprivate_key_file = ${lab.identity}\n[ssh_connection]\nssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=${lab.knownHosts}\ncontrol_path_dir = ${folder}/cp\n`,
  );
  writeFileSync(
    join(folder, 'play.yml'),
    [
      '- hosts: all',
      '  gather_facts: false',
      '  tasks:',
      ...families.map((family) => `    - copy: {src: rules.${family}, dest: /etc/iptables/rules.${family}}`),
      ...families.map((family) => `    - command: ${RESTORE[family]} /etc/iptables/rules.${family}`),
      '    - meta: reset_connection',
      '    - ping:',
      '',
    ].join('\n'),
  );
  return (run) => {
    for (const family of families)
      writeFileSync(
        join(folder, `rules.${family}`),
        `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport ${9000 + run} -j ACCEPT\nCOMMIT\n`,
      );
    return timed(lab, 'ansible-playbook', ['-i', 'inventory', 'play.yml'], [0], {
      cwd: folder,
      env: { ...process.env, ANSIBLE_CONFIG: join(folder, 'ansible.cfg') },
    });
  };
}

async function timed(
  lab: Lab,
  command: string,
  args: readonly string[],
  expected: readonly number[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<number> {
  const started = process.hrtime.bigint();
  const ran = await lab.run(command, args, options);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (ran.code === null || !expected.includes(ran.code))
    throw new Error(
      `${command} ${args.join(' ')} ended with ${ran.code}: ${ran.stdout.slice(-1000)} ${ran.stderr.slice(-2000)}`,
    );
  return seconds;
}

const sallyport = (lab: Lab, command: 'plan' | 'deploy', policies: string): readonly string[] => [
  CLI,
  command,
  ...['--policies', policies, '--identity', lab.identity, '--known-hosts', lab.knownHosts],
];

const sshOptions = (lab: Lab): string =>
  `-i ${lab.identity} -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=${lab.knownHosts} -F /dev/null`;

function writePolicy(
  folder: string,
  lab: Lab,
  hosts: readonly Host[],
  { port }: { readonly port: number },
): void {
  mkdirSync(join(folder, 'hosts'), { recursive: true });
  mkdirSync(join(folder, 'roles'), { recursive: true });
  const write = (path: string, lines: readonly string[]): void =>
    writeFileSync(join(folder, path), `${lines.join('\n')}\n`);
  write('fleet.yml', [
    'version: 1',
    'ssh: {user: deploy}',
    'admin: [admin]',
    `rollout: {canary: [], soak: 0s, waves: [100%], parallel: ${HOSTS}}`,
  ]);
  write('networks.yml', [`networks: {admin: [${lab.client.v4}/32, "${lab.client.v6}/128"]}`]);
  write('roles/node.yml', ['input:', `  - {allow: tcp/${port}, from: admin, reason: Metrics}`]);
  write('hosts/all.yml', [
    'hosts:',
    ...hosts.map(
      ({ name, addresses: { v4, v6 } }) =>
        `  ${name}: {address: ${v4}, addresses: [${v4}, "${v6}"], roles: [node]}`,
    ),
  ]);
}
