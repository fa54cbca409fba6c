/** Two hosts on one link: what the baseline must never cut. */
import { renderRuleset } from '../../../src/compile/render.js';
import { compiled } from '../fleet.js';
import { BACKENDS, inKernel } from '../kernel.js';

/**
 * A peer in a namespace of its own, wired to this one; the addresses of the peer are an administrator's. No duplicate
 * address detection, which would only take time.
 */
const LINK = `
unshare -n sleep 60 & peer=$!
trap 'kill $peer' EXIT
until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
ip link add eth0 type veth peer name eth0 netns $peer
for at in "" "nsenter -t $peer -n"; do
  $at sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set lo up; ip link set eth0 up'
done
ip addr add 192.0.2.10/24 dev eth0; ip addr add 2001:db8::10/32 dev eth0 nodad
nsenter -t $peer -n ip addr add 192.0.2.20/24 dev eth0
nsenter -t $peer -n ip addr add 2001:db8:a::20/32 dev eth0 nodad
$v4-restore < rules.v4; $v6-restore < rules.v6
`;

/** Whether a listener on this host's port is reached from the peer, over each family. */
const KNOCK = `
cat > knock.mjs <<'END'
import { connect } from 'node:net';
const [, , address, port] = process.argv;
const socket = connect({ host: address, port: Number(port) });
const done = (word) => { process.stdout.write(word + '\\n'); process.exit(0); };
socket.once('connect', () => done('open')).once('error', ({ code }) => done(code));
setTimeout(() => done('silent'), 700);
END
cat > listen.mjs <<'END'
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
createServer((socket) => socket.end()).listen(22, '::', () => writeFileSync('ready', ''));
END
node listen.mjs & listener=$!
trap 'kill $peer $listener' EXIT
until [ -e ready ]; do sleep 0.02; done
for address in 192.0.2.10 2001:db8::10; do nsenter -t $peer -n node knock.mjs $address 22; done > answers
ip -6 neigh show dev eth0 > neighbours
`;

test.each(BACKENDS)(
  '%s: a host with locked egress finds its neighbours and answers its administrators',
  (backend) => {
    const { v4, v6 } = renderRuleset(compiled('baseline: {output: drop}'));
    const files = { 'rules.v4': v4, 'rules.v6': v6 };
    const out = inKernel(backend, files, LINK + KNOCK, ['answers', 'neighbours']);
    // 192.0.2.20 is no administrator's address; 2001:db8:a::20 is, and is only reached through neighbour discovery.
    expect(out.answers).toBe('silent\nopen\n');
    expect(out.neighbours).toMatch(/2001:db8:a::20 .*(REACHABLE|DELAY|STALE)/);
  },
);

test.each(BACKENDS)(
  '%s: without essential ICMP the same host is lost, so the test sees what it claims',
  (backend) => {
    const { v4, v6 } = renderRuleset(compiled('baseline: {output: drop, icmp: none}'));
    const out = inKernel(backend, { 'rules.v4': v4, 'rules.v6': v6 }, LINK + KNOCK, ['answers']);
    expect(out.answers).not.toContain('open');
  },
);
