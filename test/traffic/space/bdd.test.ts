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

function build(manager: BddManager, table: bigint, level = 0, row = 0): number {
  if (level === LEVELS) return (table >> BigInt(row)) & 1n ? TRUE : FALSE;
  return manager.node(
    level,
    build(manager, table, level + 1, row * 2),
    build(manager, table, level + 1, row * 2 + 1),
  );
}

function valueAt(manager: BddManager, node: number, row: number): number {
  let at = node;
  while (manager.level(at) !== LEAF)
    at = (row >> (LEVELS - 1 - manager.level(at))) & 1 ? manager.high(at) : manager.low(at);
  return at;
}
const rows = Array.from({ length: 2 ** LEVELS }, (_, row) => row);

test('operations follow the truth tables, and equal functions are one node', () => {
  fc.assert(
    fc.property(tables, tables, tables, (a, b, c) => {
      const manager = createManager(ROOMY);
      const [f, g, h] = [build(manager, a), build(manager, b), build(manager, c)] as const;
      const all = (1n << 32n) - 1n;
      expect(manager.and(f, g)).toBe(build(manager, a & b));
      expect(manager.or(f, g)).toBe(build(manager, a | b));
      expect(manager.orAll([f, g, h])).toBe(build(manager, a | b | c));
      expect(manager.diff(f, g)).toBe(build(manager, a & (b ^ all)));
      expect(manager.not(f)).toBe(build(manager, a ^ all));
      expect(manager.ite(f, g, h)).toBe(build(manager, (a & b) | ((a ^ all) & c)));
    }),
  );
});

test('exists(), forAll() and restrict() follow the truth table', () => {
  fc.assert(
    fc.property(tables, (a) => {
      const manager = createManager(ROOMY);
      const f = build(manager, a);
      const [some, every, fixed] = [
        manager.exists(f, 1, 3),
        manager.forAll(f, 1, 3),
        manager.restrict(f, 1, 2, 2),
      ];
      for (const row of rows) {
        const settings = [0, 1, 2, 3].map((bits) => valueAt(manager, f, (row & 0b10011) | (bits << 2)));
        expect(valueAt(manager, some, row)).toBe(settings.includes(TRUE) ? TRUE : FALSE);
        expect(valueAt(manager, every, row)).toBe(settings.includes(FALSE) ? FALSE : TRUE);
        expect(valueAt(manager, fixed, row)).toBe(settings[2]);
      }
      expect(manager.exists(f, 0, LEAF)).toBe(f === FALSE ? FALSE : TRUE);
    }),
  );
});

test('fill() replaces one leaf', () => {
  fc.assert(
    fc.property(tables, tables, (a, b) => {
      const manager = createManager(ROOMY);
      const [hole, other] = [manager.leaf(7), manager.leaf(8)];
      const holed = manager.ite(build(manager, a), hole, other);
      const filled = manager.fill(holed, hole, build(manager, b));
      for (const row of rows) {
        const wanted =
          valueAt(manager, holed, row) === hole ? valueAt(manager, build(manager, b), row) : other;
        expect(valueAt(manager, filled, row)).toBe(wanted);
      }
    }),
  );
});

test('a spent budget throws OverBudget', () => {
  const manager = createManager({ nodes: 10, milliseconds: 10_000 });
  expect(() => build(manager, 0x123456789abcdefn)).toThrow(OverBudget);
});
