import { nativeTablesText, readNftables, unreadTablesText } from '../../../src/netfilter/nftables/read.js';
import { ruleText } from '../../../src/netfilter/nftables/text.js';

/** As nft prints it: one document with all objects. */
const listing = (...items: readonly unknown[]): string =>
  JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6', json_schema_version: 1 } }, ...items] });

const table = (family: string, name: string): unknown => ({ table: { family, name, handle: 1 } });
const rule = (expr: readonly unknown[], chain = 'input'): unknown => ({
  rule: { family: 'inet', table: 'filter', chain, handle: 7, expr },
});
const input = {
  chain: {
    family: 'inet',
    table: 'filter',
    name: 'input',
    type: 'filter',
    hook: 'input',
    prio: 0,
    policy: 'drop',
  },
};

describe('nativeTablesText()', () => {
  test('it is the same however counters, handles and the time left of members change', () => {
    const at = (packets: number, expires: number): string =>
      listing(
        table('inet', 'filter'),
        {
          set: {
            family: 'inet',
            table: 'filter',
            name: 'bans',
            type: 'ipv4_addr',
            flags: ['timeout'],
            handle: packets,
            elem: [{ elem: { val: '198.51.100.7', timeout: 600, expires } }],
          },
        },
        input,
        rule([{ counter: { packets, bytes: packets } }, { drop: null }]),
      );
    expect(nativeTablesText([at(1, 599)], 'nft')).toBe(nativeTablesText([at(2, 12)], 'nft'));
  });

  test('tables of iptables are left out where iptables-nft is in use, and only there', () => {
    const text = listing(table('ip', 'filter'), table('ip6', 'nat'), table('inet', 'filter'));
    const names = (backend: 'nft' | 'legacy'): readonly string[] =>
      readNftables(nativeTablesText([text], backend)).tables.map(({ family, name }) => `${family} ${name}`);
    expect(names('nft')).toEqual(['inet filter']);
    expect(names('legacy')).toEqual(['ip filter', 'ip6 nat', 'inet filter']);
  });

  test('no table gives the empty text, and output that is not JSON a text that says so', () => {
    expect(nativeTablesText([listing(table('ip', 'filter'))], 'nft')).toBe('');
    expect(readNftables(nativeTablesText(['Error: JSON support not compiled-in'], 'nft'))).toEqual({
      tables: [],
      unread: 'the output of nft is not JSON',
    });
  });

  test('a text that it made is read the same a second time', () => {
    const once = nativeTablesText([listing(table('inet', 'filter'), input, rule([{ drop: null }]))], 'nft');
    expect(nativeTablesText([once], 'nft')).toBe(once);
  });

  test('devices of netdev chains are added where nft 1.0.6 leaves them out', () => {
    const chain = {
      family: 'netdev',
      table: 'ddos',
      name: 'in',
      type: 'filter',
      hook: 'ingress',
      prio: -500,
    };
    const devicesOf = (item: unknown): unknown =>
      readNftables(
        nativeTablesText([listing(table('netdev', 'ddos'), item)], 'nft', new Map([['ddos in', ['eth0']]])),
      ).tables[0]?.chains[0]?.base?.devices;
    expect(devicesOf({ chain })).toEqual(['eth0']);
    expect(devicesOf({ chain: { ...chain, dev: 'eth7' } })).toEqual(['eth7']);
  });
});

describe('readNftables()', () => {
  test('rules are in their chains, in order, with comments', () => {
    const text = nativeTablesText(
      [
        listing(
          table('inet', 'filter'),
          input,
          { chain: { family: 'inet', table: 'filter', name: 'later' } },
          rule([{ accept: null }]),
          rule([{ drop: null }], 'later'),
          {
            rule: { family: 'inet', table: 'filter', chain: 'input', comment: 'why', expr: [{ drop: null }] },
          },
        ),
      ],
      'nft',
    );
    const [filter] = readNftables(text).tables;
    expect(filter?.chains.map(({ name, base, rules }) => [name, base?.policy, rules.map(ruleText)])).toEqual([
      ['input', 'drop', ['accept', 'drop']],
      ['later', undefined, ['drop']],
    ]);
    expect(filter?.chains[0]?.rules[1]?.comment).toBe('why');
  });

  test.each([
    ['its flag', { flags: ['dynamic'] }, []],
    ['a rule that adds to it', {}, [{ set: { op: 'add', elem: {}, set: '@seen' } }]],
  ])('a set is dynamic by %s', (_, flags, expr) => {
    const set = { family: 'inet', table: 'filter', name: 'seen', type: 'ipv4_addr', ...flags };
    const text = nativeTablesText([listing(table('inet', 'filter'), input, { set }, rule(expr))], 'nft');
    expect(readNftables(text).tables[0]?.sets.get('seen')?.dynamic).toBe(true);
  });

  test('tables that could not be read are none, with the reason', () => {
    expect(readNftables(unreadTablesText('nft is not installed'))).toEqual({
      tables: [],
      unread: 'nft is not installed',
    });
    expect(readNftables('')).toEqual({ tables: [] });
  });
});
