/** The root file system of a host: writes its identity, host keys, user, sshd configuration and saved rules. */
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Base } from './base.js';
import { must } from './shell.js';

/** Text as `iptables-save`, `ip6tables-save` and `ipset save` print it. */
export interface Rules {
  readonly v4?: string;
  readonly v6?: string;
  readonly sets?: string;
}

export interface Addresses {
  readonly v4: string;
  readonly v6?: string;
}

export interface HostOptions {
  /** The host name, unique in the lab. */
  readonly name: string;
  /** Default: the next free ones of 10.88.0.0/16 and 2001:db8:88::/64. Any address works. */
  readonly addresses?: Addresses;
  /** `false` disables IPv6 in the kernel. Default `true`. */
  readonly ipv6?: boolean;
  /** The iptables alternative; default `nft`, as on Debian. */
  readonly backend?: 'nft' | 'legacy';
  /** The user with the lab's key, besides root; default `deploy` with `nopasswd`. */
  readonly user?: User;
  /** The port of sshd; default 22. */
  readonly port?: number;
  /** Loaded into the kernel after boot. */
  readonly rules?: Rules;
  /** Written to the files of netfilter-persistent before the first boot. */
  readonly savedRules?: Rules;
}

export interface User {
  readonly name: string;
  /** `password`: sudo asks for one. */
  readonly sudo: 'nopasswd' | 'password' | 'none';
}

export interface HostSetup {
  readonly name: string;
  readonly addresses: Addresses;
  readonly port: number;
  readonly user: User;
  readonly backend: 'nft' | 'legacy';
  /** The veth pair: the bridge port at the lab's end, and the MAC address at the host's end. */
  readonly link: { readonly port: string; readonly mac: string };
  /** `type base64`, one for each host key. */
  readonly hostKeys: readonly string[];
  /** The directory of the host's overlay, in the lab's mount namespace. */
  readonly directory: string;
}

/** The files of Debian's netfilter-persistent plugins. */
export const SAVED: Readonly<Record<keyof Rules, string>> = {
  v4: '/etc/iptables/rules.v4',
  v6: '/etc/iptables/rules.v6',
  sets: '/etc/iptables/ipsets',
};

/** The default addresses of a host: RFC 1918 and RFC 3849. */
export function addressesOf(index: number): Required<Addresses> {
  return { v4: `10.88.${index >> 8}.${index & 255}`, v6: `2001:db8:88::${index.toString(16)}` };
}

/**
 * Writes the files of a new host into the upper layer of its overlay. The layer is new and empty, so that no symbolic
 * link of the base can redirect a write.
 */
