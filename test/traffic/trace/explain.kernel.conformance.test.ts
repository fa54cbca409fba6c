/**
 * The kernel tests the model: random rulesets are loaded and packets sent through INPUT, FORWARD and OUTPUT. Every
 * certain verdict of the model must be the kernel's. `scripts/kernel-judge.mjs` sends millions.
 */
import { join } from 'node:path';
import { type Backend, judge } from './kernel/judge.js';

const CASES = (['nft', 'legacy'] as const).flatMap((backend) =>
  (['v4', 'v6'] as const).map((family): [Backend, 'v4' | 'v6'] => [backend, family]),
);

/** 4 × 55 × 1,000 packets. */
const RULESETS = 55;
const PACKETS = 1_000;

test.each(CASES)(
  'iptables-%s, %s',
  async (backend, family) => {
    const tally = await judge({
      backend,
      family,
      seed: 1,
      rulesets: RULESETS,
      packetsEach: PACKETS,
      folder: join(import.meta.dirname, 'kernel'),
    });
    expect(tally.disagreements.join('\n\n')).toBe('');
    expect(tally.packets).toBe(RULESETS * PACKETS);
    // The model must not evade with "unknown".
    expect(tally.unknown).toBeLessThan(tally.packets / 10);
  },
  120_000,
);
