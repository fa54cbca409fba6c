/** The lab: what tests on real hosts rely on. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../src/lab/lab.js';
import { must, until } from '../../src/lab/shell.js';
import { openSession, openssh } from '../host/ssh/openssh.js';

jest.setTimeout(180_000);

const DROP_8080 = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 8080 -j DROP
COMMIT
`;

describe('hosts', () => {
  let lab: Lab;
  let light: Host;
  let legacy: Host;
  let systemd: Host;

  beforeAll(async () => {
    lab = await openLab({ base: { onBuild: (message) => process.stderr.write(`${message}\n`) } });
    [light, legacy, systemd] = await Promise.all([
      lab.light({ name: 'web-1' }),
      lab.light({ name: 'old-1', backend: 'legacy', port: 2222, ipv6: false }),
      lab.systemd({ name: 'db-1', savedRules: { v4: DROP_8080 } }),
    ]);
  });
  afterAll(() => lab.close());

  test('accept OpenSSH over both families, with the key and the pinned host keys', async () => {
    for (const host of [light, systemd])
      for (const address of [host.addresses.v4, host.addresses.v6 ?? ''])
        expect(await openssh(lab, host, 'hostname; echo "$SSH_CONNECTION"', { address })).toEqual({
          code: 0,
          stdout: expect.stringMatching(new RegExp(`^${host.name}\n\\S+ \\d+ ${address} 22\n$`)),
          stderr: '',
        });
  });

  test('are refused by OpenSSH when another key is pinned', async () => {
    const knownHosts = join(lab.directory, 'known_hosts.wrong');
    writeFileSync(knownHosts, systemd.hostKeys.map((key) => `${light.addresses.v4} ${key}\n`).join(''));
    expect(await openssh(lab, light, 'true', { knownHosts })).toMatchObject({
      code: 255,
      stderr: expect.stringContaining('Host key verification failed'),
    });
  });

  test('let the user become root without delay, or ask for a password, as configured', async () => {
    const asks = await lab.light({ name: 'asks-1', user: { name: 'anna', sudo: 'password' } });
    expect(await openssh(lab, light, 'sudo -n id -u')).toMatchObject({ code: 0, stdout: '0\n' });
    expect(await openssh(lab, asks, 'sudo -n id -u')).toMatchObject({
      code: 1,
      stderr: 'sudo: a password is required\n',
    });
    expect(await openssh(lab, asks, 'id -u', { user: 'root' })).toMatchObject({ code: 0, stdout: '0\n' });
  });

  test('have the configured backend, port and families', async () => {
    expect(await light.must('iptables -V; ip6tables -V')).toMatch(
      /^iptables \S+ \(nf_tables\)\nip6tables .*nf_t/,
    );
    expect(await openssh(lab, legacy, 'sudo -n iptables -V')).toMatchObject({
      stdout: expect.stringMatching(/\(legacy\)/),
    });
    expect(legacy.addresses.v6).toBeUndefined();
    expect(await legacy.must('ip -6 address')).toBe('');
  });

  test('have rules of their own, isolated from each other and from the machine', async () => {
    const machine = await must('iptables-save', []);
    await light.must('iptables-restore', DROP_8080);
    expect((await light.liveRules()).v4).toBe(DROP_8080);
    expect((await legacy.liveRules()).v4).not.toContain('8080');
    expect(await must('iptables-save', [])).toBe(machine);
  });

  test('cannot change settings of the machine', async () => {
    const before = readFileSync('/proc/sys/kernel/panic', 'utf8');
    expect(await light.exec('echo 77 >/proc/sys/kernel/panic')).not.toMatchObject({ code: 0 });
    expect(await light.exec('hostname changed; echo 1 >/proc/sys/net/ipv4/ip_forward')).toMatchObject({
      code: 0,
    });
    expect(readFileSync('/proc/sys/kernel/panic', 'utf8')).toBe(before);
    expect((await must('hostname', [])).trim()).not.toBe('changed');
    expect(existsSync(lab.directory)).toBe(true);
    expect(await light.exec(`ls ${lab.directory}`)).not.toMatchObject({ code: 0 });
    await light.must(`hostname ${light.name}`);
  });

  test('have files that can be read and written', async () => {
    expect(await light.readFile('/etc/none')).toBeUndefined();
    await light.writeFile("/srv/new dir/it's here", 'text\n');
    expect(await light.readFile("/srv/new dir/it's here")).toBe('text\n');
  });

  test('see the address that a client comes from', async () => {
    const from = lab.otherClient.v6;
    const address = light.addresses.v6 ?? '';
    expect(await openssh(lab, light, 'echo "$SSH_CLIENT"', { address, from })).toMatchObject({
      stdout: expect.stringMatching(new RegExp(`^${from} `)),
    });
  });

  test('accept connections from code outside of the lab; errors have their code', async () => {
    const socket = await lab.connect(light.addresses.v4, light.port, { from: lab.otherClient.v4 });
    const banner = await new Promise((resolve) => socket.once('data', (chunk) => resolve(String(chunk))));
    expect(banner).toMatch(/^SSH-2\.0-OpenSSH/);
    expect(socket).toMatchObject({ localAddress: lab.otherClient.v4, remoteAddress: light.addresses.v4 });
    socket.destroy();
    await expect(lab.connect(light.addresses.v4, 1)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('of type systemd boot without a failed unit, and their timers fire', async () => {
    expect(await systemd.exec('systemctl is-system-running')).toMatchObject({ stdout: 'running\n' });
    await systemd.must(
      'systemd-run --quiet --on-active=0.2 --timer-property=AccuracySec=10ms touch /run/fired',
    );
    await until('The timer fires', async () =>
      (await systemd.exec('ls /run/fired')).code === 0 ? true : undefined,
    );
  });

  test('of type systemd load the saved rules at boot, also after a power cut', async () => {
    expect((await systemd.liveRules()).v4).toBe(DROP_8080);
    await systemd.must('iptables -A INPUT -p tcp --dport 9999 -j DROP');
    await systemd.writeFile('/etc/iptables/rules.v4', DROP_8080.replace('8080', '8081'));
    await systemd.powerCut();
    expect(systemd.isUp()).toBe(false);
    await expect(systemd.exec('true')).rejects.toThrow('db-1 is powered off.');
    await systemd.boot();
    expect((await systemd.liveRules()).v4).toBe(DROP_8080.replace('8080', '8081'));
    expect(await openssh(lab, systemd, 'true')).toMatchObject({ code: 0 });
  });

  test('of type light keep only their disk in a power cut', async () => {
    await light.writeFile('/srv/kept', 'kept');
    await light.must('iptables -A INPUT -p tcp --dport 9999 -j DROP; touch /run/lost');
    await light.powerCut();
    await light.boot();
    expect(await light.readFile('/srv/kept')).toBe('kept');
    expect(await light.readFile('/run/lost')).toBeUndefined();
    expect((await light.liveRules()).v4).not.toContain('9999');
    expect(await openssh(lab, light, 'true')).toMatchObject({ code: 0 });
  });

  test('that power off by themselves are not up', async () => {
    const brief = await lab.systemd({ name: 'brief-1', backend: 'legacy', ipv6: false });
    expect(await brief.must('iptables -V; ip -6 address')).toMatch(/^iptables \S+ \(legacy\)\n$/);
    await brief.exec('systemctl poweroff --no-wall');
    await until('It is off', () => (brief.isUp() ? undefined : true));
  });

  test('reap orphans', async () => {
    await light.must('(sleep 0.01 &) ; (true &)');
    await until('All are reaped', async () =>
      (await light.must('ps -eo stat=')).includes('Z') ? undefined : true,
    );
  });

  describe('with a fault', () => {
    const reach = async (address = light.addresses.v4): Promise<boolean> =>
      (await openssh(lab, light, 'true', { address, connectSeconds: 1 })).code === 0;
    const v6 = (): string => light.addresses.v6 ?? '';
    /** A link that was cut needs a moment to resolve its neighbours. */
    const reachAgain = (address = light.addresses.v4): Promise<true> =>
      until(`A connection to ${address}`, async () => ((await reach(address)) ? true : undefined));

    test('cutLink: no family is reachable, and both after the repair', async () => {
      const repair = await light.cutLink();
      expect(await Promise.all([reach(), reach(v6())])).toEqual([false, false]);
      await repair();
      await Promise.all([reachAgain(), reachAgain(v6())]);
    });

    test('cutFamily: the other family is reachable', async () => {
      const repair = await light.cutFamily('v6');
      expect(await Promise.all([reach(), reach(v6())])).toEqual([true, false]);
      await repair();
      await reachAgain(v6());
    });

    test('blockNewSsh: an established session continues', async () => {
      const session = await openSession(lab, light);
      const repair = await light.blockNewSsh();
      expect(await Promise.all([reach(), reach(v6())])).toEqual([false, false]);
      await session.echoes('after');
      await repair();
      await reachAgain();
      session.end();
    });

    test('losePackets: all at 1, none at 0', async () => {
      const all = await light.losePackets(1);
      expect(await reach()).toBe(false);
      await all();
      const none = await light.losePackets(0);
      await reachAgain();
      await none();
    });

    test('fillDisk: existing files can be read, new ones not written', async () => {
      await light.writeFile('/var/lib/demo/old', 'old');
      const repair = await light.fillDisk('/var/lib/demo');
      expect(await light.readFile('/var/lib/demo/old')).toBe('old');
      await expect(light.writeFile('/var/lib/demo/new', 'new')).rejects.toThrow('No space left on device');
      await repair();
      await light.writeFile('/var/lib/demo/new', 'new');
      expect(await light.readFile('/var/lib/demo/new')).toBe('new');
    });

    test('readOnly: the directory cannot be written', async () => {
      const repair = await light.readOnly('/etc/iptables');
      await expect(light.writeFile('/etc/iptables/x', '')).rejects.toThrow('Read-only file system');
      await repair();
      await light.writeFile('/etc/iptables/x', '');
    });

    test('holdXtablesLock: the legacy tools time out', async () => {
      const repair = await legacy.holdXtablesLock();
      expect(await legacy.exec('iptables -w 1 -A INPUT -j ACCEPT')).toMatchObject({ code: 4 });
      await repair();
      expect(await legacy.exec('iptables -w 1 -A INPUT -j ACCEPT')).toMatchObject({ code: 0 });
    });

    test('repair has no effect after a power cut', async () => {
      const repairs = [
        await light.cutLink(),
        await light.readOnly('/etc/iptables'),
        await light.holdXtablesLock(),
        await light.blockNewSsh(),
      ];
      await light.powerCut();
      for (const repair of repairs) await repair();
      await light.boot();
      expect(await reach()).toBe(true);
    });
  });
});

