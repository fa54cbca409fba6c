/** adoptFleet(): rules that were removed by hand. */
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { adopted, EQUAL, of, opensAndCloses, planned, policyOf, without } from './fleet.js';

describe('a rule that was removed by hand', () => {
  test('is removed from the host’s file; comments and order of the rest stay', async () => {
    const changes = { 'web-1': { v4: without('Staging preview'), v6: without('Staging preview') } };
    const adoption = await adopted(changes);
    expect(policyOf(adoption, 'policies/hosts/web-1.yml')).toBe(`# The first one.
addresses: [192.0.2.1, "2001:db8::1"]
roles: [web]

input: # its own
  - allow: udp/60000-61000
    from: any
    reason: mosh
`);
    expect((await planned(adoption, changes)).hosts.map(({ status }) => status)).toEqual([
      'unchanged',
      'unchanged',
      'unchanged',
    ]);
  });

  test('in one family limits the entry to the other family', async () => {
    const changes = { 'web-1': { v4: without('Staging preview') } };
    const adoption = await adopted(changes);
    expect(parse(policyOf(adoption, 'policies/hosts/web-1.yml')).input[0]).toMatchObject({ family: 'v6' });
    expect(opensAndCloses(await planned(adoption, changes), 'web-1')).toEqual(EQUAL);
  });

  test('on every host of its role is removed from the role', async () => {
    const gone = { v4: without('The public site'), v6: without('The public site') };
    const changes = { 'web-1': gone, 'web-2': gone };
    const adoption = await adopted(changes);
    expect(adoption.files.map(({ path }) => path)).toEqual(['policies/roles/web.yml']);
    expect(policyOf(adoption, 'policies/roles/web.yml')).toBe(`# What every web server lets in.
input:
  - {allow: tcp/9100, from: office, reason: Metrics}
`);
    expect((await planned(adoption, changes)).hosts.map(({ status }) => status)).toEqual([
      'unchanged',
      'unchanged',
      'unchanged',
    ]);
  });

  test('on one host of a role becomes an exception of that host', async () => {
    const changes = { 'web-2': { v4: without('The public site'), v6: without('The public site') } };
    const adoption = await adopted(changes);
    expect(adoption.files.map(({ path }) => path)).toEqual(['policies/hosts/others.yml']);
    expect(parse(policyOf(adoption, 'policies/hosts/others.yml')).hosts['web-2'].input).toEqual([
      {
        deny: ['http', 'https'],
        from: 'any',
        reason: 'Adopted from drift on 2027-01-01: removed here, allowed by role web',
        owner: 'to-be-named',
      },
    ]);
    const plan = await planned(adoption, changes);
    expect(opensAndCloses(plan, 'web-2')).toEqual(EQUAL);
    expect(opensAndCloses(plan, 'web-1')).toEqual(EQUAL);
  });

  test('of the baseline is left, except for the log of drops', async () => {
    const established = await adopted({ 'web-1': { v4: without('RELATED,ESTABLISHED') } });
    expect(established.files).toEqual([]);
    expect(of(established, 'web-1').left[0]?.why).toContain('part of the baseline');
    const silent = { v4: without('-j LOG'), v6: without('-j LOG') };
    const log = await adopted({ 'web-1': silent });
    expect(parse(policyOf(log, 'policies/hosts/web-1.yml')).baseline).toEqual({ log: false });
    expect((await planned(log, { 'web-1': silent })).hosts[1]).toMatchObject({
      host: 'web-1',
      status: 'unchanged',
    });
  });
});
