import { execFileSync } from 'node:child_process';
import { parseSets, printSets } from '../../src/netfilter/sets.js';

/** Loads the text in a throw-away namespace and saves it. */
const load = (text: string): string =>
  execFileSync('unshare', ['-n', 'sh', '-c', 'ipset restore && ipset save'], {
    input: text,
    encoding: 'utf8',
  });

const SETS = `
create admin hash:net family inet hashsize 1024 maxelem 65536 comment counters
add admin 10.0.0.0/8 comment "the office, 1st floor"
add admin 203.0.113.7 comment plain
add admin 192.0.2.0/24
create admin6 hash:net family inet6 hashsize 1024 maxelem 65536 timeout 0
add admin6 2001:db8::/32 timeout 0
add admin6 fe80::1 nomatch timeout 0
create pairs hash:ip,port family inet hashsize 1024 maxelem 65536
add pairs 10.0.0.9,tcp:22
add pairs 10.0.0.10,udp:53
create ports bitmap:port range 0-65535
add ports 443
add ports 80
create both list:set size 8
add both pairs
`;

test('what is printed loads, and what the kernel saves of it parses to the same sets', () => {
  const first = parseSets(SETS, 'sets');
  if (!first.ok) throw new Error(JSON.stringify(first.problems));
  const saved = parseSets(load(printSets(first.value)), 'saved');
  if (!saved.ok) throw new Error(JSON.stringify(saved.problems));
  expect(saved.value.map(({ name, type }) => [name, type])).toEqual(
    first.value.map(({ name, type }) => [name, type]),
  );
  // ipset adds the counters of each member and the seeds of each hash table.
  const plain = (member: string): string => member.replace(/ (packets|bytes) 0/g, '');
  expect(saved.value.map(({ members }) => members.map(plain))).toEqual(
    first.value.map(({ members }) => members),
  );
});

test('a set of thousands of members is saved in another order and printed in one', () => {
  const members = Array.from(
    { length: 5000 },
    (_, index) => `add many 10.${index >> 8}.${index & 255}.0/24\n`,
  );
  const text = `create many hash:net family inet\n${members.toReversed().join('')}`;
  const saved = load(text);
  const [direct, through] = [parseSets(text, 'a'), parseSets(saved, 'b')];
  if (!direct.ok || !through.ok) throw new Error('does not parse');
  expect(through.value[0]?.members).toEqual(direct.value[0]?.members);
  expect(through.value[0]?.members[0]).toBe('10.0.0.0/24');
});