describe('labs', () => {
  test('two at once, with the same addresses, are isolated', async () => {
    const labs = await Promise.all([openLab(), openLab()]);
    try {
      const hosts = await Promise.all(labs.map((lab, index) => lab.light({ name: `twin-${index}` })));
      expect(new Set(hosts.map((host) => host.addresses.v4)).size).toBe(1);
      const results = await Promise.all(
        labs.map((lab, index) => openssh(lab, hosts[index] as Host, 'hostname')),
      );
      expect(results.map(({ stdout }) => stdout)).toEqual(['twin-0\n', 'twin-1\n']);
    } finally {
      await Promise.all(labs.map((lab) => lab.close()));
    }
  });

  test('hosts can have the addresses of a policy', async () => {
    const lab = await openLab();
    try {
      const host = await lab.light({ name: 'web-1', addresses: { v4: '203.0.113.10', v6: '2001:db8::10' } });
      expect(await openssh(lab, host, 'true')).toMatchObject({ code: 0 });
      expect(await openssh(lab, host, 'true', { address: '2001:db8::10' })).toMatchObject({ code: 0 });
    } finally {
      await lab.close();
    }
  });

  test('close leaves nothing behind', async () => {
    const before = traces();
    const lab = await openLab();
    const [host] = await Promise.all([lab.light({ name: 'a' }), lab.systemd({ name: 'b' })]);
    await host.must('(sleep 1000 >/dev/null 2>&1 &)');
    await host.holdXtablesLock();
    await lab.connect(host.addresses.v4, host.port);
    const client = lab.spawn('sleep', ['1000']);
    await lab.close();
    expect(client.signalCode).toBe('SIGKILL');
    expect(host.isUp()).toBe(false);
    await until('Nothing is left', () => (same(traces(), before) ? true : undefined));
    expect(existsSync(lab.directory)).toBe(false);
  });

  test('a killed process leaves nothing behind', async () => {
    const before = traces();
    const opener = spawn(process.execPath, ['--input-type=module', '-e', await bundledOpener()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const directory = await new Promise<string>((resolve) =>
      opener.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())),
    );
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    opener.kill('SIGKILL');
    await until('Nothing is left', () =>
      !existsSync(directory) && same(traces(), before) ? true : undefined,
    );
  });
});

