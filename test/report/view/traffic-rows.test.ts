/** Which rows a report shows, in which order, and which are joined. */
import { describe, expect, test } from '@jest/globals';
import { createNaming } from '../../../src/naming/address-phrases.js';
import { conditions } from '../../../src/report/view/format.js';
import { findingRows } from '../../../src/report/view/group.js';
import { cause, trafficGroups, trafficRows, untilNow } from '../../../src/report/view/traffic-rows.js';
import type { HostPlan, Plan } from '../../../src/rollout/results/model.js';
import type { ConnectionState, Flow } from '../../../src/traffic/model.js';
import { decided, FINAL_DROP, flow, NO_TRAFFIC, unchanged } from '../example.js';

const host = (name: string, traffic: Partial<Record<'opened' | 'closed', readonly Flow[]>>): HostPlan => ({
  ...unchanged(name),
  status: 'changed',
  traffic: { ...NO_TRAFFIC, equal: false, ...traffic },
});
const plan = (...hosts: readonly HostPlan[]): Plan => ({
  version: 1,
  commit: null,
  digest: 'sha256:0',
  hosts,
});

const LINE = decided('-j ACCEPT', 'policies/roles/web.yml', 4);
const DENY = { ...decided('-s 198.51.100.0/24 -j DROP', 'policies/roles/web.yml', 9), number: 3 };
const own = (name: string, text: string) => ({
  ...decided(text, `${name} live v4`, 7),
  chain: 'INPUT',
});

describe('rows', () => {
  test('are sorted by exposure, then by number of hosts', () => {
    const opened = [
      flow({ dport: ['22'], src: ['10.0.0.0/8'], after: LINE }),
      flow({ dport: ['80'], after: LINE }),
    ];
    const wide = flow({ dport: ['443'], after: { ...LINE, source: { ...DENY.source, line: 5 } as never } });
    const rows = trafficRows(
      plan(host('a', { opened }), host('b', { opened: [...opened, wide] }), host('c', { opened })),
      'opened',
    );
    expect(rows.map(({ services, hosts }) => [services[0]?.dport.join(), hosts.join()])).toEqual([
      ['80', 'a,b,c'],
      ['443', 'b'],
      ['22', 'a,b,c'],
    ]);
  });

  test('of one line of the policy are one row, however many services and families it has', () => {
    const opened = ['80', '443'].flatMap((port) => [
      flow({ dport: [port], after: LINE }),
      flow({ dport: [port], after: LINE, family: 'v6' }),
    ]);
    expect(trafficRows(plan(host('a', { opened })), 'opened')).toMatchObject([
      { families: ['v4', 'v6'], services: [{ protocol: 'tcp', dport: ['80', '443'] }] },
    ]);
  });

  test('of two lines that open the same are two', () => {
    const other = decided('-j ACCEPT', 'policies/roles/web.yml', 8);
    const opened = [flow({ dport: ['80'], after: LINE }), flow({ dport: ['443'], after: other })];
    expect(trafficRows(plan(host('a', { opened })), 'opened')).toHaveLength(2);
  });
});

describe('the cause', () => {
  test('of what opens is the rule that accepts; a former rule that refused it is listed too', () => {
    const row = { before: [DENY], after: [LINE] };
    expect(cause(row, 'opened')).toEqual({ rules: [LINE], gone: false });
    expect(untilNow(row, 'opened')).toEqual([DENY]);
    expect(untilNow({ before: [FINAL_DROP], after: [LINE] }, 'opened')).toEqual([]);
  });

  test('of what closes is the rule that refuses, or the one that no longer accepts', () => {
    expect(cause({ before: [LINE], after: [DENY] }, 'closed')).toEqual({ rules: [DENY], gone: false });
    expect(cause({ before: [LINE], after: [FINAL_DROP] }, 'closed')).toEqual({ rules: [LINE], gone: true });
  });
});

