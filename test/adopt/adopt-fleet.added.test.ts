/** adoptFleet(): rules that were added by hand. */
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import {
  adopted,
  EQUAL,
  FILES,
  first,
  inFrontOf,
  OPENED,
  of,
  opensAndCloses,
  planned,
  policyOf,
} from './fleet.js';

describe('a rule that was added by hand', () => {
  test('among the policy’s rules becomes an entry of the host; a plan of the result changes no traffic', async () => {
    const changes = {
      'web-1': {
        v4: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${OPENED}`),
        v6: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${OPENED}`),
      },
    };
    const adoption = await adopted(changes);
    expect(of(adoption, 'web-1')).toMatchObject({
      status: 'read',
      taken: [{ families: ['v4', 'v6'] }],
      left: [],
    });
    expect(adoption.files.map(({ path }) => path)).toEqual(['policies/hosts/web-1.yml']);
    const plan = await planned(adoption, changes);
    expect(opensAndCloses(plan, 'web-1')).toEqual(EQUAL);
    const text = policyOf(adoption, 'policies/hosts/web-1.yml');
    expect(parse(text).input[0]).toEqual({
      allow: 'postgres',
      reason: 'Adopted from drift on 2027-01-01',
      owner: 'to-be-named',
    });
  });

  test('with a comment becomes a literal rule in the same position; a plan of the result is unchanged', async () => {
    const rule =
      '-p tcp -m tcp --dport 5432 -m length --length 0:100 -m comment --comment "by anna" -j ACCEPT';
    const changes = { 'web-1': { v4: inFrontOf('Staging preview', `-A SALLYPORT-INPUT ${rule}`) } };
    const adoption = await adopted(changes);
    const plan = await planned(adoption, changes);
    expect(plan.hosts.map(({ status }) => status)).toEqual(['unchanged', 'unchanged', 'unchanged']);
  });

  test('above the jump to the policy’s rules is taken; a note names the invalid packets that it accepts', async () => {
    const changes = { 'db-1': { v4: first('INPUT', '-p tcp -m tcp --dport 25 -j ACCEPT') } };
    const adoption = await adopted(changes);
    expect(of(adoption, 'db-1').taken).toEqual([
      expect.objectContaining({
        message: "A rule was added to INPUT, above the policy's rules.",
        rule: '-A INPUT -p tcp -m tcp --dport 25 -j ACCEPT',
        file: 'policies/hosts/others.yml',
        note: expect.stringContaining('INVALID'),
      }),
    ]);
    const traffic = (await planned(adoption, changes)).hosts.find(({ host }) => host === 'db-1')?.traffic;
    expect(traffic?.opened).toEqual([]);
    expect(new Set(traffic?.closed.flatMap(({ state }) => state))).toEqual(new Set(['INVALID']));
  });

  test('that denies above the jump, after one that accepts, is taken or left, not dropped', async () => {
    const changes = {
      'web-1': {
        v4: (text: string) =>
          first(
            'INPUT',
            '-p tcp -m tcp --dport 5432 -j ACCEPT',
          )(first('INPUT', '-s 198.51.100.0/24 -p tcp -m tcp --dport 8443 -j REJECT')(text)),
      },
    };
    const adoption = await adopted(changes);
    const { taken, left } = of(adoption, 'web-1');
    const rules = [...taken, ...left].map(({ rule }) => rule);
    expect(rules).toContain(
      '-A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 8443 -j REJECT --reject-with icmp-port-unreachable',
    );
    expect(left.some(({ why }) => why.includes('no effect on any packet'))).toBe(false);
    if (left.length === 0) expect(opensAndCloses(await planned(adoption, changes), 'web-1')?.opened).toBe(0);
  });

  test('that accepts above the jump, after a foreign deny that stays there, is taken', async () => {
    const changes = {
      'web-1': {
        v4: (text: string) =>
          first(
            'INPUT',
            '-s 198.51.100.0/24 -j DROP',
          )(first('INPUT', '-p tcp -m tcp --dport 5432 -j ACCEPT')(text)),
      },
    };
    const adoption = await adopted(changes);
    expect(of(adoption, 'web-1')).toMatchObject({
      taken: [{ rule: '-A INPUT -p tcp -m tcp --dport 5432 -j ACCEPT' }],
      left: [],
    });
    expect(opensAndCloses(await planned(adoption, changes), 'web-1')?.opened).toBe(0);
  });

  test('after the last drop has no effect and is left', async () => {
    const adoption = await adopted({
      'web-1': { v4: (text) => text.replace(/COMMIT\n$/, `-A SALLYPORT-INPUT ${OPENED}\nCOMMIT\n`) },
    });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left).toMatchObject([
      { why: expect.stringContaining('no effect on any packet') },
    ]);
  });

  test('that would lock the administrators out is left', async () => {
    const adoption = await adopted({
      'web-1': {
        v4: first('SALLYPORT-INPUT', '-p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j DROP'),
      },
    });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left[0]?.why).toMatch(/would (fail check|not have the same effect)/);
  });

  test('that drops established connections is left, with an example packet', async () => {
    const adoption = await adopted({
      'web-1': {
        v4: (text) =>
          text.replace(/COMMIT\n$/, '-A SALLYPORT-OUTPUT -p tcp -m tcp --dport 25 -j DROP\nCOMMIT\n'),
      },
    });
    expect(adoption.files).toEqual([]);
    expect(of(adoption, 'web-1').left[0]?.why).toMatch(
      /would not have the same effect on every packet, such as .*25.* \(ESTABLISHED|RELATED\)\. The next deploy/,
    );
  });

  test('that jumps to an owned chain that is not in the policy is left', async () => {
    const adoption = await adopted({
      'web-1': {
        v4: (text) =>
          inFrontOf(
            'Staging preview',
            '-A SALLYPORT-INPUT -j SALLYPORT-MINE',
          )(text).replace(/^-A/m, `:SALLYPORT-MINE - [0:0]\n-A SALLYPORT-MINE ${OPENED}\n-A`),
      },
    });
    expect(of(adoption, 'web-1').taken).toEqual([]);
    expect(of(adoption, 'web-1').left.map(({ why }) => why)).toContainEqual(
      expect.stringContaining('It jumps to a chain that is not in the policy'),
    );
  });

  test('in nat is taken if its position can be expressed', async () => {
    const own = FILES['policies/hosts/web-1.yml'] ?? '';
    const files = {
      ...FILES,
      'policies/hosts/web-1.yml': `${own}raw:\n  - {rule: -s 10.1.0.0/16 -j MASQUERADE, table: nat, chain: POSTROUTING, family: v4, reason: The lab}\n`,
    };
    const rule = '-s 10.2.0.0/16 -j MASQUERADE';
    const changes = {
      'web-1': { v4: inFrontOf('10.1.0.0', `-A SALLYPORT-POSTROUTING ${rule}`) },
    };
    const adoption = await adopted(changes, files);
    expect(of(adoption, 'web-1').left).toEqual([]);
    expect(parse(policyOf(adoption, 'policies/hosts/web-1.yml')).raw).toEqual([
      expect.objectContaining({ rule, table: 'nat', chain: 'POSTROUTING', family: 'v4' }),
      expect.objectContaining({ reason: 'The lab' }),
    ]);
  });
});
