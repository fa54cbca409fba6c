/**
 * Benchmarks over real hosts in namespaces: reading and deploying twenty, against common tools on the same
 * hosts in the same run. Ansible is compared when it is installed (`apt-get install ansible-core`).
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Host, type Lab, openLab } from '../src/lab/lab.js';
import { type Meter, openMeter } from './cpu.js';
import { CLI, median, REPORT_PEAK } from './measure.js';
import type { Row } from './report.js';

const HOSTS = 20;

export async function hostBench(): Promise<readonly Row[]> {
  // Before anything is started, so that all of it counts.
  const meter = openMeter();
  // Ansible's modules are Python programs that it runs on the hosts.
  const lab = await openLab({ base: { packages: ['python3'] } });
  try {
    const [both, old]: [Host[], Host[]] = [[], []];
    for (let index = 0; index < HOSTS; index++) {
      both.push(await lab.light({ name: `host-${index}` }));
      old.push(await lab.light({ name: `old-${index}`, ipv6: false }));
    }
    const policies = join(lab.directory, 'policies');
    writePolicy(policies, lab, both, { port: 9100 });
    return [
      ...(await reading(lab, policies, both)),
      ...(await deploying(lab, 'IPv4 and IPv6', both, meter)),
      ...(await deploying(lab, 'IPv4', old, meter)),
    ];
  } finally {
    await lab.close();
    meter?.close();
  }
}

/** How time and the program's memory grow with the fleet. */
const SIZES = [20, 50, 100, 200];
/** Proportional: 200 hosts take at most ten times what 20 take, and a third more for other load. */
const PROPORTION = (SIZES.at(-1) ?? 1) / (SIZES[0] ?? 1) + 3;

/** Deploys to more and more hosts of one lab: each time a first deploy for the new ones and a change for the others. */
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
      const ratios =
        first === undefined || size !== SIZES.at(-1)
          ? []
          : [{ to: `${SIZES[0]} hosts`, value: seconds / first.seconds, limit: PROPORTION }];
      rows.push({ name: `deploy, ${size} hosts`, seconds, megabytes, limit: { megabytes: 600 }, ratios });
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
  const child = lab.spawn(process.execPath, ['--import', REPORT_PEAK, ...args], {
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
  // In turn, so that other load of the machine affects both.
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
      ratios: [{ to: 'ssh', value: plan / reference, limit: 1.5 }],
    },
  ];
}

/**
 * Compared with typical plays. A deploy changes and proves every family of a host; the limit is against the play that
 * does the same, the play that leaves IPv6 alone is only shown.
 */
async function deploying(
  lab: Lab,
  name: string,
  hosts: readonly Host[],
  meter: Meter | undefined,
): Promise<readonly Row[]> {
  const policies = join(lab.directory, `policies-${hosts[0]?.name ?? ''}`);
  const all = hosts.some(({ addresses }) => addresses.v6 !== undefined) ? BOTH : IPV4;
  const there = spawnSync('ansible-playbook', ['--version']).status === 0;
  const plays = (there ? [...new Set([all, IPV4])] : []).map((families) => ({
    families,
    play: ansible(lab, hosts, families),
    costs: [] as Cost[],
  }));
  // The first deploy of a host is not measured.
  writePolicy(policies, lab, hosts, { port: 9100 });
  await timed(lab, process.execPath, sallyport(lab, 'deploy', policies), [0]);
  const ours: Cost[] = [];
  // In turn, and each changes what another one left: other load of the machine affects all.
  for (let run = 0; run < 3; run++) {
    writePolicy(policies, lab, hosts, { port: 9101 + run });
    ours.push(
      await costOf(meter, () => timed(lab, process.execPath, sallyport(lab, 'deploy', policies), [0])),
    );
    for (const { play, costs } of plays) costs.push(await costOf(meter, () => play(run)));
  }
  const deploy = middle(ours);
  const references = plays.map(({ families, costs }) => ({ families, ...middle(costs) }));
  return [
    ...references.map(({ families, ...cost }) => ({
      name: `Ansible, hosts of ${name}, rules of ${FAMILY_NAMES[families.length - 1]}`,
      ...cost,
    })),
    {
      name: `deploy, ${hosts.length} hosts of ${name} in one wave`,
      ...deploy,
      ratios: references.map(({ families, seconds }) => ({
        to: `Ansible (${FAMILY_NAMES[families.length - 1]})`,
        value: deploy.seconds / seconds,
        ...(families === all ? { limit: 0.25 } : {}),
      })),
    },
  ];
}

const IPV4 = ['v4'] as const;
const BOTH = ['v4', 'v6'] as const;
const FAMILY_NAMES = ['IPv4', 'both'];

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

/** A play that copies rules files, restores them, resets the connection and pings. */
function ansible(
  lab: Lab,
  hosts: readonly Host[],
  families: readonly ('v4' | 'v6')[],
): (run: number) => Promise<number> {
  const folder = join(lab.directory, `ansible-${hosts[0]?.name ?? ''}-${families.join('-')}`);
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
        `  ${name}: {address: ${v4}, addresses: [${v6 === undefined ? v4 : `${v4}, "${v6}"`}], roles: [node]}`,
    ),
  ]);
}
