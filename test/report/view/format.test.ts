/** Conditions of a row: nothing that narrows the traffic may be left out. */
import { expect, test } from '@jest/globals';
import { createNaming } from '../../../src/naming/address-phrases.js';
import { conditions } from '../../../src/report/view/format.js';
import { trafficRows } from '../../../src/report/view/traffic-rows.js';
import type { Flow } from '../../../src/traffic/model.js';
import { decided, flow, NO_TRAFFIC, unchanged } from '../example.js';

const rowsOf = (...opened: readonly Flow[]) =>
  trafficRows(
    {
      version: 1,
      commit: null,
      digest: 'sha256:0',
      hosts: [{ ...unchanged('web-1'), traffic: { ...NO_TRAFFIC, equal: false, opened } }],
    },
    'opened',
  );

test('conditions() includes flags, hardware addresses and ids', () => {
  const [row, ...others] = rowsOf(flow({ also: ['from MAC 00:16:3e:00:00:01'] }));
  expect(others).toEqual([]);
  expect(row && conditions(row, createNaming(), 'opened')).toContain('from MAC 00:16:3e:00:00:01');
});

test('rows that differ in such conditions are not joined', () => {
  expect(rowsOf(flow({ also: ['uid 0'], family: 'v4' }), flow({ family: 'v6' }))).toHaveLength(2);
});

test('a line of the policy with a rule in each family is listed once', () => {
  const rule = (text: string) => decided(text, 'policies/roles/web.yml', 5);
  const [row] = rowsOf(
    flow({ family: 'v4', src: ['10.0.0.0/8'], after: rule('-s 10.0.0.0/8 -j ACCEPT') }),
    flow({ family: 'v6', src: ['2001:db8::/32'], after: rule('-s 2001:db8::/32 -j ACCEPT') }),
  );
  expect(row?.families).toEqual(['v4', 'v6']);
  expect(row?.after).toHaveLength(1);
});
