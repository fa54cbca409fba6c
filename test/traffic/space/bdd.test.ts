import fc from 'fast-check';
import {
  type BddManager,
  createManager,
  FALSE,
  LEAF,
  OverBudget,
  TRUE,
} from '../../../src/traffic/space/bdd.js';

const LEVELS = 5;
const ROOMY = { nodes: 100_000, milliseconds: 10_000 };

/** A function of five bits by its truth table. */
const tables = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });

function build(store: BddManager, table: bigint, level = 0, row = 0): number {
  if (level === LEVELS) return (table >> BigInt(row)) & 1n ? TRUE : FALSE;
  return store.node(
    level,
    build(store, table, level + 1, row * 2),
    build(store, table, level + 1, row * 2 + 1),
  );
}

function valueAt(store: BddManager, node: number, row: number): number {
  let at = node;
  while (store.level(at) !== LEAF)
    at = (row >> (LEVELS - 1 - store.level(at))) & 1 ? store.high(at) : store.low(at);
  return at;
}
const rows = Array.from({ length: 2 ** LEVELS }, (_, row) => row);

test('operations are those of the truth tables, and equal functions are one node', () => {
  fc.assert(
    fc.property(tables, tables, tables, (a, b, c) => {
      const store = createManager(ROOMY);
      const [f, g, h] = [build(store, a), build(store, b), build(store, c)] as const;
      const all = (1n << 32n) - 1n;
      expect(store.and(f, g)).toBe(build(store, a & b));
      expect(store.or(f, g)).toBe(build(store, a | b));
      expect(store.diff(f, g)).toBe(build(store, a & (b ^ all)));
      expect(store.not(f)).toBe(build(store, a ^ all));
      expect(store.ite(f, g, h)).toBe(build(store, (a & b) | ((a ^ all) & c)));
    }),
  );
});

test('some and every setting of bits, and bits that are set', () => {
  fc.assert(
    fc.property(tables, (a) => {
      const store = createManager(ROOMY);
      const f = build(store, a);
      const [some, every, fixed] = [store.exists(f, 1, 3), store.forAll(f, 1, 3), store.restrict(f, 1, 2, 2)];
      for (const row of rows) {
        const settings = [0, 1, 2, 3].map((bits) => valueAt(store, f, (row & 0b10011) | (bits << 2)));
        expect(valueAt(store, some, row)).toBe(settings.includes(TRUE) ? TRUE : FALSE);
        expect(valueAt(store, every, row)).toBe(settings.includes(FALSE) ? FALSE : TRUE);
        expect(valueAt(store, fixed, row)).toBe(settings[2]);
      }
      expect(store.exists(f, 0, LEAF)).toBe(f === FALSE ? FALSE : TRUE);
    }),
  );
});

test('a hole among the leaves is filled', () => {
  fc.assert(
    fc.property(tables, tables, (a, b) => {
      const store = createManager(ROOMY);
      const [hole, other] = [store.leaf(7), store.leaf(8)];
      const holed = store.ite(build(store, a), hole, other);
      const filled = store.fill(holed, hole, build(store, b));
      for (const row of rows) {
        const wanted = valueAt(store, holed, row) === hole ? valueAt(store, build(store, b), row) : other;
        expect(valueAt(store, filled, row)).toBe(wanted);
      }
    }),
  );
});

test('a spent budget ends the work', () => {
  const store = createManager({ nodes: 10, milliseconds: 10_000 });
  expect(() => build(store, 0x123456789abcdefn)).toThrow(OverBudget);
});
