import fc from 'fast-check';
import { ownedPart, replaceManaged } from '../../../src/compile/merge/replace-managed.js';
import { restoreScripts } from '../../../src/compile/merge/restore-scripts.js';
import { renderRuleset } from '../../../src/compile/render.js';
import type { Ruleset } from '../../../src/netfilter/model.js';
import { GOLDEN, OTHERS } from '../cases.js';
import { compiled, rulesIn } from '../fleet.js';
import { DOCKER, FAIL2BAN, read, STATES } from '../foreign.js';

const HOST = compiled('input:\n  - allow: http\n    reason: why\n');
const HOOK = '-j SALLYPORT-INPUT';

const filter = (rules: string, chains = '', policies = 'ACCEPT'): string =>
  `*filter\n:INPUT ${policies} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${chains}${rules}COMMIT\n`;

const replace = (live: Ruleset, desired: Ruleset = HOST): Ruleset =>
  replaceManaged(live, desired, 'chains').next;

/** Every line that is neither managed, nor an entry jump, nor a policy of the filter table, in order. */
const foreignLines = (ruleset: Ruleset): readonly string[] => {
  const { v4, v6, sets } = renderRuleset(ruleset);
  return [v4, v6, sets].flatMap((text) =>
    text
      .split('\n')
      .filter(
        (line) => !/SALLYPORT-|^:(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING) |^\*|^COMMIT|^$/.test(line),
      ),
  );
};

describe('the position of the entry jump', () => {
  test('an empty host, and an absent saved file, become complete files', () => {
    expect(renderRuleset(replace(read('')))).toEqual(renderRuleset(HOST));
  });

  test('a jump to bans stays above and keeps its effect; what accepts comes below', () => {
    const { next, problems } = replaceManaged(read(FAIL2BAN), HOST, 'chains');
    expect(rulesIn(next, 'INPUT')).toEqual([
      '-p tcp -m multiport --dports 22 -j f2b-sshd',
      HOOK,
      '-p tcp -m tcp --dport 22 -j ACCEPT',
      '-p tcp -m tcp --dport 8081 -j ACCEPT',
    ]);
    // Nothing was ours before, so nothing was bypassed.
    expect(problems).toEqual([]);
  });

  test.each([
    ['ACCEPT', '-A INPUT -s 10.0.0.0/8 -j ACCEPT\n', ''],
    ['a chain that accepts', '-A INPUT -j LATE\n-A LATE -p tcp -j ACCEPT\n', ':LATE - [0:0]\n'],
    ['a chain of a chain', '-A INPUT -j A\n-A A -j B\n-A B -j ACCEPT\n', ':A - [0:0]\n:B - [0:0]\n'],
    ['a chain gone to that accepts', '-A INPUT -g A\n-A A -j ACCEPT\n', ':A - [0:0]\n'],
    ['a program that decides', '-A INPUT -p tcp -j NFQUEUE --queue-num 0\n', ''],
    ['what nobody knows', '-A INPUT -p tcp -j HOLOGRAM --at 1\n', ''],
  ])('inserted above the entry jump, %s is a bypass, and the jump moves above it', (_, rules, chains) => {
    const ours = renderRuleset(HOST).v4;
    const live = read(
      ours
        .replace(
          '-A INPUT',
          `${rules
            .split('\n')
            .filter((line) => line.startsWith('-A INPUT'))
            .join('\n')}\n-A INPUT`,
        )
        .replace(/^:SALLYPORT-FORWARD/m, `${chains}:SALLYPORT-FORWARD`)
        .replace(
          'COMMIT',
          `${rules
            .split('\n')
            .filter((line) => line !== '' && !line.startsWith('-A INPUT'))
            .join('\n')}\nCOMMIT`,
        ),
      renderRuleset(HOST).v6,
    );
    const { next, problems } = replaceManaged(live, HOST, 'chains');
    expect(problems.map(({ id, level }) => [id, level])).toEqual([['bypass', 'warning']]);
    expect(problems[0]?.location?.file).toBe('h live v4');
    expect(rulesIn(next, 'INPUT')[0]).toBe(HOOK);
    expect(replaceManaged(next, HOST, 'chains')).toMatchObject({ next, problems: [] });
  });

  test.each([
    ['a drop', '-A INPUT -s 198.51.100.1/32 -j DROP\n', ''],
    ['a log', '-A INPUT -j LOG\n', ''],
    ['a count', '-A INPUT -p tcp\n', ''],
    ['a return, where the policy drops', '-A INPUT -s 10.0.0.0/8 -j RETURN\n', ''],
    ['a ban', '-A INPUT -j f2b-x\n-A f2b-x -j RETURN\n', ':f2b-x - [0:0]\n'],
  ])('inserted above the entry jump, %s is not a bypass, and the jump stays', (_, rules, chains) => {
    const [first = '', ...rest] = rules.split('\n');
    const live = read(
      renderRuleset(HOST)
        .v4.replace('-A INPUT', `${first}\n-A INPUT`)
        .replace(/^:SALLYPORT-FORWARD/m, `${chains}:SALLYPORT-FORWARD`)
        .replace('COMMIT', `${rest.join('\n')}COMMIT`),
      renderRuleset(HOST).v6,
    );
    const { next, problems } = replaceManaged(live, HOST, 'chains');
    expect(problems).toEqual([]);
    expect(renderRuleset(next)).toEqual(renderRuleset(live));
  });

  test('a duplicate entry jump is removed', () => {
    const live = read(
      renderRuleset(HOST).v4.replace(`-A INPUT ${HOOK}\n`, `-A INPUT ${HOOK}\n`.repeat(2)),
      renderRuleset(HOST).v6,
    );
    const { next, problems } = replaceManaged(live, HOST, 'chains');
    expect(problems.map(({ id }) => id)).toEqual(['stale-hook']);
    expect(rulesIn(next, 'INPUT')).toEqual([HOOK]);
  });
});

