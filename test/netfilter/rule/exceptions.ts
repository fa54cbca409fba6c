/**
 * Every known difference between `fmt` and an installed iptables 1.8.9, by name, with its reason. A difference that
 * is not listed fails the conformance tests.
 */
import type { Family } from '../../../src/lib/family.js';
import { type Backend, type Judge, VERSION } from '../kernel.js';

export interface Exception {
  readonly name: string;
  /** A text is concerned when this matches it. */
  readonly pattern: RegExp;
  readonly backend?: Backend;
  readonly family?: Family;
  /** The only versions of iptables that differ so. */
  readonly versions?: readonly string[];
  readonly reason: string;
}

/** Debian 11 and 13; the differences of Debian 12's 1.8.9 are those without a version. */
const OLD = ['1.8.7'];
const NEW = ['1.8.11'];

const EXCEPTIONS: readonly Exception[] = [
  // Refused on purpose, because what iptables makes of it is a trap.
  {
    name: 'octal and odd numbers',
    pattern: /ports? 022|port \+22|-p 06|-p \+6|-s 010\.|-s 0x0a\.|-s 167772161|\/032|--limit 05/,
    reason: 'iptables reads 022 as 18 and 010.0.0.1 as 8.0.0.1; only plain decimal numbers are taken',
  },
  {
    name: 'short addresses',
    pattern: /-s 10\.1 |--dest(ination)? 22|--src-range 10\.0\.0\.1-5|--mask 24/,
    reason: 'iptables reads 10.1 as 10.1.0.0/32 and other tools as 10.0.0.1; without a mask it is refused',
  },
  {
    name: 'IPv6 addresses in IPv4 rules',
    pattern: /-s ::ffff:10\.0\.0\.1/,
    family: 'v4',
    reason: 'iptables takes the IPv4 address out of a mapped one; a rule names addresses of its own family',
  },
  {
    name: 'ranges that run backwards',
    pattern: /-p (udp|dccp) .*port 5:3|--(ctorigsrcport|length) 5:3|--ctexpire 200:100/,
    reason: 'they match nothing; iptables refuses some of them and takes others',
  },
  {
    name: 'odd interface names',
    pattern: /-i eth0\/1/,
    reason: 'no device can have a slash in its name; iptables takes it with a warning',
  },
  {
    name: 'values joined to their option',
    pattern: /-ptcp|--protocol=tcp|-jACCEPT|-i=eth0|-s::1|-ieth0/,
    reason: '1.8.9 refuses them, and reads -ieth0 as an interface of that name; 1.8.7 and 1.8.11 take them',
  },
  {
    name: 'open quotes',
    pattern: /it"s'/,
    reason: 'a quote that is never closed swallows the rest of the line',
  },
  {
    name: 'long log prefixes',
    pattern: /--log-prefix [0-9]{30}|nflog-prefix x{65}/,
    reason: 'iptables cuts them off without a word',
  },
  {
    name: 'rubbish after numbers',
    pattern: /5abc\/min|5\.5\/min|^\*filter x/m,
    reason: 'iptables reads as far as there are digits',
  },
  {
    name: 'numbers and ports that are no such thing',
    pattern: /--dst-opts 256|\[::1\]80/,
    family: 'v6',
    reason: 'iptables reads 256 as 0, and leaves out what follows the bracket without a colon',
  },
  {
    name: 'counters and policies with rubbish',
    pattern: /^\[5:\]|^\[a:b\]|^:INPUT ACCEPT (5:6|\[5:6$|\[5:6\] x)/m,
    reason: 'iptables reads as far as it understands',
  },
  {
    name: 'commands that are not first or are cut short',
    pattern: /^--app |^-j ACCEPT -A|^-[ZLRE]\b|^-F$/m,
    reason:
      'a ruleset is -A lines (and -I, -D, -N, -P, -F, -X with a chain), the command first; without one, -F of iptables-nft flushes what was there before and not what the text has added',
  },
  {
    name: 'the same chain declared twice',
    pattern: /^:A .*\n(.*\n)?:A /m,
    backend: 'nft',
    reason: 'iptables-nft flushes the chain, the legacy one refuses',
  },
  {
    name: 'policies of own chains',
    pattern: /^:A ACCEPT/m,
    backend: 'nft',
    reason: 'iptables-nft ignores them, the legacy one refuses',
  },
  {
    name: 'names that start with - or !',
    pattern: /^:[-!]x/m,
    backend: 'legacy',
    reason: 'iptables-nft refuses them',
  },
  {
    name: 'rules that never match',
    pattern: /! -[sd] (0\.0\.0\.0\/0|::\/0)|! -i \+|! --tcp-flags NONE|--tcp-flags NONE "?[A-Z]/,
    reason: 'iptables-nft refuses them or turns them into rules that match everything',
  },
  {
    name: 'negated full ranges of ports',
    pattern: /! --(s|d|source-|destination-)port "?(:"?( |$)|0:65535)/m,
    reason: '1.8.9 loses the "!" in the saved text; later versions print it',
  },
  {
    name: 'names with spaces',
    pattern: /-name "a b"/,
    reason: 'iptables saves them without quotes and cannot load them again',
  },
  {
    name: 'names of users',
    pattern: /--uid-owner nobody/,
    reason: 'ids differ from host to host; root is 0 everywhere',
  },
  {
    name: 'a burst of nothing',
    pattern: /--limit-burst 0/,
    backend: 'nft',
    reason: 'iptables-nft takes it as no burst given; the legacy one refuses',
  },
  {
    name: 'tcp under a negated protocol',
    pattern: /! -p tcp (-m tcp|--dport)/,
    backend: 'nft',
    reason: 'the legacy kernel refuses ports of what is not tcp',
  },

  // Accepted on purpose.
  {
    name: 'unknown extensions',
    pattern: /nosuchmatch|-j ULOG|-j CLUSTERIP/,
    reason: 'an extension that the table does not know is kept as it stands',
  },
  {
    name: 'TCPMSS without SYN',
    pattern: /-j TCPMSS/,
    backend: 'nft',
    reason: 'iptables-nft takes it; the kernel demands SYN packets only of the legacy one',
  },
  {
    name: 'every interface',
    pattern: /-o \+/,
    reason: 'it asks nothing and is left out, also in INPUT, where iptables wants no -o at all',
  },
  {
    name: 'no newline at the end',
    pattern: /COMMIT$/,
    backend: 'legacy',
    reason: 'the legacy iptables-restore takes COMMIT for a rule then',
  },
  {
    name: 'nodes of a cluster as a mask',
    pattern: /--cluster-local-nodemask/,
    reason: 'iptables cannot restore the masks above 32 that it saves',
  },
  {
    name: 'large bursts of limit',
    pattern: /--limit-burst [0-9]{4,}|--limit 1\/day/,
    backend: 'legacy',
    reason: 'whether the credits overflow depends on how the kernel was built',
  },

  // Printed as one backend prints it, where the two differ.
  {
    name: 'not from port 0 to n',
    pattern: /! --(s|d|source-|destination-)port "?(0?:[1-9]|0:)/,
    backend: 'legacy',
    reason: 'printed as the range above it, as iptables-nft does',
  },
  {
    name: 'two matches of one protocol',
    pattern: /-m tcp .*-m tcp|-m udp .*-m udp/,
    backend: 'nft',
    reason: 'iptables-nft joins them into one; the legacy one keeps both',
  },
  {
    name: 'nflog-range',
    pattern: /--nflog-range/,
    backend: 'nft',
    reason: 'iptables-nft drops it, since it never worked',
  },
  {
    name: 'masks with holes of conntrack',
    pattern: /--ctorigsrc 10\.1\.2\.3\/255\.0\.255\.0/,
    reason: 'the kernel has the mask and iptables-save leaves it out',
  },
  {
    name: 'a table that stands twice',
    pattern: /^\*filter\n:INPUT DROP .*\nCOMMIT\n\*filter/m,
    backend: 'legacy',
    reason: 'the legacy one keeps the policies of the first section, iptables-nft begins anew',
  },
  {
    name: 'QUEUE',
    pattern: /-j QUEUE/,
    backend: 'nft',
    reason: 'iptables-nft has no QUEUE; NFQUEUE took its place',
  },

  // Printed as 1.8.9 does, where other versions differ.
  {
    name: 'lesser protocols',
    pattern: /-p (47|gre)\b|-p (dccp|ipcomp)\b/,
    versions: NEW,
    reason: 'later versions print their numbers',
  },
  {
    name: 'ICMP type 255 with a code',
    pattern: /--icmp-type 255\/255/,
    versions: NEW,
    reason: 'later versions distinguish it from "any"',
  },
  {
    name: 'masks with holes',
    pattern: /\/255\.0\.(255|12)\.0|\/ffff:0:ffff::/,
    backend: 'nft',
    versions: OLD,
    reason: 'iptables-nft 1.8.7 loses them',
  },
  {
    name: 'not from port 0 to n, of old',
    pattern: /! --(s|d|source-|destination-)port "?(0?:[1-9]|0:)/,
    versions: OLD,
    reason: '1.8.7 prints it as it was given',
  },
  {
    name: 'where a string ends',
    pattern: /-m string /,
    versions: OLD,
    reason: '1.8.7 prints --to 65535 though that is no limit',
  },
  {
    name: 'bugs of 1.8.7 in what it prints',
    pattern: /--nflog-prefix|-j REDIRECT .*--random|-j [SD]NAT .*--persistent|-j TCPOPTSTRIP\b/,
    versions: OLD,
    reason: 'two spaces after --nflog-prefix, --random and --persistent lost, an empty --strip-options',
  },
  {
    name: 'destination options of 1.8.7',
    pattern: /-m dst /,
    family: 'v6',
    versions: OLD,
    reason: '1.8.7 prints a space too much after them',
  },
  {
    name: 'what 1.8.7 does not know yet',
    pattern: /otherhost|-j LED |-m ipvs |--to-ports 10-ssh/,
    versions: OLD,
    reason: 'later versions do',
  },
  {
    name: 'names of chains of old',
    pattern: /^:(ACCEPT|[-!]x) /m,
    versions: OLD,
    reason: '1.8.7 takes names that no rule can jump to',
  },
  {
    name: 'chains that are called like a target',
    pattern: /^:(LOG|HL) - /m,
    versions: OLD,
    reason: '1.8.7 takes a jump to them for the target; later versions for the chain',
  },
  {
    name: 'masks of IPv6 that are no prefix',
    pattern: /\/(ffff:ffff::ffff|::ffff) /,
    backend: 'nft',
    family: 'v6',
    versions: OLD,
    reason: '1.8.7 makes another mask of them, or refuses them',
  },
  {
    name: 'ports of DNAT by name, and port 0',
    pattern: /-j DNAT --to \[::1\]:(http|0)/,
    versions: OLD,
    reason: '1.8.7 refuses them',
  },
  {
    name: 'no protocol of a connection',
    pattern: /--ctproto 0/,
    versions: NEW,
    reason: 'later versions refuse what would fit all or none',
  },
  {
    name: 'names of multicast listener messages',
    pattern: /mld-listener-query/,
    versions: NEW,
    reason: '1.8.9 does not know them; their numbers load everywhere',
  },

  // Decided by the host, not by the text.
  { name: 'cgroup paths', pattern: /-m cgroup .*--path "?[^/]/, reason: 'the path must exist on the host' },
  { name: 'pinned BPF programs', pattern: /--object-pinned/, reason: 'the program must exist on the host' },
  {
    name: 'helpers and timeouts of CT',
    pattern: /-j CT .*--(helper|timeout) /,
    reason: 'they must exist on the host',
  },
  {
    name: 'connection labels by name',
    pattern: /foobar_not_there/,
    reason: 'names stand in the host’s connlabel.conf',
  },
  {
    name: 'accounting objects and rate estimators',
    pattern: /-m (nfacct|rateest) /,
    reason: 'they must exist on the host',
  },
  {
    name: 'names of group and realm 0',
    pattern: /(-group|--realm) (0|default|cosmos)\b/,
    reason: 'they are printed where iproute2 has a file of names; the number loads everywhere',
  },
  { name: 'sets', pattern: /-set foo /, reason: '`fmt` does not know which sets exist' },
];

export const exceptionFor = (judge: Judge, text: string): Exception | undefined =>
  EXCEPTIONS.find(
    ({ pattern, backend, family, versions }) =>
      (versions ?? [VERSION]).includes(VERSION) &&
      (backend ?? judge.backend) === judge.backend &&
      (family ?? judge.family) === judge.family &&
      pattern.test(text),
  );