describe('groups', () => {
  const ports = (count: number, after = LINE): readonly Flow[] =>
    Array.from({ length: count }, (_, index) =>
      flow({ dport: [String(1000 + index * 2)], src: [`10.${index}.0.0/16`], after }),
    );

  test('join four rows of one cause, but not three', () => {
    const groupsOf = (count: number) =>
      trafficGroups(trafficRows(plan(host('a', { opened: ports(count) })), 'opened'), 'opened');
    expect(groupsOf(3).map(({ rows }) => rows.length)).toEqual([1, 1, 1]);
    const [group, ...others] = groupsOf(4);
    expect(others).toEqual([]);
    expect(group?.rows).toHaveLength(4);
    expect(group?.whole.services).toMatchObject([{ dport: ['1000', '1002', '1004', '1006'] }]);
  });

  test('join rules of several hosts that differ only in an address, when there are more than 20', () => {
    const closing = (count: number) =>
      Array.from({ length: count }, (_, index) => {
        const rule = own(`h-${index}`, `-s 192.0.2.${index}/32 -j ACCEPT`);
        return host(`h-${index}`, {
          closed: [flow({ src: [`192.0.2.${index}/32`], before: rule, after: FINAL_DROP })],
        });
      });
    const groupsOf = (count: number) =>
      trafficGroups(trafficRows(plan(...closing(count)), 'closed'), 'closed');
    expect(groupsOf(20)).toHaveLength(20);
    const [group, ...others] = groupsOf(21);
    expect(others).toEqual([]);
    expect(group?.rows).toHaveLength(21);
    expect(group?.whole.hosts).toHaveLength(21);
  });
});

describe('states', () => {
  const closing = (...states: readonly (readonly ConnectionState[])[]): readonly string[] => {
    const closed = states.map((state, index) =>
      flow({
        dport: [String(1000 + index * 2)],
        src: [`10.${index}.0.0/16`],
        state,
        before: LINE,
        after: FINAL_DROP,
      }),
    );
    const [group] = trafficGroups(trafficRows(plan(host('a', { closed })), 'closed'), 'closed');
    return group === undefined ? [] : conditions(group.whole, createNaming(), 'closed', group.rows);
  };
  const four = (state: readonly ConnectionState[]) => [state, state, state, state];

  test('of a joined row show that running connections break if any of its rows does so', () => {
    const broken = 'running connections as well';
    expect(closing(...four(['NEW']))).not.toContainEqual(expect.stringContaining('running'));
    expect(closing(...four(['NEW', 'ESTABLISHED']))).toContain(broken);
    expect(closing([], ...four(['NEW']))).toContain(`${broken}, in part`);
  });

  test('of a joined row without NEW are those of any of its rows', () => {
    expect(closing(['ESTABLISHED', 'RELATED'], ...four(['RELATED']))).toContain('state ESTABLISHED, RELATED');
  });
});

describe('findings', () => {
  const finding = (message: string, file?: string) => ({
    id: 'x',
    level: 'note' as const,
    message,
    ...(file === undefined ? {} : { source: { kind: 'host' as const, file, line: 4, column: 1 } }),
  });

  test('that differ only in the name and addresses of the host are one row', () => {
    const rows = findingRows([
      { host: 'web-1', findings: [finding('web-1 has no saved rules.')] },
      { host: 'web-2', findings: [finding('web-2 has no saved rules.')] },
    ]);
    expect(rows).toMatchObject([{ hosts: ['web-1', 'web-2'] }]);
    const guards = findingRows([
      { host: 'a', findings: [finding('tcp 192.0.2.65:40000 to 10.10.4.2:5432 is accepted on a.')] },
      { host: 'b', findings: [finding('tcp 192.0.2.65:40000 to [2001:db8::2]:5432 is accepted on b.')] },
    ]);
    expect(guards).toHaveLength(1);
  });

  test('about different rules are different rows; those of live rules are joined over hosts', () => {
    const rows = findingRows([
      {
        host: 'a',
        findings: [finding('Rule 2 of INPUT.', 'a live v4'), finding('Rule 3 of INPUT.', 'a live v4')],
      },
      { host: 'b', findings: [finding('Rule 2 of INPUT.', 'b live v4')] },
    ]);
    expect(rows.map(({ hosts }) => hosts.length)).toEqual([2, 1]);
  });
});
