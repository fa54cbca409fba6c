/** The table of extensions as a whole: what every row must keep to. */

import { FAMILIES, type Family } from '../../../src/lib/family.js';
import { EXTENSIONS, findExtension } from '../../../src/netfilter/extensions/index.js';
import { isRefusal } from '../../../src/netfilter/extensions/row.js';
import { formatRules } from '../../../src/netfilter/text/fmt.js';

const rows = EXTENSIONS.flatMap((row) =>
  FAMILIES.filter((family) => (row.family ?? family) === family).map((family) => ({ row, family })),
);

test('every name stands for one extension in a family and kind', () => {
  for (const { row, family } of rows)
    for (const name of [row.name, ...(row.aliases ?? [])])
      expect(findExtension(row.kind, family, name)).toBe(row);
});

/** Every match and target of iptables 1.8.13 that a host firewall can contain, and the families that have it. */
const EXPECTED: Readonly<Record<'match' | 'target', { readonly [families in Family | 'both']: string }>> = {
  match: {
    both:
      'tcp udp sctp dccp multiport conntrack state comment limit hashlimit recent set mark connmark mac iprange ' +
      'addrtype owner time string u32 bpf length dscp tos ecn pkttype physdev policy connlimit connbytes connlabel ' +
      'statistic quota rpfilter socket cgroup devgroup cpu helper ah esp tcpmss nfacct cluster rateest ipcomp ipvs',
    v4: 'icmp ttl realm osf',
    v6: 'icmp6 hl rt frag hbh dst mh ipv6header eui64 srh',
  },
  target: {
    both:
      'LOG NFLOG REJECT DNAT SNAT MASQUERADE REDIRECT NETMAP MARK CONNMARK SET CT NOTRACK TCPMSS TEE TPROXY TOS DSCP ' +
      'CLASSIFY CHECKSUM NFQUEUE TRACE SYNPROXY AUDIT SECMARK CONNSECMARK HMARK IDLETIMER LED TCPOPTSTRIP RATEEST ' +
      'ACCEPT DROP RETURN QUEUE',
    v4: 'TTL ECN',
    v6: 'HL DNPT SNPT',
  },
};

describe.each(['match', 'target'] as const)('every %s that a host firewall can contain', (kind) => {
  test.each(FAMILIES)('has a row for %s', (family) => {
    const names = [EXPECTED[kind].both, EXPECTED[kind][family]].join(' ').split(' ');
    expect(names.filter((name) => findExtension(kind, family, name) === undefined)).toEqual([]);
  });

  test.each(FAMILIES)('has no row where %s lacks it', (family) => {
    const names = EXPECTED[kind][family === 'v4' ? 'v6' : 'v4'].split(' ');
    expect(names.filter((name) => findExtension(kind, family, name) !== undefined)).toEqual([]);
  });
});

test('udplite is a protocol without a match of its own: its ports are for multiport', () => {
  const text = '*filter\n-A INPUT -p udplite -m multiport --dports 5,6 -j ACCEPT\nCOMMIT\n';
  for (const family of FAMILIES) expect(formatRules(text, family, 'rules')).toMatchObject({ ok: true });
});

test('flags that an option names are flags of its extension', () => {
  for (const { row } of rows) {
    const flags = row.options.map((option) => option.flag);
    expect(new Set(flags).size).toBe(flags.length);
    for (const option of row.options)
      for (const flag of [...option.excludes, ...option.needs, ...option.after])
        expect(flags).toContain(flag);
    if (Array.isArray(row.oneOf)) for (const flag of row.oneOf) expect(flags).toContain(flag);
  }
});

test('every example is accepted, and what it becomes is its own canonical form', () => {
  for (const { row, family } of rows)
    for (const { flag, values } of row.options)
      for (const type of values)
        for (const example of type.examples[family]) {
          const context = { family, protocol: row.protocols?.[0] ?? 'tcp' };
          const canonical = type.parse(example, context);
          expect({ flag, example, refused: isRefusal(canonical) }).toEqual({ flag, example, refused: false });
          // A class of DSCP is printed as the number that another option of the match takes.
          const again = row.options.flatMap((each) =>
            each.values.map((other) => other.parse(canonical as string, context)),
          );
          expect({ flag, again }).toEqual({ flag, again: expect.arrayContaining([canonical]) });
        }
});