export async function createHostRoot(
  index: number,
  options: HostOptions,
  lab: { readonly base: Base; readonly root: string; readonly publicKey: string },
): Promise<HostSetup> {
  const directory = `/run/hosts/${index}`;
  const upper = join(lab.root, directory, 'upper');
  for (const part of ['upper', 'work', 'root']) directoryFor(join(lab.root, directory, part));
  const own = addressesOf(index);
  const { v4, v6 } = options.addresses ?? own;
  const addresses = options.ipv6 === false || v6 === undefined ? { v4 } : { v4, v6 };
  const user = options.user ?? { name: 'deploy', sudo: 'nopasswd' };
  const { name, port = 22, backend = 'nft', savedRules = {} } = options;

  const put = (path: string, text: string, mode?: number): void => putFile(join(upper, path), text, mode);
  put('/etc/hostname', `${name}\n`);
  // sudo resolves the host name, and stalls for ten seconds or more without an answer.
  put('/etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost ip6-localhost\n`);
  put('/etc/resolv.conf', '');
  // systemd treats an empty machine-id as a first boot.
  put('/etc/machine-id', `${randomBytes(16).toString('hex')}\n`, 0o444);
  put('/etc/ssh/sshd_config.d/lab.conf', sshdConfig(port));
  putUser(put, upper, lab, user);
  if (backend === 'legacy') putLegacy(upper);
  for (const [type, path] of Object.entries(SAVED)) {
    const text = savedRules[type as keyof Rules];
    if (text !== undefined) put(path, text);
  }
  const hostKeys = await Promise.all(['ed25519', 'ecdsa'].map((type) => putHostKey(upper, name, type)));
  const hex = index.toString(16).padStart(4, '0');
  const link = { port: `port${index}`, mac: `02:00:00:00:${hex.slice(0, 2)}:${hex.slice(2)}` };
  return { name, addresses, port, user, backend, link, hostKeys, directory };
}

/** Debian's defaults, except for login by key only, and many concurrent logins. */
const sshdConfig = (port: number): string =>
  `Port ${port}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n`;

/** SHA-512 crypt of "lab": with a password set, sudo asks for it. */
const PASSWORD =
  '$6$labsalt$e.svQvk8jX0mQEPpLUGudMvFCNwOZ/CJK6NOYcVPXe7CEfTAvAHE/4QjVQRPpiwy.ZyFJYVD03OjeHrHcjTKj/';
const SUDOERS: Readonly<Record<User['sudo'], string>> = {
  nopasswd: 'ALL=(ALL) NOPASSWD: ALL',
  password: 'ALL=(ALL) ALL',
  none: '',
};
const USER_ID = 1000;

function putUser(
  put: (path: string, text: string, mode?: number) => void,
  upper: string,
  { base, publicKey }: { readonly base: Base; readonly publicKey: string },
  { name, sudo }: User,
): void {
  put('/root/.ssh/authorized_keys', publicKey, 0o600);
  chmodSync(join(upper, 'root'), 0o700);
  chmodSync(join(upper, 'root/.ssh'), 0o700);
  if (name === 'root') return;
  const extend = (path: string, line: string, mode: number): void =>
    put(path, `${readFileSync(join(base.directory, path), 'utf8')}${line}\n`, mode);
  // "!" would lock the user, and sshd rejects locked users.
  const password = sudo === 'password' ? PASSWORD : '*';
  extend('/etc/passwd', `${name}:x:${USER_ID}:${USER_ID}::/home/${name}:/bin/bash`, 0o644);
  extend('/etc/group', `${name}:x:${USER_ID}:`, 0o644);
  extend('/etc/shadow', `${name}:${password}:20000:0:99999:7:::`, 0o640);
  if (sudo !== 'none') put('/etc/sudoers.d/lab', `${name} ${SUDOERS[sudo]}\n`, 0o440);
  const home = `/home/${name}`;
  put(`${home}/.ssh/authorized_keys`, publicKey, 0o600);
  for (const path of ['', '.ssh', '.ssh/authorized_keys']) {
    chownSync(join(upper, home, path), USER_ID, USER_ID);
    if (path !== '.ssh/authorized_keys') chmodSync(join(upper, home, path), 0o700);
  }
}

/** As `update-alternatives --set iptables /usr/sbin/iptables-legacy`. */
function putLegacy(upper: string): void {
  directoryFor(join(upper, 'etc/alternatives'));
  for (const family of ['iptables', 'ip6tables'])
    for (const tool of ['', '-save', '-restore'])
      symlinkSync(`/usr/sbin/${family}-legacy${tool}`, join(upper, 'etc/alternatives', family + tool));
}

async function putHostKey(upper: string, name: string, type: string): Promise<string> {
  const file = join(upper, `etc/ssh/ssh_host_${type}_key`);
  await must('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', `root@${name}`, '-f', file]);
  return readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
}

/** Appends the keys of a host to a known_hosts file, by address. */
export function pinHostKeys(knownHosts: string, { addresses, port, hostKeys }: HostSetup): void {
  const names = [addresses.v4, ...(addresses.v6 === undefined ? [] : [addresses.v6])]
    .map((address) => (port === 22 ? address : `[${address}]:${port}`))
    .join(',');
  appendFileSync(knownHosts, hostKeys.map((key) => `${names} ${key}\n`).join(''));
}

/** Writes a file with exactly this mode, whatever the umask; creates its directories. */
export function putFile(file: string, text: string, mode = 0o644): void {
  directoryFor(dirname(file));
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
}

/** Creates directories with mode 755, whatever the umask: they hide those of the base. */
function directoryFor(path: string): void {
  const made = mkdirSync(path, { recursive: true });
  for (let at = path; made !== undefined && at.startsWith(made); at = dirname(at)) chmodSync(at, 0o755);
}