describe('FORWARD', () => {
  const TAIL = '-j DROP';

  test('drops what is left, where nobody else forwards', () => {
    expect(rulesIn(replace(read('')), 'SALLYPORT-FORWARD').at(-1)).toBe(TAIL);
  });

  test('leaves to Docker what it does not decide, below the jump that only users fill', () => {
    const next = replace(read(DOCKER));
    expect(rulesIn(next, 'SALLYPORT-FORWARD')).toEqual([]);
    expect(rulesIn(next, 'FORWARD').slice(0, 3)).toEqual([
      '-j DOCKER-USER',
      '-j DOCKER-ISOLATION-STAGE-1',
      '-j SALLYPORT-FORWARD',
    ]);
    expect(next.v4.find(({ name }) => name === 'filter')?.chains[1]).toMatchObject({
      name: 'FORWARD',
      policy: 'DROP',
    });
  });

  test('Docker that came after the boot stands above; where the policy only allows, that changes nothing', () => {
    const booted = renderRuleset(HOST).v4.replace(
      '-A FORWARD',
      '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n-A FORWARD',
    );
    const { next, problems } = replaceManaged(read(booted, renderRuleset(HOST).v6), HOST, 'chains');
    expect(problems).toEqual([]);
    expect(renderRuleset(next).v4).toBe(booted);
  });

  test('where the policy denies forwarded traffic, the entry jump comes first', () => {
    const denies = compiled('forward:\n  - deny: any\n    from: 10.0.0.0/8\n');
    const { v4, v6 } = renderRuleset(denies);
    const booted = v4.replace('-A FORWARD', '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n-A FORWARD');
    const { next, problems } = replaceManaged(read(booted, v6), denies, 'chains');
    expect(problems.map(({ id }) => id)).toEqual(['bypass']);
    expect(rulesIn(next, 'FORWARD')[0]).toBe('-j SALLYPORT-FORWARD');
  });

  test('a baseline that accepts does not open what Docker has closed', () => {
    const open = compiled('baseline: {forward: accept}');
    const policy = (ruleset: Ruleset) => ruleset.v4.find(({ name }) => name === 'filter')?.chains[1]?.policy;
    expect(policy(replace(read(DOCKER), open))).toBe('DROP');
    expect(policy(replace(HOST, open))).toBe('ACCEPT');
  });
});

