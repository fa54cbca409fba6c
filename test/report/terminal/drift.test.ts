import { test } from '@jest/globals';
import { driftText } from '../../../src/report/terminal/drift.js';
import { drift, noDrift } from '../example.js';
import { expectGolden } from '../golden.js';

test('driftText() lists differences by host and hosts that could not be read, then the verdict', () => {
  expectGolden('drift.txt', driftText(drift, { colour: false }));
  expectGolden('drift-none.txt', driftText(noDrift, { colour: false }));
});
