import { compileHost } from '../../../src/compile/rules/compile.js';
import { compiled, fleetOf, hostOf, rulesIn } from '../fleet.js';

/** Rules of the host itself: between the baseline's SSH and its tail. */
function own(host: string, family: 'v4' | 'v6' = 'v4'): readonly string[] {
  const rules = rulesIn(compiled(host), 'SALLYPORT-INPUT', family);
  const start = rules.findIndex((text) => text.includes('SSH from admin'));
  return rules.slice(start + 1, -2);
}

const NEW = '-m conntrack --ctstate NEW';
const WHY = '-m comment --comment "h: why"';

test('the baseline: loopback, established, invalid, ICMP, SSH of administrators; then log and drop', () => {
  const rules = rulesIn(compiled(''), 'SALLYPORT-INPUT');
  expect(rules).toEqual([
    '-i lo -j ACCEPT',
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-m conntrack --ctstate INVALID -j DROP',
    '-p icmp -m icmp --icmp-type 3 -j ACCEPT',
    '-p icmp -m icmp --icmp-type 11 -j ACCEPT',
    '-p icmp -m icmp --icmp-type 12 -j ACCEPT',
    `-s 203.0.113.0/28 -p tcp -m tcp --dport 22 ${NEW} -m comment --comment "baseline: SSH from admin" -j ACCEPT`,
    '-m limit --limit 5/min --limit-burst 10 -j LOG --log-prefix "iptables-drop: "',
    '-j DROP',
  ]);
});

test('IPv6 keeps neighbour discovery, packet too big and MLD', () => {
  const rules = rulesIn(compiled(''), 'SALLYPORT-INPUT', 'v6').join('\n');
  for (const type of [1, 2, 3, 4, 128, 133, 134, 135, 136])
    expect(rules).toContain(`\n-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j ACCEPT`);
  for (const type of [130, 131, 132, 143])
    expect(rules).toContain(`-s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j ACCEPT`);
});

test('a rule that names states takes those packets and no others', () => {
  const rules = rulesIn(
    compiled(`
input:
  - {allow: http, state: any, reason: x}
  - {allow: https, state: [new, invalid], reason: x}
  - {deny: any, state: untracked}
  - {allow: ping, state: new, reason: x}
`),
    'SALLYPORT-INPUT',
  );
  expect(rules.slice(-6, -2)).toEqual([
    '-p tcp -m tcp --dport 80 -m comment --comment "h: x" -j ACCEPT',
    '-p tcp -m tcp --dport 443 -m conntrack --ctstate INVALID,NEW -m comment --comment "h: x" -j ACCEPT',
    '-m conntrack --ctstate UNTRACKED -m comment --comment h -j DROP',
    '-p icmp -m icmp --icmp-type 8 -m conntrack --ctstate NEW -m comment --comment "h: x" -j ACCEPT',
  ]);
});

test('what the baseline leaves to the rules it neither accepts nor drops', () => {
  const ruleset = compiled(`
baseline: {loopback: rules, established: rules, invalid: rules, ssh: rules, icmp: none, log: false}
output: [{deny: smtp}]
forward: [{deny: any}]
`);
  expect(rulesIn(ruleset, 'SALLYPORT-INPUT')).toEqual(['-j DROP']);
  expect(rulesIn(ruleset, 'SALLYPORT-OUTPUT')).toHaveLength(1);
  expect(rulesIn(ruleset, 'SALLYPORT-FORWARD')).toHaveLength(2);
});

test('a host of another SSH port lets its administrators in there', () => {
  const rules = rulesIn(compiled('ssh: {port: 2222}'), 'SALLYPORT-INPUT');
  expect(rules.filter((text) => text.includes('--dport'))).toEqual([
    expect.stringContaining('-s 203.0.113.0/28 -p tcp -m tcp --dport 2222'),
  ]);
});