describe('what is others’', () => {
  test.each(STATES)('%s is equal before and after, and applying twice changes nothing', (_, state) => {
    const live = read(
      state,
      filter('-A INPUT -s 2001:db8::/32 -j ACCEPT\n'),
      'create f2b-x hash:ip family inet hashsize 1024 maxelem 65536\nadd f2b-x 10.0.0.1\n',
    );
    for (const { host, files } of [...GOLDEN, ...OTHERS]) {
      const next = replace(live, compiled(host, files));
      expect(foreignLines(next)).toEqual(foreignLines(live));
      expect(replace(next, compiled(host, files))).toEqual(next);
    }
  });

  test('is counted and named', () => {
    expect(replaceManaged(read(DOCKER), HOST, 'chains').foreign).toEqual({
      chains: ['DOCKER', 'DOCKER-ISOLATION-STAGE-1', 'DOCKER-ISOLATION-STAGE-2', 'DOCKER-USER', 'nat DOCKER'],
      rules: 18,
    });
  });

  test('a set of ours that a rule of others names is kept', () => {
    const live = read(
      filter('-A INPUT -m set --match-set SALLYPORT-old-4 src -j DROP\n'),
      '',
      'create SALLYPORT-old-4 hash:net family inet\ncreate SALLYPORT-older-4 hash:net family inet\n',
    );
    expect(replace(live).sets.map(({ name }) => name)).toEqual(['SALLYPORT-old-4']);
  });

  test('a chain of others that leads into one of ours which goes is an error', () => {
    const live = read(filter('-A X -j SALLYPORT-INPUT-old\n', ':SALLYPORT-INPUT-old - [0:0]\n:X - [0:0]\n'));
    expect(replaceManaged(live, HOST, 'chains').problems).toMatchObject([
      { id: 'jump-to-owned', level: 'error' },
    ]);
  });

  test('a literal rule that names a chain or a set that is not there is an error', () => {
    const raw = compiled(
      'raw:\n  - rule: -j THEIRS\n    chain: INPUT\n    family: v4\n    reason: why\n  - rule: -m set --match-set theirs src -j DROP\n    chain: INPUT\n    family: v4\n    reason: why',
    );
    const problems = (live: Ruleset) => replaceManaged(live, raw, 'chains').problems.map(({ id }) => id);
    expect(problems(read(''))).toEqual(['missing-chain', 'missing-set']);
    expect(
      problems(read(filter('', ':THEIRS - [0:0]\n'), '', 'create theirs hash:net family inet\n')),
    ).toEqual([]);
  });
});

describe('whole tables', () => {
  test('what goes is named, rule by rule; what belongs to a running program is refused unless it is named', () => {
    const { next, problems } = replaceManaged(read(FAIL2BAN), HOST, 'tables');
    expect(renderRuleset(next)).toEqual(renderRuleset(HOST));
    expect(problems.map(({ id, level, location }) => [id, level, location?.line])).toEqual([
      ['removes-program', 'error', 6],
      ['removes-foreign', 'warning', 7],
      ['removes-foreign', 'warning', 8],
      ['removes-program', 'error', 9],
      ['removes-program', 'error', 10],
    ]);
    const allowed = replaceManaged(read(FAIL2BAN), HOST, 'tables', { mayRemove: ['fail2ban'] });
    expect(problems[0]?.hint).toContain('"may_remove: [fail2ban]"');
    expect(allowed.problems.every(({ level }) => level === 'warning')).toBe(true);
  });

  test('every rule of Docker and of kube-proxy is theirs, marked or not', () => {
    for (const [name, state] of STATES.filter(([each]) => each === 'Docker' || each === 'kube-proxy')) {
      const { problems } = replaceManaged(read(state), HOST, 'tables');
      const unmarked = problems.filter(({ id }) => id === 'removes-foreign').map(({ message }) => message);
      expect([name, unmarked]).toEqual([name, []]);
    }
  });
});

