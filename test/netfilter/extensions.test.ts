/** The table of extensions as a whole: what every row must keep to. */
import { EXTENSIONS, findExtension } from '../../src/netfilter/extensions/index.js';
import { FAMILIES } from '../../src/netfilter/model.js';
import { isRefusal } from '../../src/netfilter/row.js';

const rows = EXTENSIONS.flatMap((row) =>
  FAMILIES.filter((family) => (row.family ?? family) === family).map((family) => ({ row, family })),
);

test('every name stands for one extension in a family and kind', () => {
  for (const { row, family } of rows)
    for (const name of [row.name, ...(row.aliases ?? [])])
      expect(findExtension(row.kind, family, name)).toBe(row);
});

test('the matches and targets that a host firewall can contain are known', () => {
  const known = (kind: 'match' | 'target', names: string): readonly string[] =>
    names
      .split(' ')
      .filter((name) => FAMILIES.every((family) => findExtension(kind, family, name) === undefined));
  expect(
    known(
      'match',
      'tcp udp sctp dccp icmp icmp6 multiport conntrack state comment limit hashlimit recent set mark connmark mac ' +
        'iprange addrtype owner time string u32 bpf length ttl hl dscp tos ecn pkttype physdev policy connlimit connbytes ' +
        'connlabel statistic quota rpfilter socket cgroup devgroup cpu helper realm rt frag hbh dst mh ah esp ipv6header ' +
        'eui64 tcpmss nfacct osf cluster rateest srh',
    ),
  ).toEqual([]);
  expect(
    known(
      'target',
      'LOG NFLOG REJECT DNAT SNAT MASQUERADE REDIRECT NETMAP MARK CONNMARK SET CT NOTRACK TCPMSS TEE TPROXY TOS DSCP TTL ' +
        'HL CLASSIFY CHECKSUM NFQUEUE TRACE SYNPROXY AUDIT SECMARK CONNSECMARK HMARK IDLETIMER TCPOPTSTRIP RATEEST ECN ' +
        'DNPT SNPT ACCEPT DROP RETURN QUEUE',
    ),
  ).toEqual([]);
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
