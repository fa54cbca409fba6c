/** Every problem with its location, message and hint; the texts are part of the interface. */
import { describe, expect, test } from '@jest/globals';
import { BASE, host, problemLines, read } from './policy.js';

type Files = Readonly<Record<string, string | undefined>>;
const rules = (text: string): Files => ({ 'hosts/web-1.yml': host(`input:\n${text}`) });
const networks = (lines: string): Files => ({ 'networks.yml': `${BASE['networks.yml']}${lines}` });
const services = (lines: string): Files => ({ 'services.yml': `services:\n${lines}` });
const fleet = (lines: string): Files => ({ 'fleet.yml': `${BASE['fleet.yml']}${lines}` });

/** Files → exactly these problems. */
const CASES: Readonly<Record<string, readonly [Files, readonly string[]]>> = {
  'an unknown key, with the nearest known one': [
    { 'fleet.yml': 'version: 1\nssh: {user: deploy, prot: 22}\nadmin: [admin]\n' },
    ['fleet.yml:2:21: Unknown key "prot" in "ssh". Did you mean port?'],
  ],
  'an unknown program in may_remove': [
    fleet('ownership: tables\nmay_remove: [dokcer]\n'),
    [
      'fleet.yml:5:14: "dokcer" is not a valid value for item 1 of "may_remove": expected docker, fail2ban, kube-proxy, libvirt, calico, cilium, flannel, weave, cni, podman, nomad, tailscale, crowdsec or sshguard. Did you mean docker?',
    ],
  ],
  'errors inside a value that may be of several types': [
    fleet('baseline: {log: {rate: 5, brust: 3, level: loud}}\n'),
    [
      'fleet.yml:4:24: Expected a string for "rate", found 5. A rate such as 5/minute.',
      'fleet.yml:4:27: Unknown key "brust" in "log". Did you mean burst?',
      'fleet.yml:4:44: "loud" is not a valid value for "level": expected emerg, alert, crit, error, warning, notice, info or debug.',
    ],
  ],
  'a version in quotes': [
    { 'fleet.yml': 'version: "1"\nssh: {user: deploy}\nadmin: [admin]\n' },
    ['fleet.yml:1:10: "1" is not a valid value for "version": expected 1. Write 1 without quotes.'],
  ],
  'no fleet.yml': [
    { 'fleet.yml': undefined },
    [
      'fleet.yml:1:1: fleet.yml not found. Create it, or pass the policy folder; "sallyport init" writes an example.',
    ],
  ],
  'an empty file': [
    { 'fleet.yml': '\n# nothing\n' },
    ['fleet.yml:1:1: The file is empty. Add settings, or delete it.'],
  ],
  'an empty value': [
    { 'hosts/web-1.yml': host('input:\n') },
    ['hosts/web-1.yml:2:7: No value for "input". Write a value, or remove the key.'],
  ],
  'undefined names, with the nearest defined names': [
    rules('  - allow: htps\n    from: [admn, role:wbe, host:web-2]\n    reason: x\n'),
    [
      'hosts/web-1.yml:3:12: Unknown service "htps". Did you mean https?',
      'hosts/web-1.yml:4:12: Unknown network "admn". Did you mean admin?',
      'hosts/web-1.yml:4:18: Unknown role "wbe". Did you mean web?',
      'hosts/web-1.yml:4:28: Unknown host "web-2". Did you mean web-1?',
    ],
  ],
  'a role without hosts in from': [
    { ...rules('  - allow: https\n    from: role:web\n    reason: x\n') },
    ['hosts/web-1.yml:4:11: Role "web" has no hosts, so it has no address.'],
  ],
  'host bits in a network': [
    networks('  a: 10.0.0.1/8\n'),
    [
      'networks.yml:5:6: 10.0.0.1/8 has host bits set. Write 10.0.0.0/8 for the network, or 10.0.0.1 for the single address.',
    ],
  ],
  'ambiguous or unsupported forms of addresses': [
    networks('  a: 010.0.0.1\n  b: 10.1\n  c: 10.1.2\n  d: fe80::1%eth0\n  e: ::ffff:192.0.2.1\n'),
    [
      'networks.yml:5:6: "010.0.0.1" is not a valid IP address. Remove the leading zeros of its numbers.',
      'networks.yml:6:6: Expected a string or a list for "b", found 10.1. Put it in quotes: "10.1".',
      'networks.yml:7:6: "10.1.2" is not a valid IP address.',
      'networks.yml:8:6: "fe80::1%eth0" has a zone ID. Use "in" or "out" for the interface.',
      'networks.yml:9:6: "::ffff:192.0.2.1" is an IPv4-mapped IPv6 address, which no packet carries. Write 192.0.2.1.',
    ],
  ],
  'masks, ranges and DNS names as networks': [
    networks('  a: 10.0.0.0/255.0.0.0\n  b: 10.0.0.1-10.0.0.9\n  c: www.example.com\n  d: 10.0.0.0/33\n'),
    [
      'networks.yml:5:6: "/255.0.0.0" is not a valid prefix length. Write 10.0.0.0/8.',
      'networks.yml:6:6: "10.0.0.1-10.0.0.9" is not a valid IP address. Write the range as one or more CIDR networks.',
      'networks.yml:7:6: "www.example.com" is a DNS name, whose addresses can change at any time. Write its addresses, or host:NAME for a host of this policy.',
      'networks.yml:8:6: "/33" is not a valid prefix length. Write a number from 0 to 32.',
    ],
  ],
  'a cycle of networks': [
    networks('  a: [b]\n  b: [a]\n'),
    ['networks.yml:6:7: Circular network reference: a → b → a. Remove one of them.'],
  ],
  'reserved names': [
    { ...networks('  any: 10.0.0.1\n'), ...services('  tcp: udp/1\n') },
    [
      'networks.yml:5:3: "any" is a reserved name. Choose another name: "any" means every address.',
      'services.yml:2:3: "tcp" is a reserved name. Choose another name.',
    ],
  ],
  'ports without a protocol, out of range, or in the wrong order': [
    services(
      '  a: 443\n  b: tcp/70000\n  c: tcp/20-10\n  d: 443/tcp\n  e: tcp/1:2\n  f: tcp/0\n  g: "22-23"\n',
    ),
    [
      'services.yml:2:6: Port 443 has no protocol. Write tcp/443 or udp/443.',
      'services.yml:3:6: Port 70000 is out of range: 1 to 65535.',
      'services.yml:4:6: Port range 20-10 ends before it starts. Write 10-20.',
      'services.yml:5:6: "443/tcp" is not a valid service. Write tcp/443.',
      'services.yml:6:6: "1:2" is not a valid port. Write the range as 1-2.',
      'services.yml:7:6: Port 0 is out of range: 1 to 65535.',
      'services.yml:8:6: Port 22-23 has no protocol. Write tcp/22-23 or udp/22-23.',
    ],
  ],
  'an unknown ICMP type, and an abbreviation': [
    services('  a: icmp/echo-rquest\n  b: icmp/echo-req\n'),
    [
      'services.yml:2:6: Unknown ICMP type "echo-rquest". Write a name such as echo-request, a number, or number/code; "icmp" alone means every type.',
      'services.yml:3:6: Unknown ICMP type "echo-req". Write a name such as echo-request, a number, or number/code; "icmp" alone means every type.',
    ],
  ],
  'rules without a verb, with two verbs, or without a reason': [
    rules(
      '  - allow: https\n  - allow: https\n    deny: http\n    reason: z\n  - from: any\n  - allow: https\n    log: http\n    reason: x\n',
    ),
    [
      'hosts/web-1.yml:3:5: Missing key "reason" in an allow rule. Add a sentence that explains the rule.',
      'hosts/web-1.yml:5:5: "allow" and "deny" are mutually exclusive. Split it into two rules.',
      'hosts/web-1.yml:7:5: Missing key "allow", "deny", "reject" or "log". Add one of them, such as "allow: https".',
      'hosts/web-1.yml:9:5: "allow" and "log" are mutually exclusive. Write "log: true" to log the packets that the rule matches.',
    ],
  ],
  'rules that match no packet': [
    rules(
      '  - deny: https\n    family: v6\n    from: admin\n  - deny: https\n    from: admin\n    to: six\n  - deny: https\n    from: app\n    except: app\n  - deny: icmp/fragmentation-needed\n    from: six\n',
    ),
    [
      'hosts/web-1.yml:4:13: The rule matches no packet: it is for IPv6, but its addresses are IPv4.',
      'hosts/web-1.yml:6:5: The rule matches no packet: "from" is IPv4 and "to" is IPv6.',
      'hosts/web-1.yml:11:13: The rule matches no packet: "except" removes every address of "from".',
      "hosts/web-1.yml:12:5: icmp/fragmentation-needed does not exist in IPv6, the family of the rule's addresses. Move it to a separate rule.",
    ],
  ],
  'an invalid date, and a deny with expires': [
    rules(
      '  - allow: https\n    reason: x\n    expires: 2026-02-30\n  - deny: http\n    expires: 2027-01-01\n',
    ),
    [
      'hosts/web-1.yml:5:14: 2026-02-30 is not a valid date. Write it as YYYY-MM-DD.',
      'hosts/web-1.yml:7:5: "expires" does not apply to deny rules. Remove it: a rule that expires must not open anything.',
    ],
  ],
  'interfaces of the wrong direction, unknown, or invalid for a kernel': [
    {
      'hosts/web-1.yml': host(
        'input:\n  - deny: http\n    out: public\n  - deny: http\n    in: publik\n',
        'interfaces: {public: eth0, bad: "eth0;reboot"}\n',
      ),
    },
    [
      `hosts/web-1.yml:2:33: "eth0;reboot" is not a valid value for "bad". A kernel interface name: at most 15 letters, digits, '.', '-', '_' and '@'; a final '+' matches any suffix.`,
      'hosts/web-1.yml:5:5: "out" does not apply to input rules. Use "in".',
      'hosts/web-1.yml:7:9: Unknown interface "publik" on host "web-1". Did you mean public?',
    ],
  ],
  'rates that the kernel does not support': [
    rules('  - deny: http\n    rate: 1/day\n  - deny: http\n    rate: 10/min\n'),
    [
      'hosts/web-1.yml:4:11: The kernel does not support a rate of 1/day with a burst of 5. Lower the burst until it refills within a day, and use at most 10000/second.',
      'hosts/web-1.yml:6:11: "10/min" is not a valid value for "rate". A rate such as 10/minute, or {limit, burst, per: source}.',
    ],
  ],
  'hosts without an address': [
    { 'hosts/web-1.yml': 'roles: [web]\n', 'hosts/web-2.yml': 'address: web-2.example.com\n' },
    [
      'hosts/web-1.yml:1:1: Host "web-1" has no address. Add "address".',
      'hosts/web-2.yml:1:10: Host "web-2" has a DNS name but no address. Add "addresses" with all of them: rules and proofs need them.',
    ],
  ],
  'duplicate hosts': [
    {
      'hosts/many.yml':
        'hosts:\n  Web-1: {address: 192.0.2.9}\n  web-2: {address: 192.0.2.9}\n  web-2: {address: 192.0.2.8}\n',
    },
    [
      'hosts/many.yml:4:3: Duplicate key "web-2". Keep one of them: the first is in line 3.',
      'hosts/web-1.yml:1:1: Duplicate host "web-1". Keep one of them: the first is in policies/hosts/many.yml:2.',
    ],
  ],
  'a cycle of roles': [
    { 'roles/a.yml': 'roles: [b]\n', 'roles/b.yml': 'roles: [c]\n', 'roles/c.yml': 'roles: [a]\n' },
    ['roles/c.yml:1:9: Circular role reference: a → b → c → a. Remove one of them.'],
  ],
  'names with shell characters': [
    {
      'hosts/a b.yml': 'address: 192.0.2.9\n',
      'hosts/web-2.yml': 'address: "-oProxyCommand=x"\nssh: {user: "a;b"}\n',
      'roles/$(x).yml': 'description: x\n',
    },
    [
      'hosts/a b.yml:1:1: "a b" is not a valid host name. Rename the file. Use letters, digits, "-" and "_", starting with a letter; host names may contain ".".',
      'hosts/web-2.yml:1:1: Host "web-2" has no address. Add "address".',
      'hosts/web-2.yml:1:10: "-oProxyCommand=x" is not a valid value for "address". SSH destination: an address or a DNS name.',
      'hosts/web-2.yml:2:13: "a;b" is not a valid value for "user". The login user: root, or a user with sudo.',
      'roles/$(x).yml:1:1: "$(x)" is not a valid role name. Rename the file. Use letters, digits, "-" and "_", starting with a letter; host names may contain ".".',
    ],
  ],
  'numbers that YAML reads differently from what they look like': [
    {
      'hosts/web-1.yml': host('', 'ssh: {port: 0022}\n'),
      'hosts/web-2.yml': 'address: 192.0.2.9\nssh: {port: 22:22}\n',
    },
    [
      'hosts/web-1.yml:2:13: YAML reads 0022 as the number 22. Write 22, or put it in quotes.',
      'hosts/web-2.yml:2:13: Expected a number for "port", found "22:22". A port from 1 to 65535. Default: 22.',
    ],
  ],
  'invalid YAML, and YAML of another version': [
    {
      'hosts/web-1.yml': 'a: [b\n',
      'hosts/web-2.yml': '%YAML 1.1\n---\naddress: 192.0.2.9\n',
      'hosts/web-3.yml': 'just text\n',
    },
    [
      'hosts/web-1.yml:2:1: Invalid YAML: Flow sequence in block collection must be sufficiently indented and end with a ].',
      'hosts/web-2.yml:1:1: YAML 1.1 is not supported: it reads words and numbers differently. Remove the %YAML line: policies are YAML 1.2.',
      'hosts/web-3.yml:1:1: Expected a mapping, found "just text".',
    ],
  ],
  'an alias inside its own anchor': [
    { 'hosts/web-1.yml': host('input: &a [*a]\n') },
    ['hosts/web-1.yml:2:12: No complete anchor &a before this alias.'],
  ],
  'invalid literal rules': [
    {
      'hosts/web-1.yml': host(`raw:
  - {rule: -p tcp --dprt=22 -j ACCEPT, chain: INPUT, reason: x}
  - {rule: -j ACCEPT, chain: OUTUT, reason: x}
  - {rule: "-p tcp -j DNAT --to-destination 192.0.2.1", chain: INPUT, family: v4, reason: x}
`),
    },
    [
      'hosts/web-1.yml:3:12: Unknown option --dprt=22. Load the match that has it with -m before it.',
      'hosts/web-1.yml:4:30: Unknown chain "OUTUT". Did you mean OUTPUT?',
      'hosts/web-1.yml:5:12: DNAT is not valid in the table filter. It is valid in nat.',
    ],
  ],
  'incomplete or invalid translations': [
    {
      'hosts/web-1.yml': host(`nat:
  - {masquerade: any, reason: x}
  - {dnat: https, target: "192.0.2.5:99999", reason: x}
  - {dnat: any, target: "192.0.2.5:80", reason: x}
  - {dnat: https, target: 192.0.2.5, from: six, reason: x}
  - {redirect: http, reason: x}
`),
    },
    [
      'hosts/web-1.yml:3:6: Missing key "out": the rule would masquerade on every interface. Add the outgoing interface.',
      'hosts/web-1.yml:4:27: "192.0.2.5:99999" is not a valid dnat target. Write 192.0.2.5, 192.0.2.5:8080 or [2001:db8::5]:8080.',
      'hosts/web-1.yml:5:6: A target port needs a service with ports. Write a service or a port, such as tcp/443.',
      'hosts/web-1.yml:6:6: The rule matches no packet: its addresses are of different families.',
      'hosts/web-1.yml:7:6: Missing key "target" in a redirect rule. Add a port.',
    ],
  ],
  'invalid rollout settings': [
    fleet('rollout: {soak: 30, waves: [50%, 25%], canary: web-9, confirm_within: 1s}\n'),
    [
      'fleet.yml:4:17: Expected a string for "soak", found 30. Wait after the canary hosts, such as 5m. Default: 30s.',
      'fleet.yml:4:34: A wave must be larger than the one before it. Write cumulative sizes: [10%, 50%, 100%].',
      'fleet.yml:4:34: The last wave must be 100%. Add 100% at the end: otherwise some hosts are never reached.',
      'fleet.yml:4:48: Unknown host "web-9". Did you mean web-1?',
      'fleet.yml:4:71: 1s is out of range for "confirm_within". Use 10s to 1h: an unconfirmed host keeps the new rules for that long.',
    ],
  ],
  'a log prefix longer than the kernel allows': [
    fleet('baseline: {log: {prefix: "thirty characters are too many: "}}\n'),
    [
      'fleet.yml:4:26: "thirty characters are too many: " is not a valid value for "prefix". At most 29 ASCII characters, without quotes and backslashes.',
    ],
  ],
  'invalid guards and tests': [
    fleet(`guards:
  - {name: x, on: role:wbe, drop: {service: ssh, from: admin, except: admin}}
  - {name: y, on: all, drop: {service: ssh}, accept: {service: ssh}}
tests:
  - {name: t, on: all, packet: {hook: INPUT, src: 1.2.3.400, protocol: tpc}, verdict: drop}
`),
    [
      'fleet.yml:5:19: Unknown role "wbe". Did you mean web?',
      'fleet.yml:6:12: "drop" and "accept" are mutually exclusive. Split it into two guards.',
      'fleet.yml:8:51: "1.2.3.400" is not a valid IP address.',
      'fleet.yml:8:72: Unknown protocol "tpc". Write tcp, udp, icmp, ipv6-icmp or a number.',
    ],
  ],
  'files that are not policy files': [
    { 'network.yml': 'a: b\n', 'hosts/x.yaml': 'address: 192.0.2.1\n' },
    [
      'hosts/x.yaml:1:1: Not a policy file: it would be ignored. Rename it: policy files end in .yml.',
      'network.yml:1:1: Not a policy file: it would be ignored. Did you mean networks.yml?',
    ],
  ],
  'a note for an overridden built-in service': [
    { ...services('  dns: udp/53\n'), ...rules('  - deny: htpss\n') },
    [
      'hosts/web-1.yml:3:11: Unknown service "htpss". Did you mean https?',
      'services.yml:2:3: note: Service "dns" overrides the built-in one. The built-in one is udp/53, tcp/53.',
    ],
  ],
  'a second document in a file': [
    rules('  - deny: ssh\n---\ninput: [{deny: http}]\n'),
    [
      'hosts/web-1.yml:4:1: The file contains more than one YAML document. Keep one: everything after the line "---" would be ignored.',
    ],
  ],
  'missing keys': [
    { 'fleet.yml': 'baseline: {icmp: essential}\n' },
    [
      'fleet.yml:1:1: Missing key "admin". Networks that must always reach SSH on every host.',
      'fleet.yml:1:1: Missing key "ssh". SSH login, such as {user: deploy}.',
      'fleet.yml:1:1: Missing key "version". Write version: 1.',
    ],
  ],
  'a name in capital letters': [
    rules('  - deny: HTTPS\n'),
    ['hosts/web-1.yml:3:11: Unknown service "HTTPS". Did you mean https?'],
  ],
  'YAML 1.1 switches and merge keys, and an infinite number': [
    {
      ...fleet('baseline: {log: off}\nsets_from: .inf\n'),
      ...rules('  - &ssh {allow: ssh, reason: x}\n  - <<: *ssh\n    allow: http\n    reason: y\n'),
    },
    [
      'fleet.yml:4:17: "off" is not a valid value for "log": expected false. Write false: YAML 1.2 reads off as a string.',
      'fleet.yml:5:12: Expected a number for "sets_from", found Infinity. Networks with at least this many entries become ipsets. Default: 64.',
      'fleet.yml:5:12: YAML reads .inf as the number Infinity. Write a number, or put it in quotes.',
      'hosts/web-1.yml:4:5: Merge keys are not supported in YAML 1.2. Write the keys out, or move shared rules to a role.',
    ],
  ],
  'addresses that are not valid for a host': [
    {
      'hosts/web-1.yml': 'addresses: [0.0.0.0, 224.0.0.1, 255.255.255.255, "::", "ff02::1", "192.0.2.1 "]\n',
    },
    [
      'hosts/web-1.yml:1:13: 0.0.0.0 is not a valid host address. Write an address of one of its interfaces.',
      'hosts/web-1.yml:1:22: 224.0.0.1 is not a valid host address. Write an address of one of its interfaces.',
      'hosts/web-1.yml:1:33: 255.255.255.255 is not a valid host address. Write an address of one of its interfaces.',
      'hosts/web-1.yml:1:50: :: is not a valid host address. Write an address of one of its interfaces.',
      'hosts/web-1.yml:1:56: ff02::1 is not a valid host address. Write an address of one of its interfaces.',
      'hosts/web-1.yml:1:67: "192.0.2.1 " is not a valid IP address. Remove the spaces around it.',
    ],
  ],
  'a character that changes the direction of text': [
    rules('  - {allow: http, reason: "a\u202eb"}\n'),
    ['hosts/web-1.yml:3:29: Control character U+202E is not allowed. Remove it.'],
  ],
  'a control character': [
    rules('  - {allow: http, reason: "a\u0007b"}\n'),
    ['hosts/web-1.yml:3:29: Control character U+0007 is not allowed. Remove it.'],
  ],
  'the same character, written as an escape': [
    rules('  - {allow: http, reason: "a\\u202eb"}\n'),
    [
      'hosts/web-1.yml:3:27: "a\u202eb" is not a valid value for "reason". Why the rule exists; it becomes the comment of the rule.',
    ],
  ],
};

