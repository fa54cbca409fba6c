/** Policies of chains, members of sets, jumps and the order of rules, changed by hand. */
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import {
  adopted,
  type Change,
  EQUAL,
  FILES,
  of,
  opensAndCloses,
  planned,
  policyOf,
  without,
} from './fleet.js';

describe('what is not a rule', () => {
  test('a policy set to ACCEPT before a last drop decides nothing; with the drop gone as well it is taken', async () => {
    const accept: Change = (text) => text.replace(':FORWARD DROP', ':FORWARD ACCEPT');
    const nothing = await adopted({ 'db-1': { v4: accept, v6: accept } });
    expect(nothing.files).toEqual([]);
    expect(of(nothing, 'db-1').left).toMatchObject([{ message: 'The policy of FORWARD is ACCEPT.' }]);
    const open: Change = (text) => accept(text).replace(/^-A SALLYPORT-FORWARD .*\n/gm, '');
    const hands = { 'db-1': { v4: open, v6: open } };
    const taken = await adopted(hands);
    expect(parse(policyOf(taken, 'policies/hosts/others.yml')).hosts['db-1'].baseline).toEqual({
      forward: 'accept',
    });
    expect(opensAndCloses(await planned(taken, hands), 'db-1')).toEqual(EQUAL);
  });

  test('the members of a network change when all of its hosts changed alike', async () => {
    const more: Change = (text) => `${text}add SALLYPORT-office-4 198.51.100.9\n`;
    const all = await adopted({ 'web-1': { sets: more }, 'web-2': { sets: more } });
    expect(all.files.map(({ path }) => path)).toEqual(['policies/networks.yml']);
    expect(policyOf(all, 'policies/networks.yml')).toContain(
      'office: [198.51.100.1, 198.51.100.3, 198.51.100.5, 198.51.100.9] # three desks',
    );
    const one = await adopted({ 'web-2': { sets: more } });
    expect(one.files).toEqual([]);
    expect(of(one, 'web-2').left).toMatchObject([
      {
        message: 'The set SALLYPORT-office-4 gained 198.51.100.9.',
        why: expect.stringContaining('Other hosts use this network'),
      },
    ]);
  });

  test('a network that other hosts name too stays as it is, however alike its set changed', async () => {
    const files = {
      ...FILES,
      'policies/hosts/others.yml': `${FILES['policies/hosts/others.yml']}  db-2:
    addresses: [192.0.2.10]
    input:
      - {allow: postgres, from: [office, admin], reason: Queries}
`,
    };
    const more: Change = (text) =>
      text.replace(/^(add SALLYPORT-office-4 .*\n)/m, '$1add SALLYPORT-office-4 198.51.100.9\n');
    const adoption = await adopted({ 'web-1': { sets: more }, 'web-2': { sets: more } }, files);
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { message: 'The set SALLYPORT-office-4 gained 198.51.100.9.' },
    ]);
  });

  test('the jump to the policy’s rules is put back by a deploy', async () => {
    const adoption = await adopted({ 'web-1': { v4: without('^-A INPUT') } });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { why: expect.stringContaining('The next deploy takes it back.') },
    ]);
  });

  test('the order of rules that do not meet means nothing', async () => {
    const swap: Change = (text) => {
      const line = /^.*Staging preview.*\n/m.exec(text)?.[0] ?? '';
      return text.replace(line, '').replace(/^.*: mosh.*\n/m, (mosh) => mosh + line);
    };
    const adoption = await adopted({ 'web-1': { v4: swap } });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { message: 'A rule of SALLYPORT-INPUT stands at another place.' },
    ]);
  });
});
