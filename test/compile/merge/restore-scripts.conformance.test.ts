/** From one state to another and back on the real kernel, with others at work in between. */
import { replaceManaged } from '../../../src/compile/merge/replace-managed.js';
import { restoreScripts } from '../../../src/compile/merge/restore-scripts.js';
import { readRuleset, renderRuleset } from '../../../src/compile/render.js';
import type { RestoreScripts, Ruleset } from '../../../src/netfilter/model.js';
import { GOLDEN, OTHERS } from '../cases.js';
import { compiled, unwrap } from '../fleet.js';
import { read, STATES } from '../foreign.js';
import { BACKENDS, inKernel, setLines, tablesOf } from '../kernel.js';

const TAKE = `
take() {
  ipset restore < $1.sets; $v4-restore --noflush < $1.v4; $v6-restore --noflush < $1.v6; ipset restore < $1.after
}
save() { ipset save > $1.sets.out; $v4-save > $1.v4.out; $v6-save > $1.v6.out; }
load() { ipset restore < $1.sets; $v4-restore < $1.v4; $v6-restore < $1.v6; }
`;

const wayFiles = (name: string, { sets, v4, v6, setsAfter }: RestoreScripts) => ({
  [`${name}.sets`]: sets,
  [`${name}.v4`]: v4,
  [`${name}.v6`]: v6,
  [`${name}.after`]: setsAfter,
});

const stateFiles = (name: string, ruleset: Ruleset) => {
  const { v4, v6, sets } = renderRuleset(ruleset);
  return { [`${name}.v4`]: v4, [`${name}.v6`]: v6, [`${name}.sets`]: sets };
};

const outputs = (...names: readonly string[]): readonly string[] =>
  names.flatMap((name) => ['v4', 'v6', 'sets'].map((part) => `${name}.${part}.out`));

interface State {
  readonly v4: readonly string[];
  readonly v6: readonly string[];
  readonly sets: readonly string[];
}

const stateOf = (files: { readonly [name: string]: string }, name: string): State => ({
  v4: tablesOf(files[`${name}.v4.out`] ?? ''),
  v6: tablesOf(files[`${name}.v6.out`] ?? ''),
  sets: setLines(files[`${name}.sets.out`] ?? ''),
});

const expected = (ruleset: Ruleset): State => {
  const { v4, v6, sets } = renderRuleset(ruleset);
  return { v4: tablesOf(v4), v6: tablesOf(v6), sets: setLines(sets) };
};

const caseOf = (name: string): Ruleset => {
  const found = [...GOLDEN, ...OTHERS].find((each) => each.name === name);
  if (found === undefined) throw new Error(`no case ${name}`);
  return compiled(found.host, found.files);
};

const HOSTS = ['web', 'db', 'router', 'nat', 'raw', 'egress-locked'];

