/** What is wrong is said, each in its place; the texts are part of the interface. */
import { describe, expect, test } from '@jest/globals';
import { BASE, host, read, said } from './policy.js';

type Files = Readonly<Record<string, string | undefined>>;
const rules = (text: string): Files => ({ 'hosts/web-1.yml': host(`input:\n${text}`) });
const networks = (lines: string): Files => ({ 'networks.yml': `${BASE['networks.yml']}${lines}` });
const services = (lines: string): Files => ({ 'services.yml': `services:\n${lines}` });
const fleet = (lines: string): Files => ({ 'fleet.yml': `${BASE['fleet.yml']}${lines}` });

/** Files → exactly these problems. */
const CASES: Readonly<Record<string, readonly [Files, readonly string[]]>> = {
  'an unknown key, with the nearest known one': [
    { 'fleet.yml': 'version: 1\nssh: {user: deploy, prot: 22}\nadmin: [admin]\n' },
    ['fleet.yml:2:21: There is no key "prot" in "ssh". Did you mean port?'],
  ],
  'a program that nobody knows, as one whose rules may go': [
    fleet('ownership: tables\nmay_remove: [dokcer]\n'),
    [
      'fleet.yml:5:14: Item 1 of "may_remove" must be docker, fail2ban, kube-proxy, libvirt, calico, cilium, flannel, weave, cni, podman, nomad, tailscale, crowdsec or sshguard, not "dokcer". Did you mean docker?',
    ],
  ],
  'faults within a value of several kinds': [
    fleet('baseline: {log: {rate: 5, brust: 3, level: loud}}\n'),
    [
      'fleet.yml:4:24: "rate" must be a text, not 5. Such as 5/minute.',
      'fleet.yml:4:27: There is no key "brust" in "log". Did you mean burst?',
      'fleet.yml:4:44: "level" must be emerg, alert, crit, error, warning, notice, info or debug, not "loud".',
    ],
  ],
  'a version in quotes': [
    { 'fleet.yml': 'version: "1"\nssh: {user: deploy}\nadmin: [admin]\n' },
    ['fleet.yml:1:10: "version" must be 1, not "1". Write 1 without quotes.'],
  ],
  'no fleet.yml': [
    { 'fleet.yml': undefined },
    [
      'fleet.yml:1:1: There is no fleet.yml here. Write one, or name the folder of the policy; "sallyport init" writes an example.',
    ],
  ],
  'an empty file': [
    { 'fleet.yml': '\n# nothing\n' },
    ['fleet.yml:1:1: The file is empty. Fill it, or delete it.'],
  ],
  'an empty value': [
    { 'hosts/web-1.yml': host('input:\n') },
    ['hosts/web-1.yml:2:7: "input" is empty. Write a value, or remove the key.'],
  ],
  'undefined names, with the nearest defined ones': [
    rules('  - allow: htps\n    from: [admn, role:wbe, host:web-2]\n    reason: x\n'),
    [
      'hosts/web-1.yml:3:12: There is no service "htps". Did you mean https?',
      'hosts/web-1.yml:4:12: There is no network "admn". Did you mean admin?',
      'hosts/web-1.yml:4:18: There is no role "wbe". Did you mean web?',
      'hosts/web-1.yml:4:28: There is no host "web-2". Did you mean web-1?',
    ],
  ],
  'a role that no host has, as a source': [
    { ...rules('  - allow: https\n    from: role:web\n    reason: x\n') },
    ['hosts/web-1.yml:4:11: No host has the role web, so it stands for no address.'],
  ],
  'bits beyond the prefix': [
    networks('  a: 10.0.0.1/8\n'),
    [
      'networks.yml:5:6: 10.0.0.1/8 has bits set beyond its prefix. Write 10.0.0.0/8 for the network, or 10.0.0.1 for the one address.',
    ],
  ],
  'addresses that programs read in different ways': [
    networks('  a: 010.0.0.1\n  b: 10.1\n  c: 10.1.2\n  d: fe80::1%eth0\n  e: ::ffff:192.0.2.1\n'),
    [
      'networks.yml:5:6: "010.0.0.1" is no IP address. Write its numbers without leading zeros.',
      'networks.yml:6:6: "b" must be a text or a list, not 10.1. Put it in quotes: "10.1".',
      'networks.yml:7:6: "10.1.2" is no IP address.',
      'networks.yml:8:6: "fe80::1%eth0" has a zone. Name an interface with in: or out: instead.',
      'networks.yml:9:6: "::ffff:192.0.2.1" is an IPv4 address in IPv6 clothes, which no packet carries. Write 192.0.2.1.',
    ],
  ],
  'masks, ranges and host names as networks': [
    networks('  a: 10.0.0.0/255.0.0.0\n  b: 10.0.0.1-10.0.0.9\n  c: www.example.com\n  d: 10.0.0.0/33\n'),
    [
      'networks.yml:5:6: "/255.0.0.0" is no prefix length. Write 10.0.0.0/8.',
      'networks.yml:6:6: "10.0.0.1-10.0.0.9" is no IP address. Write a range as one or more networks in CIDR form.',
      'networks.yml:7:6: "www.example.com" is a host name, which can change its address at any time. Write its addresses, or host:NAME for a host of this policy.',
      'networks.yml:8:6: "/33" is no prefix length. Write a number from 0 to 32.',
    ],
  ],
  'networks in a circle': [
    networks('  a: [b]\n  b: [a]\n'),
    ['networks.yml:6:7: The networks name each other in a circle: a → b → a. Take one out.'],
  ],
  'names that have a meaning': [
    { ...networks('  any: 10.0.0.1\n'), ...services('  tcp: udp/1\n') },
    [
      'networks.yml:5:3: any is every address and cannot be another network. Choose another name.',
      'services.yml:2:3: tcp has a meaning of its own and cannot be a service. Choose another name.',
    ],
  ],
  'ports without protocol, out of range, the wrong way round': [
    services(
      '  a: 443\n  b: tcp/70000\n  c: tcp/20-10\n  d: 443/tcp\n  e: tcp/1:2\n  f: tcp/0\n  g: "22-23"\n',
    ),
    [
      'services.yml:2:6: The port 443 has no protocol. Write tcp/443 or udp/443.',
      'services.yml:3:6: The port 70000 is outside 1 to 65535.',
      'services.yml:4:6: The range 20-10 ends before it starts. Write 10-20.',
      'services.yml:5:6: "443/tcp" is not how a port is written. Write tcp/443.',
      'services.yml:6:6: "1:2" is no port. Write the range as 1-2.',
      'services.yml:7:6: The port 0 is outside 1 to 65535.',
      'services.yml:8:6: The port 22-23 has no protocol. Write tcp/22-23 or udp/22-23.',
    ],
  ],
  'an ICMP type that is none, and an abbreviation': [
    services('  a: icmp/echo-rquest\n  b: icmp/echo-req\n'),
    [
      'services.yml:2:6: There is no ICMP type "echo-rquest". Write a name such as echo-request, a number, or number/code; "icmp" alone is every type.',
      'services.yml:3:6: There is no ICMP type "echo-req". Write a name such as echo-request, a number, or number/code; "icmp" alone is every type.',
    ],
  ],
  'rules that do not say one thing': [
    rules(
      '  - allow: https\n  - allow: https\n    deny: http\n    reason: z\n  - from: any\n  - allow: https\n    log: http\n    reason: x\n',
    ),
    [
      'hosts/web-1.yml:3:5: The rule allows something without a reason. Add "reason:" with a sentence for the next reader.',
      'hosts/web-1.yml:5:5: The rule says both allow and deny. Make two rules of it.',
      'hosts/web-1.yml:7:5: The rule says neither allow, deny, reject nor log. Name what it is about, as in "allow: https".',
      'hosts/web-1.yml:9:5: The rule says both allow and log. Write "log: true" to log what the rule takes.',
    ],
  ],
  'rules that no packet fits': [
    rules(
      '  - deny: https\n    family: v6\n    from: admin\n  - deny: https\n    from: admin\n    to: six\n  - deny: https\n    from: app\n    except: app\n  - deny: icmp/fragmentation-needed\n    from: six\n',
    ),
    [
      'hosts/web-1.yml:4:13: The rule is for IPv6, but its addresses are IPv4 ones.',
      'hosts/web-1.yml:6:5: "from" has IPv4 addresses and "to" has IPv6 ones: no packet has both.',
      'hosts/web-1.yml:11:13: "except" takes out every address of "from".',
      'hosts/web-1.yml:12:5: icmp/fragmentation-needed is not of IPv6, but the addresses of the rule are. Make a rule of its own for it.',
    ],
  ],
  'dates that are none, and a deny that would open by itself': [
    rules(
      '  - allow: https\n    reason: x\n    expires: 2026-02-30\n  - deny: http\n    expires: 2027-01-01\n',
    ),
    [
      'hosts/web-1.yml:5:14: The calendar has no day 2026-02-30. Write it as YYYY-MM-DD.',
      'hosts/web-1.yml:7:5: A rule that says deny cannot expire: that would open something by itself. Remove "expires:".',
    ],
  ],
  'interfaces on the wrong side, unknown, or not fit for a kernel': [
    {
      'hosts/web-1.yml': host(
        'input:\n  - deny: http\n    out: public\n  - deny: http\n    in: publik\n',
        'interfaces: {public: eth0, bad: "eth0;reboot"}\n',
      ),
    },
    [
      `hosts/web-1.yml:2:33: "bad" cannot be "eth0;reboot". A kernel name of at most 15 letters, digits, '.', '-', '_' and '@'; '+' at the end.`,
      'hosts/web-1.yml:5:5: A packet to the host leaves by no interface. Write "in:".',
      'hosts/web-1.yml:7:9: The host web-1 has no interface "publik". Did you mean public?',
    ],
  ],
  'rates that the kernel cannot count': [
    rules('  - deny: http\n    rate: 1/day\n  - deny: http\n    rate: 10/min\n'),
    [
      'hosts/web-1.yml:4:11: The kernel cannot count 1/day with a burst of 5. Lower the burst until it refills within a day, and stay at 10000/second or less.',
      'hosts/web-1.yml:6:11: "rate" cannot be "10/min". 10/minute, or {limit, burst, per: source}.',
    ],
  ],
  'hosts without an address': [
    { 'hosts/web-1.yml': 'roles: [web]\n', 'hosts/web-2.yml': 'address: web-2.example.com\n' },
    [
      'hosts/web-1.yml:1:1: The host web-1 has no address. Add "address:".',
      'hosts/web-2.yml:1:10: The host web-2 has a name to connect to, but no address. Add "addresses:" with all of them: rules and proofs need them.',
    ],
  ],
  'a host that stands twice': [
    {
      'hosts/many.yml':
        'hosts:\n  Web-1: {address: 192.0.2.9}\n  web-2: {address: 192.0.2.9}\n  web-2: {address: 192.0.2.8}\n',
    },
    [
      'hosts/many.yml:4:3: "web-2" stands twice in this mapping. It stands in line 3 already: keep one of them.',
      'hosts/web-1.yml:1:1: The host web-1 stands twice. It stands in policies/hosts/many.yml:2 already: keep one of them.',
    ],
  ],
  'roles in a circle': [
    { 'roles/a.yml': 'roles: [b]\n', 'roles/b.yml': 'roles: [c]\n', 'roles/c.yml': 'roles: [a]\n' },
    ['roles/c.yml:1:9: The roles include each other in a circle: a → b → c → a. Take one out.'],
  ],
  'names that could reach a shell': [
    {
      'hosts/a b.yml': 'address: 192.0.2.9\n',
      'hosts/web-2.yml': 'address: "-oProxyCommand=x"\nssh: {user: "a;b"}\n',
      'roles/$(x).yml': 'description: x\n',
    },
    [
      'hosts/a b.yml:1:1: "a b" cannot be the name of a host. Rename the file: letters, digits, "-" and "_", starting with a letter; host names may hold ".".',
      'hosts/web-2.yml:1:1: The host web-2 has no address. Add "address:".',
      'hosts/web-2.yml:1:10: "address" cannot be "-oProxyCommand=x". Where SSH connects: an address or a DNS name.',
      'hosts/web-2.yml:2:13: "user" cannot be "a;b". The user that connects; root or one with sudo.',
      'roles/$(x).yml:1:1: "$(x)" cannot be the name of a role. Rename the file: letters, digits, "-" and "_", starting with a letter; host names may hold ".".',
    ],
  ],
  'numbers that YAML reads in its own way': [
    {
      'hosts/web-1.yml': host('', 'ssh: {port: 0022}\n'),
      'hosts/web-2.yml': 'address: 192.0.2.9\nssh: {port: 22:22}\n',
    },
    [
      'hosts/web-1.yml:2:13: YAML reads 0022 as the number 22. Write 22 if that is meant, or put it in quotes.',
      'hosts/web-2.yml:2:13: "port" must be a number, not "22:22". A port from 1 to 65535; 22 when absent.',
    ],
  ],
  'YAML that is none, or of another version': [
    {
      'hosts/web-1.yml': 'a: [b\n',
      'hosts/web-2.yml': '%YAML 1.1\n---\naddress: 192.0.2.9\n',
      'hosts/web-3.yml': 'just text\n',
    },
    [
      'hosts/web-1.yml:2:1: This is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ].',
      'hosts/web-2.yml:1:1: YAML 1.1 reads words and numbers differently. Remove the %YAML line; policies are YAML 1.2.',
      'hosts/web-3.yml:1:1: The file must be a mapping, not "just text".',
    ],
  ],
  'aliases that never end': [
    { 'hosts/web-1.yml': host('input: &a [*a]\n') },
    ['hosts/web-1.yml:2:12: No anchor &a ends before this place.'],
  ],
  'literal rules that a host would refuse': [
    {
      'hosts/web-1.yml': host(`raw:
  - {rule: -p tcp --dprt=22 -j ACCEPT, chain: INPUT, reason: x}
  - {rule: -j ACCEPT, chain: OUTUT, reason: x}
  - {rule: "-p tcp -j DNAT --to-destination 192.0.2.1", chain: INPUT, family: v4, reason: x}
`),
    },
    [
      'hosts/web-1.yml:3:12: The option --dprt=22 is not known here. Load the match that has it with -m before it.',
      'hosts/web-1.yml:4:30: There is no chain "OUTUT". Did you mean OUTPUT?',
      'hosts/web-1.yml:5:12: DNAT cannot stand in the table filter. It belongs into nat.',
    ],
  ],
  'translations that say too little': [
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
      'hosts/web-1.yml:3:6: The rule would masquerade on every interface. Add "out:" with the interface towards the outside.',
      'hosts/web-1.yml:4:27: dnat cannot go to "192.0.2.5:99999". Write 192.0.2.5, 192.0.2.5:8080 or [2001:db8::5]:8080.',
      'hosts/web-1.yml:5:6: A new port needs a protocol that has ports. Name a service or a port, such as tcp/443.',
      'hosts/web-1.yml:6:6: The addresses of the rule are of different families, so no packet fits it.',
      'hosts/web-1.yml:7:6: redirect needs a "target:". Write a port.',
    ],
  ],
  'a rollout that would miss hosts or wait for nothing': [
    fleet('rollout: {soak: 30, waves: [50%, 25%], canary: web-9, confirm_within: 1s}\n'),
    [
      'fleet.yml:4:17: "soak" must be a text, not 30. The wait after the canary, such as 30s (the default) or 5m.',
      'fleet.yml:4:34: A wave must be larger than the one before it. Sizes add up: [10%, 50%, 100%].',
      'fleet.yml:4:34: The last wave must be 100%, or some hosts would never be reached. Add 100% at the end.',
      'fleet.yml:4:48: There is no host "web-9". Did you mean web-1?',
      'fleet.yml:4:71: The deadline must be from 10s to 1h. A host that nobody confirms is without its old rules for that long.',
    ],
  ],
  'a log prefix that the kernel would cut': [
    fleet('baseline: {log: {prefix: "thirty characters are too many: "}}\n'),
    [
      'fleet.yml:4:26: "prefix" cannot be "thirty characters are too many: ". At most 29 characters of ASCII, without quotes and backslashes.',
    ],
  ],
  'guards and tests': [
    fleet(`guards:
  - {name: x, on: role:wbe, drop: {service: ssh, from: admin, except: admin}}
  - {name: y, on: all, drop: {service: ssh}, accept: {service: ssh}}
tests:
  - {name: t, on: all, packet: {hook: INPUT, src: 1.2.3.400, protocol: tpc}, verdict: drop}
`),
    [
      'fleet.yml:5:19: There is no role "wbe". Did you mean web?',
      'fleet.yml:6:12: A guard says either drop or accept. Add "drop:" with what must never pass.',
      'fleet.yml:8:51: The packet needs an address as "src".',
      'fleet.yml:8:72: There is no protocol "tpc". Write tcp, udp, icmp, ipv6-icmp or a number.',
    ],
  ],
  'files that nothing reads': [
    { 'network.yml': 'a: b\n', 'hosts/x.yaml': 'address: 192.0.2.1\n' },
    [
      'hosts/x.yaml:1:1: Policies end in .yml; this file would not be read. Rename it.',
      'network.yml:1:1: This file would not be read. Did you mean networks.yml?',
    ],
  ],
  'a note where something built in is replaced': [
    { ...services('  dns: udp/53\n'), ...rules('  - deny: htpss\n') },
    [
      'hosts/web-1.yml:3:11: There is no service "htpss". Did you mean https?',
      'services.yml:2:3: note: The service dns takes the place of the built-in one. Built in it is udp/53, tcp/53.',
    ],
  ],
  'a second document in a file, which would be left out': [
    rules('  - deny: ssh\n---\ninput: [{deny: http}]\n'),
    [
      'hosts/web-1.yml:4:1: The file holds more than one YAML document. Keep one: what stands behind the line "---" would be left out.',
    ],
  ],
  'keys that must be there': [
    { 'fleet.yml': 'baseline: {icmp: essential}\n' },
    [
      'fleet.yml:1:1: "admin" is missing. Networks that must always reach SSH on every host.',
      'fleet.yml:1:1: "ssh" is missing. How to log in, such as {user: deploy}.',
      'fleet.yml:1:1: "version" is missing. Write version: 1.',
    ],
  ],
  'a name in capital letters': [
    rules('  - deny: HTTPS\n'),
    ['hosts/web-1.yml:3:11: There is no service "HTTPS". Did you mean https?'],
  ],
  'words and keys that other programs read in another way': [
    {
      ...fleet('baseline: {log: off}\nsets_from: .inf\n'),
      ...rules('  - &ssh {allow: ssh, reason: x}\n  - <<: *ssh\n    allow: http\n    reason: y\n'),
    },
    [
      'fleet.yml:4:17: "log" must be false, not "off". Write false: YAML 1.2 reads off as a text.',
      'fleet.yml:5:12: "sets_from" must be a number, not Infinity. Networks of so many entries become ipsets. Default: 64.',
      'fleet.yml:5:12: YAML reads .inf as the number Infinity. Write a number, or put it in quotes.',
      'hosts/web-1.yml:4:5: YAML 1.2 has no merge keys. Write the keys out, or put what rules share into a role.',
    ],
  ],
  'addresses that no host can have': [
    {
      'hosts/web-1.yml': 'addresses: [0.0.0.0, 224.0.0.1, 255.255.255.255, "::", "ff02::1", "192.0.2.1 "]\n',
    },
    [
      'hosts/web-1.yml:1:13: 0.0.0.0 is the address of no host. Write an address that an interface of the host has.',
      'hosts/web-1.yml:1:22: 224.0.0.1 is the address of no host. Write an address that an interface of the host has.',
      'hosts/web-1.yml:1:33: 255.255.255.255 is the address of no host. Write an address that an interface of the host has.',
      'hosts/web-1.yml:1:50: :: is the address of no host. Write an address that an interface of the host has.',
      'hosts/web-1.yml:1:56: ff02::1 is the address of no host. Write an address that an interface of the host has.',
      'hosts/web-1.yml:1:67: "192.0.2.1 " is no IP address. Remove the spaces around it.',
    ],
  ],
  'a sign that turns the direction of text': [
    rules('  - {allow: http, reason: "a\u202eb"}\n'),
    ['hosts/web-1.yml:3:29: A control character stands here. Remove it: U+202E.'],
  ],
  'a control character': [
    rules('  - {allow: http, reason: "a\u0007b"}\n'),
    ['hosts/web-1.yml:3:29: A control character stands here. Remove it: U+0007.'],
  ],
  'such a sign, written as an escape': [
    rules('  - {allow: http, reason: "a\\u202eb"}\n'),
    ['hosts/web-1.yml:3:27: "reason" cannot be "a\u202eb". Why; it becomes the comment of the rule.'],
  ],
};

