/** adoptFleet() on random changes: the result opens nothing, and has all that is not left. */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { adoptFleet } from '../../src/adopt/adopt-fleet.js';
import { renderRuleset } from '../../src/compile/render.js';
import { compileHost } from '../../src/compile/rules/compile.js';
import type { RulesText } from '../../src/netfilter/model.js';
import { readFleet } from '../../src/policy/resolve/fleet.js';
import { checkHost } from '../../src/rollout/plan/check-host.js';
import { planFleet } from '../../src/rollout/plan/plan.js';
import { modelFleet, modelHost } from '../rollout/model-host.js';

const FILES = new Map([
  ['policies/fleet.yml', 'version: 1\nssh: {user: deploy, known_hosts: known_hosts}\nadmin: [admin]\n'],
  ['policies/networks.yml', 'networks:\n  admin: [203.0.113.0/28]\n  app: 10.10.0.0/16\n'],
  [
    'policies/roles/web.yml',
    'input:\n  - {allow: [http, https], from: any, reason: The public site}\n  - {deny: tcp/25, from: app}\n',
  ],
  [
    'policies/hosts/web-1.yml',
    '# One.\naddresses: [192.0.2.1]\nroles: [web]\ninput: # own\n  - {allow: tcp/8443, from: app, reason: Staging} # soon\n  - {allow: udp/53, from: any, reason: Names}\n',
  ],
]);

function fleetOf(files: ReadonlyMap<string, string>) {
  const read = readFleet(files, 'policies', { today: '2027-01-01' });
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join('\n'));
  return read.value;
}
const fleet = fleetOf(FILES);
const [host] = fleet.hosts;
if (host === undefined) throw new Error('no host');
const compiled = compileHost(fleet, host);
if (!compiled.ok) throw new Error('does not compile');
const deployed: RulesText = renderRuleset(compiled.value);

/** Rules as people type them, for owned and built-in chains. */
const rule = fc.record({
  chain: fc.constantFrom('SALLYPORT-INPUT', 'INPUT', 'SALLYPORT-OUTPUT', 'SALLYPORT-FORWARD'),
  match: fc.constantFrom(
    '-p tcp -m tcp --dport 5432',
    '-s 10.10.0.0/16 -p tcp -m tcp --dport 8443',
    '-s 198.51.100.7/32',
    '-p udp -m udp --dport 53 -m conntrack --ctstate NEW',
    '-i lo',
    '-p icmp -m icmp --icmp-type 8',
    '-m limit --limit 3/minute',
  ),
  target: fc.constantFrom('ACCEPT', 'DROP', 'REJECT --reject-with icmp-port-unreachable', 'LOG', 'RETURN'),
});
const handEdit = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), rule, at: fc.nat(30) }),
  fc.record({ kind: fc.constant('delete' as const), at: fc.nat(30) }),
  fc.record({ kind: fc.constant('swap' as const), at: fc.nat(30) }),
  fc.record({ kind: fc.constant('policy' as const), chain: fc.constantFrom('INPUT', 'FORWARD', 'OUTPUT') }),
);
type HandEdit = typeof handEdit extends fc.Arbitrary<infer T> ? T : never;

function applyHandEdit(v4: string, one: HandEdit): string {
  const lines = v4.split('\n');
  const rules = lines.flatMap((line, index) => (line.startsWith('-A ') ? [index] : []));
  const at = one.kind === 'policy' ? 0 : (rules[one.at % Math.max(rules.length, 1)] ?? 0);
  switch (one.kind) {
    case 'insert': {
      const { chain, match, target } = one.rule;
      const own = rules.filter((index) => lines[index]?.startsWith(`-A ${chain} `));
      const index = own[one.at % Math.max(own.length, 1)] ?? rules[0] ?? 0;
      return lines.toSpliced(index, 0, `-A ${chain} ${match} -j ${target}`).join('\n');
    }
    case 'delete':
      return lines.toSpliced(at, 1).join('\n');
    case 'swap':
      return lines.toSpliced(at, 2, lines[at + 1] ?? '', lines[at] ?? '').join('\n');
    case 'policy':
      return v4.replace(
        new RegExp(`^:${one.chain} (ACCEPT|DROP)`, 'm'),
        (_, now) => `:${one.chain} ${now === 'DROP' ? 'ACCEPT' : 'DROP'}`,
      );
  }
}

test('adoptFleet() never throws; the result passes check, keeps comments, and opens nothing if nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(handEdit, { minLength: 1, maxLength: 4 }), async (changes) => {
      const live = { ...deployed, v4: changes.reduce(applyHandEdit, deployed.v4) };
      const port = () => modelFleet({ 'web-1': modelHost({ live, saved: deployed }) });
      const adoption = await adoptFleet(fleet, FILES, fleet.hosts, port(), { date: '2027-01-01' });
      const [about] = adoption.hosts;
      // Rules that iptables would refuse as well are no state to adopt from.
      if (about === undefined || about.status !== 'read') return;
      const files = new Map([...FILES, ...adoption.files.map(({ path, after }) => [path, after] as const)]);
      const after = fleetOf(files);
      for (const one of after.hosts)
        expect(checkHost(after, one, []).problems.filter(({ level }) => level === 'error')).toEqual([]);
      expect(files.get('policies/hosts/web-1.yml')).toContain('# One.');
      const [plan] = (await planFleet(after, after.hosts, port())).hosts;
      const real = about.left.filter(({ why }) => !why.includes('no effect on any packet'));
      if (real.length > 0) return;
      expect({ opened: plan?.traffic?.opened, possibly: plan?.traffic?.possiblyOpened }).toEqual({
        opened: [],
        possibly: [],
      });
      for (const { state } of plan?.traffic?.closed ?? [])
        for (const one of state) expect(['INVALID', 'UNTRACKED']).toContain(one);
    }),
    { numRuns: 40 },
  );
});