test('output that is not locked and has no rules is left alone; any rule brings what keeps sessions alive', () => {
  expect(rulesIn(compiled(''), 'SALLYPORT-OUTPUT')).toEqual([]);
  const denied = rulesIn(compiled('output:\n  - deny: any\n    to: 198.51.100.0/24'), 'SALLYPORT-OUTPUT');
  expect(denied[0]).toBe('-o lo -j ACCEPT');
  expect(denied[1]).toBe('-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT');
  expect(denied.at(-1)).toBe('-d 198.51.100.0/24 -m comment --comment h -j DROP');
});

test('a host’s own rules come before those of its roles, roles in their order', () => {
  const rule = (port: number): string => `input:\n  - allow: tcp/${port}\n    reason: why\n`;
  const ruleset = compiled(`roles: [b, a]\n${rule(1)}`, { 'roles/a.yml': rule(3), 'roles/b.yml': rule(2) });
  const ports = rulesIn(ruleset, 'SALLYPORT-INPUT').flatMap(
    (text) => /--dport (\d)\b /.exec(text)?.[1] ?? [],
  );
  expect(ports).toEqual(['1', '2', '3']);
});

describe('services', () => {
  test('ports of one protocol share a rule, a multiport of at most 15 slots with ranges counting two', () => {
    const ports = Array.from({ length: 9 }, (_, index) => `tcp/${100 + index * 10}-${105 + index * 10}`);
    expect(own(`input:\n  - allow: [${ports.join(', ')}]\n    reason: why`)).toEqual([
      `-p tcp -m multiport --dports 100:105,110:115,120:125,130:135,140:145,150:155,160:165 ${NEW} ${WHY} -j ACCEPT`,
      `-p tcp -m multiport --dports 170:175,180:185 ${NEW} ${WHY} -j ACCEPT`,
    ]);
  });

  test('a single port and a single range need no multiport; ports that overlap are one', () => {
    expect(own('input:\n  - allow: [tcp/80, udp/100-200, udp/150-300]\n    reason: why')).toEqual([
      `-p tcp -m tcp --dport 80 ${NEW} ${WHY} -j ACCEPT`,
      `-p udp -m udp --dport 100:300 ${NEW} ${WHY} -j ACCEPT`,
    ]);
  });

  test('ICMP stands in its own family, without a state that its packets may not have', () => {
    const host = 'input:\n  - allow: [icmp/timestamp-request, icmpv6/router-solicitation]\n    reason: why';
    expect(own(host)).toEqual([`-p icmp -m icmp --icmp-type 13 ${WHY} -j ACCEPT`]);
    expect(own(host, 'v6')).toEqual([`-p ipv6-icmp -m icmp6 --icmpv6-type 133 ${WHY} -j ACCEPT`]);
  });

  test('TCP is rejected with a reset, everything else with port unreachable', () => {
    expect(own('input:\n  - reject: any\n    from: app')).toEqual([
      '-s 10.10.0.0/16 -p tcp -m comment --comment h -j REJECT --reject-with tcp-reset',
      '-s 10.10.0.0/16 -m comment --comment h -j REJECT --reject-with icmp-port-unreachable',
    ]);
  });
});

