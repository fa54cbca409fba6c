/** Packets on `lo` do not pass nat PREROUTING: OUTPUT has settled what becomes of them. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainPacket } from '../../../src/traffic/trace/explain.js';
import { rulesetOf } from './kernel/judge.js';

const CASES = join(import.meta.dirname, '../../cases');

/** Connects to itself, as in cases/lo.sh: which ports answer. */
function answers(rules: string, ports: readonly number[]): readonly number[] {
  const listen = [...ports].map(
    (port) => `IO::Socket::INET->new(Listen => 1, LocalPort => ${port}, ReuseAddr => 1) or die;`,
  );
  const connect = ports.map(
    (port) => `print "${port}\\n" if IO::Socket::INET->new(PeerAddr => "127.0.0.1:${port}", Timeout => 1);`,
  );
  const perl = `use IO::Socket::INET; my @all = (${listen.map((each) => each.replace(' or die;', '')).join(', ')}); ${connect.join(' ')}`;
  const ran = spawnSync(
    'unshare',
    ['-n', 'sh', '-c', 'ip link set lo up && iptables-restore && perl -e "$1"', 'sh', perl],
    {
      input: rules,
      encoding: 'utf8',
    },
  );
  if (ran.status !== 0) throw new Error(ran.stderr);
  return ran.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

test.each(['lo-redirect.v4', '18-docker-user.v4', '18-docker-user-old.v4'])('%s', (file) => {
  const rules = readFileSync(join(CASES, file), 'utf8');
  const ports = [443, 5432, 8443];
  const ruleset = rulesetOf('v4', rules, '');
  const accepted = ports.filter((dport) => {
    const packet = {
      hook: 'INPUT',
      in: 'lo',
      src: '127.0.0.1',
      dst: '127.0.0.1',
      protocol: 'tcp',
      dport,
    } as const;
    const { verdict } = explainPacket(ruleset, packet, { addresses: ['192.0.2.1'] });
    expect(verdict).not.toBe('unknown');
    return verdict === 'accept';
  });
  expect(accepted).toEqual(answers(rules, ports));
});