describe.each(BACKENDS)('%s', (backend) => {
  describe.each(STATES)('%s', (_, foreign) => {
    const live = read(foreign);

    test.each(HOSTS)('gets %s and is as before after the backward script', (name) => {
      const { next } = replaceManaged(live, caseOf(name), 'chains');
      const files = {
        ...stateFiles('live', live),
        ...wayFiles('forward', restoreScripts(live, next)),
        ...wayFiles('backward', restoreScripts(next, live)),
      };
      const script = `${TAKE}load live; save before; take forward; save there; take backward; save back`;
      const out = inKernel(backend, files, script, outputs('before', 'there', 'back'));
      expect(stateOf(out, 'before')).toEqual(expected(live));
      expect(stateOf(out, 'there')).toEqual(expected(next));
      expect(stateOf(out, 'back')).toEqual(expected(live));
    });
  });

  test('from each host to each other, and replacing in what the kernel prints changes nothing more', () => {
    const rulesets = HOSTS.map(caseOf);
    const pairs = rulesets.flatMap((from, a) =>
      rulesets.flatMap((to, b) => (a === b ? [] : [{ from, to, name: `${HOSTS[a]}-${HOSTS[b]}` }])),
    );
    const placed = pairs.map(({ from, to, name }) => {
      const live = replaceManaged(read(STATES[1]?.[1] ?? ''), from, 'chains').next;
      return { name, to, live, next: replaceManaged(live, to, 'chains').next };
    });
    const files = Object.assign(
      {},
      ...placed.map(({ name, live, next }) => ({
        ...stateFiles(`${name}.live`, live),
        ...wayFiles(name, restoreScripts(live, next)),
      })),
    );
    const script = placed
      .map(
        ({ name }) => `unshare -n sh -ec 'v4=${`iptables-${backend}`}; v6=${`ip6tables-${backend}`}
${TAKE.replaceAll("'", '')}
load ${name}.live; take ${name}; save ${name}'`,
      )
      .join('\n');
    const out = inKernel(
      backend,
      files,
      script,
      placed.flatMap(({ name }) => outputs(name)),
    );
    for (const { name, to, next } of placed) {
      expect([name, stateOf(out, name)]).toEqual([name, expected(next)]);
      const text = (part: string): string => out[`${name}.${part}.out`] ?? '';
      const again = unwrap(readRuleset({ v4: text('v4'), v6: text('v6'), sets: text('sets') }, name));
      const same = replaceManaged(again, to, 'chains').next;
      expect([name, restoreScripts(again, same)]).toEqual([
        name,
        { v4: '', v6: '', sets: '', setsAfter: '' },
      ]);
    }
  });

  test('what others add in between survives both ways', () => {
    const live = read(STATES[1]?.[1] ?? '');
    const { next } = replaceManaged(live, caseOf('router'), 'chains');
    const container = `
      $v4 -A DOCKER -d 172.17.0.3/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 90 -j ACCEPT
      $v4 -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 90 -j DNAT --to-destination 172.17.0.3:90`;
    const ban = `
      $v4 -N f2b-sshd; $v4 -A f2b-sshd -j RETURN; $v4 -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
      $v4 -I f2b-sshd 1 -s 198.51.100.5/32 -j REJECT --reject-with icmp-port-unreachable
      ipset create f2b-all hash:ip; ipset add f2b-all 198.51.100.6`;
    const files = {
      ...stateFiles('live', live),
      ...wayFiles('forward', restoreScripts(live, next)),
      ...wayFiles('backward', restoreScripts(next, live)),
    };
    const script = `${TAKE}load live; ${container}\ntake forward; save there; ${ban}\ntake backward; save back`;
    const out = inKernel(backend, files, script, outputs('there', 'back'));
    const there = stateOf(out, 'there').v4.join('');
    const back = stateOf(out, 'back').v4.join('');
    expect(there).toContain('--dport 90 -j DNAT --to-destination 172.17.0.3:90');
    expect(back).toContain('--dport 90 -j ACCEPT');
    expect(back).toContain('-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd');
    expect(back).toContain('-A f2b-sshd -s 198.51.100.5/32 -j REJECT');
    expect(back).not.toContain('SALLYPORT');
    expect(stateOf(out, 'back').sets.join('\n')).toContain('add f2b-all 198.51.100.6');
  });

  test('back to an empty state, policies accept and no owned chain or set is left', () => {
    const live = read('');
    const { next } = replaceManaged(live, caseOf('db'), 'chains');
    const files = {
      ...wayFiles('forward', restoreScripts(live, next)),
      ...wayFiles('backward', restoreScripts(next, live)),
    };
    const out = inKernel(
      backend,
      files,
      `${TAKE}take forward; save there; take backward; save back`,
      outputs('there', 'back'),
    );
    expect(stateOf(out, 'there').sets).toHaveLength(71);
    expect(stateOf(out, 'back')).toEqual({ v4: [], v6: [], sets: [] });
  });

  test('managing whole tables removes foreign rules, and the backward script restores them', () => {
    const live = read(STATES[2]?.[1] ?? '');
    const { next } = replaceManaged(live, caseOf('web'), 'tables', { mayRemove: ['fail2ban'] });
    const files = {
      ...stateFiles('live', live),
      ...wayFiles('forward', restoreScripts(live, next)),
      ...wayFiles('backward', restoreScripts(next, live)),
    };
    const script = `${TAKE}load live; take forward; save there; take backward; save back`;
    const out = inKernel(backend, files, script, outputs('there', 'back'));
    expect(stateOf(out, 'there')).toEqual(expected(caseOf('web')));
    expect(stateOf(out, 'back')).toEqual(expected(live));
  });
});

test('a set that changes gains and then loses members, one that is new is made, one that goes is gone when no rule names it', () => {
  const networks = (...cidrs: readonly string[]): string =>
    `sets_from: 2\nversion: 1\nssh: {user: deploy}\nadmin: 203.0.113.0/28\n#${cidrs.length}`;
  const host = (name: string): string => `input:\n  - deny: any\n    from: ${name}\n`;
  const files = (list: string, other: string) => ({
    'fleet.yml': networks(),
    'networks.yml': `networks:\n  list: [${list}]\n  other: [${other}]\n`,
  });
  const first = compiled(host('list'), files('192.0.2.1, 192.0.2.5, 198.51.100.0/24', '10.0.0.1, 10.0.0.9'));
  const second = compiled(host('list'), files('192.0.2.1, 198.51.100.0/25', '10.0.0.1, 10.0.0.9'));
  const third = compiled(host('other'), files('192.0.2.1, 192.0.2.5', '10.0.0.1, 10.0.0.9'));
  const script = `${TAKE}take a; save a; take b; save b; take c; save c; take d; save d`;
  const ways = {
    ...wayFiles('a', restoreScripts(read(''), first)),
    ...wayFiles('b', restoreScripts(first, second)),
    ...wayFiles('c', restoreScripts(second, third)),
    ...wayFiles('d', restoreScripts(third, read(''))),
  };
  const out = inKernel('nft', ways, script, outputs('a', 'b', 'c', 'd'));
  expect(stateOf(out, 'a')).toEqual(expected(first));
  expect(stateOf(out, 'b')).toEqual(expected(second));
  expect(stateOf(out, 'c')).toEqual(expected(third));
  expect(stateOf(out, 'd')).toEqual({ v4: [], v6: [], sets: [] });
  // Rules that did not change are not written again.
  expect(restoreScripts(first, second)).toMatchObject({ v4: '', v6: '' });
});