describe('addresses', () => {
  test('a rule of one family’s addresses is in that family alone', () => {
    const host = 'input:\n  - allow: http\n    from: monitoring\n    reason: why';
    expect(own(host)).toHaveLength(1);
    expect(own(host, 'v6')).toHaveLength(0);
  });

  test('from and to are a cross product', () => {
    const host =
      'input:\n  - allow: http\n    from: [10.0.0.1, 10.0.0.3]\n    to: [192.0.2.10, 192.0.2.12]\n    reason: why';
    expect(own(host).map((text) => text.split(' -p ')[0])).toEqual([
      '-s 10.0.0.1/32 -d 192.0.2.10/32',
      '-s 10.0.0.1/32 -d 192.0.2.12/32',
      '-s 10.0.0.3/32 -d 192.0.2.10/32',
      '-s 10.0.0.3/32 -d 192.0.2.12/32',
    ]);
  });

  test('many addresses are a set, whose name does not depend on its members', () => {
    const ruleset = compiled('input:\n  - deny: any\n    from: blocklist');
    expect(rulesIn(ruleset, 'SALLYPORT-INPUT')).toContain(
      '-m set --match-set SALLYPORT-blocklist-4 src -m comment --comment h -j DROP',
    );
    expect(ruleset.sets.map(({ name, members }) => [name, members.length])).toEqual([
      ['SALLYPORT-blocklist-4', 70],
    ]);
    expect(ruleset.sets[0]?.members.slice(0, 2)).toEqual(['192.0.2.0', '192.0.2.2']);
  });

  test('exceptions are taken out exactly: computed, negated, or by a chain that returns', () => {
    const rule = (from: string, except: string): string =>
      `input:\n  - deny: any\n    from: ${from}\n    except: ${except}`;
    expect(own(rule('10.0.0.0/30', '10.0.0.1'))).toEqual([
      '-s 10.0.0.0/32 -m comment --comment h -j DROP',
      '-s 10.0.0.2/31 -m comment --comment h -j DROP',
    ]);
    expect(own(rule('any', '10.0.0.0/8'))).toEqual(['! -s 10.0.0.0/8 -m comment --comment h -j DROP']);
    const some = compiled(rule('any', '[10.0.0.0/8, 192.168.0.0/16]'));
    const [jump = ''] = own(rule('any', '[10.0.0.0/8, 192.168.0.0/16]'));
    expect(jump).toMatch(/^-m comment --comment h -j SALLYPORT-INPUT-[0-9a-f]{8}$/);
    expect(rulesIn(some, jump.split(' ').at(-1) ?? '')).toEqual([
      '-s 10.0.0.0/8 -j RETURN',
      '-s 192.168.0.0/16 -j RETURN',
      '-m comment --comment h -j DROP',
    ]);
    // What is not of the family takes nothing out of it.
    expect(own(rule('any', '[10.0.0.0/8, 192.168.0.0/16]'), 'v6')).toEqual([
      '-m comment --comment h -j DROP',
    ]);
  });
});

describe('rates and logs', () => {
  test('one rate is one bucket, however many addresses and services there are', () => {
    const ruleset = compiled(
      'input:\n  - allow: [http, udp/53]\n    from: [10.0.0.1, 10.0.0.3]\n    rate: 10/minute\n    reason: why',
    );
    const text = JSON.stringify(ruleset.v4);
    expect(text.match(/--limit 10\/min/g)).toHaveLength(1);
  });

  test('a rate for each source has a name that is stable and short enough for every kernel', () => {
    const host = 'input:\n  - allow: http\n    rate: {limit: 10/minute, per: source}\n    reason: why';
    const [first = ''] = own(host);
    const name = /--hashlimit-name (\S+)/.exec(first)?.[1] ?? '';
    expect(name.length).toBeLessThanOrEqual(15);
    expect(own(host.replace('why', 'another reason'))[0]).toContain(name);
  });

  test('what is logged is logged with a limit, before the verdict', () => {
    expect(own('input:\n  - deny: smtp\n    log: true')).toEqual([
      '-p tcp -m tcp --dport 25 -m limit --limit 5/min --limit-burst 10 -m comment --comment h -j LOG --log-prefix "iptables-drop: "',
      '-p tcp -m tcp --dport 25 -m comment --comment h -j DROP',
    ]);
  });

  test('a packet over the rate is neither let in nor logged as if it were', () => {
    const ruleset = compiled('input:\n  - allow: http\n    rate: 10/minute\n    log: true\n    reason: why');
    const jump = rulesIn(ruleset, 'SALLYPORT-INPUT').find((text) => text.includes('--limit 10/min')) ?? '';
    expect(rulesIn(ruleset, jump.split(' ').at(-1) ?? '').map((text) => text.split(' -j ')[1])).toEqual([
      'LOG --log-prefix "iptables-allow: "',
      'ACCEPT',
    ]);
  });

  test('a deny with a rate would let the rest pass, and is refused', () => {
    const fleet = fleetOf('input:\n  - deny: http\n    rate: 10/minute');
    expect(compileHost(fleet, hostOf(fleet))).toMatchObject({
      ok: false,
      problems: [{ id: 'rate-on-deny', level: 'error', location: { file: 'policies/hosts/h.yml', line: 4 } }],
    });
  });
});