test('without anything desired, what was closed is opened with the rules gone', () => {
  const nothing = { v4: [], v6: [], sets: [] };
  const next = replace(replace(read(DOCKER)), nothing);
  expect(Object.values(renderRuleset(next)).join('')).not.toContain('SALLYPORT');
  expect(next.v4.find(({ name }) => name === 'filter')?.chains[0]).toMatchObject({
    name: 'INPUT',
    policy: 'ACCEPT',
  });
});

test('what was there before can be placed again: the owned part of a host that had none takes ours away', () => {
  const before = read(UFW_LIKE);
  const taken = replace(replace(before), ownedPart(before, 'chains'));
  expect(renderRuleset(taken)).toMatchObject({ v4: renderRuleset(before).v4 });
});
const UFW_LIKE = filter('-A INPUT -j ACCEPT\n', '', 'DROP');

describe('properties', () => {
  const target = fc.constantFrom('-j ACCEPT', '-j DROP', '-j X', '-g Y', '-j LOG', '-j RETURN', '');
  const match = fc.constantFrom(
    '',
    '-s 10.0.0.0/8 ',
    '-i docker0 ',
    '-p tcp -m tcp --dport 22 ',
    `-m comment --comment "-j SALLYPORT-INPUT" `,
  );
  const chain = fc.constantFrom('INPUT', 'FORWARD', 'OUTPUT', 'X', 'Y');
  const rule = fc.tuple(chain, match, target).map(([to, what, end]) => {
    // Chains of others do not jump: a loop would not load.
    const jumps = end.startsWith('-g') || end === '-j X';
    return `-A ${to} ${what}${jumps && (to === 'X' || to === 'Y') ? '-j DROP' : end}`.trimEnd();
  });
  const hooks = fc.constantFrom('', '-A INPUT -j SALLYPORT-INPUT', '-A FORWARD -j SALLYPORT-FORWARD');
  const live = fc
    .tuple(
      fc.array(fc.oneof({ weight: 6, arbitrary: rule }, { weight: 1, arbitrary: hooks }), { maxLength: 12 }),
      fc.constantFrom('ACCEPT', 'DROP'),
    )
    .map(([rules, policy]) => {
      const lines = rules.filter((line) => line !== '');
      const own = [...new Set(lines.flatMap((line) => / -j (SALLYPORT-\w+)$/.exec(line)?.[1] ?? []))];
      const chains = [':X - [0:0]', ':Y - [0:0]', ...own.map((name) => `:${name} - [0:0]`)];
      return read(filter(lines.map((line) => `${line}\n`).join(''), `${chains.join('\n')}\n`, policy));
    });
  const desired = fc.constantFrom(...[...GOLDEN, ...OTHERS].map(({ host, files }) => compiled(host, files)));

  test('foreign rules are equal before and after, ours are what is desired, and applying twice is placing once', () => {
    fc.assert(
      fc.property(live, desired, (before, wanted) => {
        const { next, problems } = replaceManaged(before, wanted, 'chains');
        expect(foreignLines(next)).toEqual(foreignLines(before));
        const [owned, asked] = [ownedPart(next, 'chains'), ownedPart(wanted, 'chains')];
        // FORWARD alone depends on others: its tail, and a policy that is theirs.
        const rest = (ruleset: Ruleset): string =>
          renderRuleset(ruleset)
            .v4.replace(/^-A SALLYPORT-FORWARD (-j DROP|-m limit \S+ \S+ (\S+ \S+ )?-j LOG .*)\n/gm, '')
            .replace(/^:FORWARD .*\n/gm, '');
        expect(rest(owned)).toBe(rest(asked));
        const again = replaceManaged(next, wanted, 'chains');
        expect(again.next).toEqual(next);
        expect(again.problems.filter(({ id }) => id === 'bypass' || id === 'stale-hook')).toEqual([]);
        expect(restoreScripts(next, again.next)).toEqual({ v4: '', v6: '', sets: '', setsAfter: '' });
        expect(problems.every(({ location }) => location !== undefined)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
