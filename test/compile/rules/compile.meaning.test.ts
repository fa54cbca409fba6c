/** The same policy written in other ways lets the same packets through: asked of the traffic model. */

import { replaceManaged } from '../../../src/compile/merge/replace-managed.js';
import { compileHost } from '../../../src/compile/rules/compile.js';
import type { Ruleset } from '../../../src/netfilter/model.js';
import { compareTraffic } from '../../../src/traffic/questions/compare.js';
import { fleetOf, hostOf, unwrap } from '../fleet.js';
import { read } from '../foreign.js';

/** @param setsFrom so many networks and more become a set. */
function withSets(host: string, setsFrom: number): Ruleset {
  const fleet = { ...fleetOf(host), setsFrom };
  return unwrap(compileHost(fleet, hostOf(fleet)));
}

const rule = (verb: string, from: string, except?: string): string =>
  `input:\n  - ${verb}: [tcp/80, udp/53]\n    from: ${from}\n${except === undefined ? '' : `    except: ${except}\n`}${verb === 'allow' ? '    reason: why\n' : ''}  - allow: any\n    from: 10.0.0.0/8\n    reason: why\n`;

test.each([
  ['a few networks', rule('allow', '[10.0.0.1, 192.0.2.0/24, "2001:db8::/32"]')],
  ['the internet, defined by the networks that it excludes', rule('allow', 'internet')],
  ['the internet without some of it', rule('deny', 'internet', '[198.51.100.0/24, 10.0.0.0/8]')],
  ['everything without something', rule('allow', 'any', '[198.51.100.0/24, 10.0.0.0/9, "2001:db8::/32"]')],
  ['a list without some of it', rule('reject', 'blocklist', '[192.0.2.4, 192.0.2.128/25]')],
  ['a rejection of everyone but ours', rule('reject', 'any', '[app, lan]')],
])('%s: as networks, as chains, as sets', (_, host) => {
  const [single, usual, sets] = [1000, 64, 2].map((from) => withSets(host, from));
  if (single === undefined || usual === undefined || sets === undefined) throw new Error('three rulesets');
  expect(sets.sets.length).toBeGreaterThan(0);
  for (const other of [usual, sets]) {
    const diff = compareTraffic(single, other);
    expect(diff).toMatchObject({ equal: true, proved: true, opened: [], closed: [] });
  }
  // The model sees what differs, so that equal means something.
  expect(compareTraffic(single, withSets('', 64)).equal).toBe(false);
});

test('falling through to nobody, FORWARD drops as it does by itself', () => {
  const desired = withSets('forward:\n  - allow: http\n    reason: why\n', 64);
  const others =
    '*filter\n:FORWARD DROP [0:0]\n:SALLYPORT-FORWARD - [0:0]\n:THEIRS - [0:0]\n-A FORWARD -j SALLYPORT-FORWARD\n-A FORWARD -j THEIRS\nCOMMIT\n';
  const { next } = replaceManaged(read(others), desired, 'chains');
  const diff = compareTraffic(next, replaceManaged(read(''), desired, 'chains').next);
  expect(diff).toMatchObject({ equal: true, proved: true });
});
