/** adoptFleet(): chain policies, members of sets, entry jumps and the order of rules, changed by hand. */
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

describe('a change that is not an added or removed rule', () => {
  test('a policy ACCEPT has no effect before a last drop, and is taken if the drop was removed as well', async () => {
    const accept: Change = (text) => text.replace(':FORWARD DROP', ':FORWARD ACCEPT');
    const nothing = await adopted({ 'db-1': { v4: accept, v6: accept } });
    expect(nothing.files).toEqual([]);
    expect(of(nothing, 'db-1').left).toMatchObject([{ message: 'The policy of FORWARD is ACCEPT.' }]);
    const open: Change = (text) => accept(text).replace(/^-A SALLYPORT-FORWARD .*\n/gm, '');
    const changes = { 'db-1': { v4: open, v6: open } };
    const taken = await adopted(changes);
    expect(parse(policyOf(taken, 'policies/hosts/others.yml')).hosts['db-1'].baseline).toEqual({
      forward: 'accept',
    });
    expect(opensAndCloses(await planned(taken, changes), 'db-1')).toEqual(EQUAL);
  });

  test('the members of a network change if all of its hosts have the same change', async () => {
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
        why: expect.stringContaining('Other hosts use this network without the change.'),
      },
    ]);
  });

  test('a network that other hosts use too is not changed, even if its set changed alike on some', async () => {
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

  test('a removed entry jump is left: the next deploy restores it', async () => {
    const adoption = await adopted({ 'web-1': { v4: without('^-A INPUT') } });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { why: expect.stringContaining('The next deploy reverts it.') },
    ]);
  });

  test('the order of rules without common packets has no effect', async () => {
    const swap: Change = (text) => {
      const line = /^.*Staging preview.*\n/m.exec(text)?.[0] ?? '';
      return text.replace(line, '').replace(/^.*: mosh.*\n/m, (mosh) => mosh + line);
    };
    const adoption = await adopted({ 'web-1': { v4: swap } });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([{ message: 'A rule was moved in SALLYPORT-INPUT.' }]);
  });
});
