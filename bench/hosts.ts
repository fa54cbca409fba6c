/**
 * Benchmarks over real hosts in namespaces: reading and deploying twenty, against what people use today on the same
 * hosts in the same run. Ansible is taken when it is installed (`apt-get install ansible-core`).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Host, type Lab, openLab } from '../src/lab/lab.js';
import { CLI, median } from './measure.js';
import type { Row } from './report.js';

const HOSTS = 20;

export async function hostBench(): Promise<readonly Row[]> {
  // Ansible's modules are Python programs that it runs on the hosts.
  const lab = await openLab({ base: { packages: ['python3'] } });
  try {
    const hosts: Host[] = [];
    for (let index = 0; index < HOSTS; index++)
      hosts.push(await lab.light({ name: `host-${index}`, user: { name: 'deploy', sudo: 'nopasswd' } }));
    const policies = join(lab.directory, 'policies');
    writePolicy(policies, lab, hosts, 9100);
    return [...(await reading(lab, policies, hosts)), ...(await deploying(lab, policies, hosts))];
  } finally {
    await lab.close();
  }
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

async function deploying(lab: Lab, policies: string, hosts: readonly Host[]): Promise<readonly Row[]> {
  const ours: number[] = [];
  for (let run = 0; run < 3; run++) {
    writePolicy(policies, lab, hosts, 9101 + run);
    ours.push(await timed(lab, process.execPath, sallyport(lab, 'deploy', policies), [0]));
  }
  const deploy = median(ours, (seconds) => seconds);
  const theirs = await ansible(lab, hosts);
  if (theirs === undefined) return [{ name: `deploy, ${HOSTS} hosts in one wave`, seconds: deploy }];
  return [
    { name: `Ansible copy, restore, reset, ping`, seconds: theirs },
    {
      name: `deploy, ${HOSTS} hosts in one wave`,
      seconds: deploy,
      ratio: { to: 'Ansible', value: deploy / theirs, limit: 0.25 },
    },
  ];
}

/** Copies a rules file, restores it, resets the connection and pings: what careful people do by hand. */
async function ansible(lab: Lab, hosts: readonly Host[]): Promise<number | undefined> {
  if (spawnSync('ansible-playbook', ['--version']).status !== 0) return undefined;
  const folder = join(lab.directory, 'ansible');
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
    `[defaults]\nforks = ${HOSTS}\nprivate_key_file = ${lab.identity}\n[ssh_connection]\nssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=${lab.knownHosts}\ncontrol_path_dir = ${folder}/cp\n`,
  );
  writeFileSync(
    join(folder, 'play.yml'),
    [
      '- hosts: all',
      '  gather_facts: false',
      '  tasks:',
      '    - copy: {src: rules.v4, dest: /etc/iptables/rules.v4}',
      '    - command: iptables-restore /etc/iptables/rules.v4',
      '    - meta: reset_connection',
      '    - ping:',
      '',
    ].join('\n'),
  );
  const times: number[] = [];
  for (let run = 0; run < 3; run++) {
    writeFileSync(
      join(folder, 'rules.v4'),
      `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport ${9000 + run} -j ACCEPT\nCOMMIT\n`,
    );
    times.push(
      await timed(lab, 'ansible-playbook', ['-i', 'inventory', 'play.yml'], [0], {
        cwd: folder,
        env: { ...process.env, ANSIBLE_CONFIG: join(folder, 'ansible.cfg') },
      }),
    );
  }
  // A deploy of ours must find its own rules again, or it would be a first activation.
  return median(times, (seconds) => seconds);
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

function writePolicy(folder: string, lab: Lab, hosts: readonly Host[], port: number): void {
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
