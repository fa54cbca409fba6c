/** Rules made up from the table of extensions, in the many spellings that iptables accepts. */
import fc from 'fast-check';
import type { Family } from '../../../src/lib/family.js';
import type { ExtensionRow, OptionRow } from '../../../src/netfilter/extensions/row.js';
import { BUILT_IN_CHAINS, type TableName } from '../../../src/netfilter/model.js';
import { quote } from '../../../src/netfilter/text/tokens.js';

interface Choice {
  readonly row: OptionRow;
  readonly use: boolean;
  readonly negated: boolean;
  readonly flag: string;
  readonly values: readonly string[];
}

const choice = (row: OptionRow, family: Family): fc.Arbitrary<Choice> =>
  fc.record({
    row: fc.constant(row),
    use: fc.boolean(),
    negated: fc.boolean(),
    flag: fc.constantFrom(row.flag, ...row.aliases),
    values: fc.tuple(...row.values.map((type) => fc.constantFrom(...type.examples[family]))),
  });

/** Takes out what may not stand together and puts in what must. */
function fitting(choices: readonly Choice[], row: ExtensionRow, order: readonly number[]): readonly Choice[] {
  const wanted = new Set(
    choices.filter((each) => each.use || each.row.required).map((each) => each.row.flag),
  );
  const oneOf = row.oneOf === 'any' ? choices.map((each) => each.row.flag) : (row.oneOf ?? []);
  const first = oneOf[(order[0] ?? 0) % Math.max(oneOf.length, 1)];
  if (first !== undefined && !oneOf.some((flag) => wanted.has(flag))) wanted.add(first);
  for (const each of choices)
    for (const flag of [...each.row.needs, ...each.row.after])
      if (wanted.has(each.row.flag)) wanted.add(flag);
  for (const each of choices)
    if (wanted.has(each.row.flag) && !each.row.required)
      for (const flag of each.row.excludes) if (flag !== first) wanted.delete(flag);
  const kept = choices.filter((each) => wanted.has(each.row.flag));
  return kept.toSorted((a, b) => (order[choices.indexOf(a)] ?? 0) - (order[choices.indexOf(b)] ?? 0));
}

const spell = ({ row, negated, flag, values }: Choice): string =>
  `${negated && row.negatable ? '! ' : ''}${[flag, ...values.map(quote)].join(' ')}`;

/** One extension with some of its options in some order: `-m tcp --dport 22`. */
function extension(row: ExtensionRow, family: Family): fc.Arbitrary<string> {
  const name = fc.constantFrom(row.name, ...(row.aliases ?? []));
  const order = fc.array(fc.nat(99), {
    minLength: row.options.length + 1,
    maxLength: row.options.length + 1,
  });
  const choices = fc.tuple(...row.options.map((each) => choice(each, family)));
  return fc
    .tuple(name, order, choices)
    .map(([spelled, places, chosen]) =>
      [`-${row.kind === 'match' ? 'm' : 'j'} ${spelled}`, ...fitting(chosen, row, places).map(spell)].join(
        ' ',
      ),
    );
}

/** The tables and chains in which the kernel takes all of these, whatever their options. */
export function placesOf(rows: readonly ExtensionRow[]): readonly { table: TableName; chain: string }[] {
  const tables = Object.keys(BUILT_IN_CHAINS) as TableName[];
  const takes = ({ tables: only, hooks }: ExtensionRow, table: TableName, chain: string): boolean =>
    (typeof only === 'function' || (only?.includes(table) ?? true)) &&
    (typeof hooks === 'function' || (hooks?.includes(chain) ?? true));
  return tables.flatMap((table) =>
    BUILT_IN_CHAINS[table]
      .filter((chain) => rows.every((row) => takes(row, table, chain)))
      .map((chain) => ({ table, chain })),
  );
}

/** Protocols that a rule may need so that the extensions make sense in it. */
const PROTOCOLS: Readonly<Record<string, readonly string[]>> = {
  REJECT: ['', 'tcp'],
  ecn: ['', 'tcp'],
  ECN: ['', 'tcp'],
  DNAT: ['', 'tcp', 'udp'],
  SNAT: ['', 'tcp', 'udp'],
  MASQUERADE: ['tcp', 'udp'],
  REDIRECT: ['tcp', 'udp'],
};

/** What else a rule needs: TCPMSS works only on SYN packets. */
const BESIDE: Readonly<Record<string, string>> = { TCPMSS: '--tcp-flags SYN,RST SYN ' };

const addresses = (family: Family): fc.Arbitrary<string> =>
  fc.constantFrom(
    '',
    '',
    ...(family === 'v4'
      ? ['-s 10.1.2.3/8 ', '! -d 192.0.2.1 ', '-s 10.0.0.1,10.0.0.2 ', '--src 10/8 ']
      : ['-s 2001:DB8::1/32 ', '! -d ::1 ', '-s ::1,fe80::/10 ']),
  );

/** A whole text with one rule that has all these extensions, in a table and chain in which they may stand. */
export function ruleText(rows: readonly ExtensionRow[], family: Family): fc.Arbitrary<string> {
  const places = placesOf(rows);
  const protocols = rows.map((row) => row.protocols ?? PROTOCOLS[row.name] ?? ['']);
  const common = protocols.reduce((left, right) => (left.every((each) => each === '') ? right : left));
  return fc
    .tuple(
      fc.constantFrom(...(places.length > 0 ? places : [{ table: 'filter', chain: 'INPUT' }])),
      fc.constantFrom(...common),
      addresses(family),
      fc.tuple(...rows.map((row) => extension(row, family))),
    )
    .map(([{ table, chain }, protocol, where, extensions]) => {
      const beside = rows.map((row) => BESIDE[row.name] ?? '').join('');
      const rule = `${where}${protocol === '' ? '' : `-p ${protocol} `}${beside}${extensions.join(' ')}`;
      return `*${table}\n-A ${chain} ${rule}\nCOMMIT\n`;
    });
}