/** A program that opens a lab, prints its directory, and waits to be killed. */
async function bundledOpener(): Promise<string> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    stdin: {
      contents: `import { openLab } from './src/lab/lab.ts';
        const lab = await openLab();
        await Promise.all([lab.light({ name: 'a' }), lab.systemd({ name: 'b' })]);
        console.log(lab.directory);
        setInterval(() => {}, 1000);`,
      resolveDir: join(import.meta.dirname, '../..'),
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

/** Everything on the machine that a lab of this process or its children could leave behind. */
function traces(): Readonly<Record<string, readonly string[]>> {
  const labs = (names: readonly string[]): readonly string[] =>
    names.filter((name) => name.startsWith('sallyport-lab-'));
  return {
    interfaces: Object.keys(networkInterfaces()).sort(),
    devices: readdirSync('/sys/class/net').sort(),
    mounts: readFileSync('/proc/self/mounts', 'utf8').split('\n'),
    directories: labs(readdirSync(tmpdir())),
    cgroups: ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified'].flatMap((path) =>
      existsSync(path) ? labs(readdirSync(path)) : [],
    ),
    networks: networkNamespaces(),
  };
}

/** The network namespaces that any process is in. */
function networkNamespaces(): readonly string[] {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      found.add(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      // It ended between two looks, or is a kernel thread.
    }
  }
  return [...found].sort();
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