describe('comments', () => {
  test('a reason too long is cut to what the kernel keeps, stays unique, and is noted', () => {
    const long = 'A reason that goes on and on. '.repeat(12);
    const rule = (end: string, port: number): string => `  - allow: tcp/${port}\n    reason: ${long}${end}\n`;
    const fleet = fleetOf(`input:\n${rule('one', 1)}${rule('two', 1)}`);
    const result = compileHost(fleet, hostOf(fleet));
    expect(result.problems.map(({ id, level }) => [id, level])).toEqual([
      ['comment-cut', 'note'],
      ['comment-cut', 'note'],
    ]);
    const comments = own(`input:\n${rule('one', 1)}${rule('two', 1)}`).map(
      (text) => /--comment "(.*)" -j/.exec(text)?.[1] ?? '',
    );
    expect(comments.map((text) => Buffer.byteLength(text))).toEqual([255, 255]);
    expect(comments[0]).not.toBe(comments[1]);
  });
});

describe('nat', () => {
  test('a dnat brings the forward rule for its new address and port, for translated connections alone', () => {
    const ruleset = compiled('nat:\n  - dnat: https\n    target: 10.0.0.5:8443\n    reason: why');
    expect(rulesIn(ruleset, 'SALLYPORT-PREROUTING', 'v4', 'nat')).toEqual([
      `-p tcp -m tcp --dport 443 ${WHY} -j DNAT --to-destination 10.0.0.5:8443`,
    ]);
    expect(rulesIn(ruleset, 'SALLYPORT-FORWARD')).toContain(
      `-d 10.0.0.5/32 -p tcp -m tcp --dport 8443 -m conntrack --ctstate DNAT ${WHY} -j ACCEPT`,
    );
    expect(ruleset.v6.map(({ name }) => name)).toEqual(['filter']);
  });

  test('a target of the host itself is let in, not forwarded', () => {
    const ruleset = compiled('nat:\n  - dnat: tcp/2222\n    target: 192.0.2.10:22\n    reason: why');
    expect(rulesIn(ruleset, 'SALLYPORT-INPUT').join('\n')).toContain(
      '-d 192.0.2.10/32 -p tcp -m tcp --dport 22',
    );
    expect(rulesIn(ruleset, 'SALLYPORT-FORWARD')).toHaveLength(2);
  });
});

test('every rule knows its line of the policy', () => {
  const ruleset = compiled('roles: [web]', {
    'roles/web.yml': 'input:\n  - allow: http\n    reason: why\n',
  });
  const places = ruleset.v4.flatMap(({ chains }) =>
    chains.flatMap(({ rules }) =>
      rules.map(({ location, text }) => [location?.file, location?.line, text] as const),
    ),
  );
  expect(places.every(([file]) => file?.startsWith('policies/'))).toBe(true);
  expect(places.find(([, , text]) => text.includes('web: why'))?.slice(0, 2)).toEqual([
    'policies/roles/web.yml',
    2,
  ]);
});

test('the same policy read twice gives the same rules', () => {
  const host =
    'input:\n  - allow: http\n    except: [10.0.0.1, 10.0.0.9]\n    rate: {limit: 1/second, per: source}\n    reason: why';
  expect(compiled(host)).toEqual(compiled(host));
});
