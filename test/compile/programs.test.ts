import { expect, test } from '@jest/globals';
import { programOfRule } from '../../src/compile/programs.js';
import { parseSave } from '../../src/netfilter/text/parse.js';

const programOf = (line: string): string | undefined => {
  const parsed = parseSave(
    `*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING ${line}\nCOMMIT\n`,
    'v4',
    'rules.v4',
  );
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join(' '));
  const rule = parsed.value[0]?.chains.find(({ name }) => name === 'POSTROUTING')?.rules[0];
  if (rule === undefined) throw new Error(`no rule: ${line}`);
  return programOfRule('POSTROUTING', rule);
};

test.each([
  ['-s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE', 'docker'],
  // A VPN's own network, written by hand, as OpenVPN and libvirt are described everywhere.
  ['-s 10.8.0.0/24 ! -d 10.8.0.0/24 -j MASQUERADE', undefined],
  ['! -s 10.8.0.0/24 -d 10.8.0.0/24 -j MASQUERADE', undefined],
  ['-s 10.8.0.0/24 -o eth0 -j MASQUERADE', undefined],
])('%s is of %s', (line, program) => {
  expect(programOf(line)).toBe(program);
});
