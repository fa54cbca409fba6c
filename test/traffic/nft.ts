/** Native tables as nft itself lists them, loaded in a network namespace of their own. Needs root and nft. */
import { spawnSync } from 'node:child_process';
import { nativeText } from '../../src/host/state/native.js';
import type { NftRuleset } from '../../src/netfilter/nftables/model.js';
import { readNftables } from '../../src/netfilter/nftables/read.js';

/** @param text for `nft -f`; the device eth0 exists, and the interfaces given */
export function nftRuleset(text: string, interfaces: readonly string[] = []): NftRuleset {
  const links = ['eth0', ...interfaces].map(
    (name, index) => `ip link add ${name} type veth peer name peer${index}`,
  );
  const script = [...links, 'nft -f -', 'nft -j list ruleset', 'echo', 'nft list chains'].join(' && ');
  const ran = spawnSync('unshare', ['-n', 'sh', '-c', script], {
    input: text,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (ran.status !== 0) throw new Error(`${ran.stderr}\n${text.slice(0, 2000)}`);
  const [listing = '', chains = ''] =
    ran.stdout.split(/\n(?=table )/).length > 1
      ? [ran.stdout.slice(0, ran.stdout.indexOf('\n')), ran.stdout.slice(ran.stdout.indexOf('\n') + 1)]
      : [ran.stdout, ''];
  return readNftables(nativeText({ out: listing, err: '', code: 0 }, chains, 'nft') ?? '');
}
