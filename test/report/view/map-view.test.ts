import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { drawingOf } from '../../../src/report/view/map-view.js';
import { maps } from '../maps.js';

test('drawingOf() draws or counts every flow, however few arrows are allowed', () => {
  fc.assert(
    fc.property(maps, fc.integer({ min: 1, max: 70 }), (map, most) => {
      const { arrows, left } = drawingOf(map, most);
      expect(arrows.length).toBeLessThanOrEqual(most);
      expect(arrows.reduce((sum, { edges }) => sum + edges, 0) + left).toBe(map.edges.length);
    }),
    { numRuns: 200 },
  );
});
