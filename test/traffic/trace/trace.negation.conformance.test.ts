/** What the kernel does with packets that a match is not about, and with connections of this host to itself. */
import { spawnSync } from 'node:child_process';
import type { Packet } from '../../../src/traffic/model.js';
import { explainPacket } from '../../../src/traffic/trace/explain.js';
import { rulesetOf } from './kernel/judge.js';

/** Whether a connection over lo to a port is answered. */
function connects(rules: string, port: number, listening: number): boolean {
  const perl = `use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 1, LocalPort => ${listening}, ReuseAddr => 1) or die; print "yes" if IO::Socket::INET->new(PeerAddr => "127.0.0.1:${port}", Timeout => 1);`;
  const ran = spawnSync(
    'unshare',
    ['-n', 'sh', '-c', 'ip link set lo up && iptables-restore && perl -e "$1"', 'sh', perl],
    { input: rules, encoding: 'utf8' },
  );
  if (ran.status !== 0) throw new Error(ran.stderr);
  return ran.stdout === 'yes';
}

const behindRedirect = (match: string): string =>
  [
    ...[
      '*nat',
      ':OUTPUT ACCEPT [0:0]',
      '-A OUTPUT -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 8443',
      'COMMIT',
    ],
    ...['*filter', ':INPUT ACCEPT [0:0]', `-A INPUT -p tcp ${match} -j DROP`, 'COMMIT', ''],
  ].join('\n');

/** Packets on lo have passed nat in OUTPUT: what the connection was before is not known from them. */
test.each([
  ['-m conntrack --ctorigdstport 443', false],
  ['-m conntrack ! --ctorigdstport 443', true],
  ['-m conntrack --ctstate DNAT', false],
])('on lo, %s: the model does not claim otherwise than the kernel', (match, reached) => {
  const rules = behindRedirect(match);
  expect(connects(rules, 443, 8443)).toBe(reached);
  const host = '127.0.0.1';
  const packet: Packet = { hook: 'INPUT', in: 'lo', src: host, dst: host, protocol: 'tcp', dport: 8443 };
  const { verdict } = explainPacket(rulesetOf('v4', rules, ''), packet, { addresses: ['192.0.2.1'] });
  expect(verdict === 'unknown' || (verdict === 'accept') === reached).toBe(true);
});

test.each(['rt', 'frag'])('-m %s and its negation are both false of a packet without that header', (name) => {
  const option = name === 'rt' ? '--rt-type 0' : '--fragid 1';
  const rules = [
    ...['*filter', ':INPUT DROP [0:0]', `-A INPUT -m ${name} ${option} -j ACCEPT`],
    ...[`-A INPUT -m ${name} ! ${option} -j ACCEPT`, 'COMMIT', ''],
  ].join('\n');
  const packet = {
    hook: 'INPUT',
    src: '2001:db8::7',
    dst: '2001:db8::1',
    protocol: 'tcp',
    dport: 22,
  } as const;
  expect(explainPacket(rulesetOf('v6', rules, ''), packet).verdict).toBe('unknown');
});