describe('a faulty policy', () => {
  test.each(Object.entries(CASES))('%s', (_, [files, problems]) => {
    const result = read(files);
    expect(said(result.problems)).toEqual(problems);
    expect(result.ok).toBe(false);
  });

  test('lists nested beyond all measure are told without a word of stacks', () => {
    const text = said(read({ 'roles/web.yml': '['.repeat(100_000) }).problems).join('\n');
    expect(text).toMatch(/roles\/web\.yml:1:\d+: Lists and mappings are nested too deep here\./);
    expect(text).not.toMatch(/stack/);
  });

  test('names that stand in an unreadable file are not reported as undefined', () => {
    const result = read({ 'networks.yml': 'networks:\n  admin: [203.0.113.0/24\n' });
    expect(result.problems.map(({ id }) => id)).toEqual(['yaml-syntax']);
  });

  test('a broken definition is reported once, not at every use', () => {
    const result = read({
      'networks.yml': 'networks:\n  admin: 203.0.113.1/24\n',
      ...rules('  - deny: ssh\n    from: admin\n'),
    });
    expect(result.problems.map(({ id }) => id)).toEqual(['host-bits']);
  });

  test('a faulty rule of a role is reported once, however many hosts have it', () => {
    const result = read({
      'roles/web.yml': 'input:\n  - deny: htps\n',
      'hosts/web-2.yml': 'address: 192.0.2.11\nroles: [web]\n',
    });
    expect(result.problems).toHaveLength(1);
  });
});
