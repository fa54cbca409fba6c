import { test } from '@jest/globals';
import { adoptionText } from '../../../src/report/terminal/adoption.js';
import { adoption } from '../example.js';
import { expectGolden } from '../golden.js';

test('adoptionText() lists what was adopted and what was left, by host', () => {
  expectGolden('adoption.txt', adoptionText(adoption, { colour: false }));
});