describe('an invalid policy', () => {
  test.each(Object.entries(CASES))('%s', (_, [files, problems]) => {
    const result = read(files);
    expect(problemLines(result.problems)).toEqual(problems);
    expect(result.ok).toBe(false);
  });

  test('lists nested too deeply are reported without mention of the call stack', () => {
    const text = problemLines(read({ 'roles/web.yml': '['.repeat(100_000) }).problems).join('\n');
    expect(text).toMatch(/roles\/web\.yml:1:\d+: Lists and mappings are nested too deeply\./);
    expect(text).not.toMatch(/stack/);
  });

  test('names from an unreadable file are not reported as undefined', () => {
    const result = read({ 'networks.yml': 'networks:\n  admin: [203.0.113.0/24\n' });
    expect(result.problems.map(({ id }) => id)).toEqual(['yaml-syntax']);
  });

  test('an invalid definition is reported once, not at every use', () => {
    const result = read({
      'networks.yml': 'networks:\n  admin: 203.0.113.1/24\n',
      ...rules('  - deny: ssh\n    from: admin\n'),
    });
    expect(result.problems.map(({ id }) => id)).toEqual(['host-bits']);
  });

  test('an invalid rule of a role is reported once, however many hosts have the role', () => {
    const result = read({
      'roles/web.yml': 'input:\n  - deny: htps\n',
      'hosts/web-2.yml': 'address: 192.0.2.11\nroles: [web]\n',
    });
    expect(result.problems).toHaveLength(1);
  });
});
