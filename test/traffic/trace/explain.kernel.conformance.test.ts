/**
 * The kernel tests the model: random rulesets are loaded and packets sent through INPUT, FORWARD and OUTPUT. Every
 * certain verdict of the model must be the kernel's. `scripts/kernel-judge.mjs` sends millions.
 */
import { join } from 'node:path';
import { type Backend, judge } from './kernel/judge.js';

const CASES = (['nft', 'legacy'] as const).flatMap((backend) =>
  (['v4', 'v6'] as const).flatMap((family) =>
    [false, true].map((native): [string, Backend, 'v4' | 'v6', boolean] => [
      `iptables-${backend}${native ? ' with native nft tables' : ''}, ${family}`,
      backend,
      family,
      native,
    ]),
  ),
);

/** 8 × 63 × 1,000 packets. */
const RULESETS = 63;
const PACKETS = 1_000;

test.each(CASES)(
  '%s',
  async (_, backend, family, native) => {
    const tally = await judge({
      backend,
      family,
      seed: 1,
      rulesets: RULESETS,
      packetsEach: PACKETS,
      folder: join(import.meta.dirname, 'kernel'),
      native,
    });
    expect(tally.disagreements.join('\n\n')).toBe('');
    expect(tally.packets).toBe(RULESETS * PACKETS);
    // The model must not evade with "unknown".
    expect(tally.unknown).toBeLessThan(tally.packets / 10);
  },
  300_000,
);
