/** Confirmation (group F), repeated a thousand times: races at the deadline, and processes killed at any program. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { type Lab, openLab } from '../../../src/lab/lab.js';
import { fault } from './faults.js';
import { openRaceHost, type RaceHost, type Round, type Scripts } from './race-host.js';

jest.setTimeout(600_000);

/** The number of races and their time limit in seconds; scripts/races.mjs sets them higher. */
const RACES = Number(process.env.SALLYPORT_RACES ?? 1000);
const SECONDS = Number(process.env.SALLYPORT_RACE_SECONDS ?? 45);
/** Hosts, each with its own races; more than cores, since most of a race is waiting. */
const LANES = 8;
/** More programs than either process starts. */
const PROGRAMS = 72;

let lab: Lab;
let raceHosts: readonly RaceHost[];
beforeAll(async () => {
  lab = await openLab();
  const hosts = await Promise.all(
    Array.from({ length: LANES }, (_, lane) => lab.light({ name: `lane-${lane}` })),
  );
  raceHosts = await Promise.all(hosts.map((host) => openRaceHost(lab, host)));
});
afterAll(() => lab.close());

/** Runs the confirming process, and prints its answer. */
const CONFIRM = `SP_MARK=M SP_RUN=$run SP_TOKEN=token PATH=$CONFIRM_PATH$PATH setsid --wait sh $A/agent.sh confirm |
    sed -n 's/^M \\(ended\\|pending\\|none\\|refuse\\)/\\1/p'`;

/** Near the deadline, closer with every round: later if the last confirmation won, earlier if it lost. */
const AT_THE_DEADLINE = `
  CONFIRM_PATH='' offset=-12
  if [ -r $A/offset ]; then read -r offset <$A/offset; fi
  case \${outcome:-} in confirmed) offset=$((offset + 2)) ;; rolled-back) offset=$((offset - 2)) ;; esac
  echo $offset >$A/offset
  while now; [ $up -lt $((deadline + offset)) ]; do sleep 0.01; done
  ${CONFIRM}`;

/** As soon as the new rules are applied. */
const ONCE_APPLIED = `
  while read -r phase <$S/pending/phase || :; [ "$phase" != verify ] && now && [ $up -lt $deadline ]; do sleep 0.01; done
  ${CONFIRM}`;

/** Sets the number of the program at which round `$round` kills the process: each lane takes every eighth. */
const killAt = (lane: number): string => `
  echo 0 >$A/count
  export KILL_AT=$((${lane + 1} + (round - 1) * ${LANES}))`;

async function killedEverywhere(scripts: (lane: number) => Scripts): Promise<readonly Round[]> {
  const results = await Promise.all(
    raceHosts.map(async (raceHost, lane) => raceHost.run(PROGRAMS / LANES, 240, scripts(lane))),
  );
  return results.flat();
}
/** All old or all new rules, as the host reports, and nothing left over. */
function expectInvariantsOfRounds(rounds: readonly Round[]): void {
  for (const [index, round] of rounds.entries()) {
    const rules = round.outcome === 'confirmed' ? 'new' : 'old';
    expect({ index, ...round }).toEqual({
      ...{ index, outcome: expect.stringMatching(/^(confirmed|rolled-back|refused)$/) },
      ...{ live: rules, saved: rules, left: 0, answer: expect.any(String) },
    });
    // The confirming process answers with the same outcome, or with none.
    if (round.answer.startsWith('ended'))
      expect([index, round.answer.split(' ')[1]]).toEqual([index, round.outcome]);
    if (round.outcome !== 'confirmed')
      expect([index, round.answer]).not.toEqual([index, expect.stringMatching(/^ended confirmed/)]);
  }
}

fault(
  'F1',
  'a confirmation arrives exactly at the deadline, up to a thousand times',
  'each is either confirmed or rolled back, in the kernel and on disk, and the client gets that outcome',
  async () => {
    const results = await Promise.all(
      raceHosts.map((raceHost) =>
        raceHost.run(Math.ceil(RACES / LANES), SECONDS, { confirming: AT_THE_DEADLINE }),
      ),
    );
    const rounds = results.flat();
    expectInvariantsOfRounds(rounds);
    const won = rounds.filter(({ outcome }) => outcome === 'confirmed').length;
    console.info(`${rounds.length} races: ${won} confirmed, ${rounds.length - won} rolled back.`);
    expect(won).toBeGreaterThan(0);
    expect(won).toBeLessThan(rounds.length);
  },
);

fault(
  'F7',
  'the confirming process is killed, at each program that it starts',
  'the host ends the change: new rules, applied and saved, if the confirmation was recorded, else the old ones',
  async () => {
    const rounds = await killedEverywhere((lane) => ({
      before: `WINDOW=150\n${killAt(lane)}`,
      confirming: `CONFIRM_PATH=/root/race/killing:\n${ONCE_APPLIED}`,
    }));
    expectInvariantsOfRounds(rounds);
    const survived = rounds.filter(({ answer }) => answer.startsWith('ended')).length;
    const ends = ['confirmed', 'rolled-back'].map(
      (end) => rounds.filter(({ outcome }) => outcome === end).length,
    );
    console.info(`${rounds.length - survived} deaths: ${ends[0]} confirmed, ${ends[1]} rolled back.`);
    // The last processes outlived their programs, and early and late deaths have different outcomes.
    expect(survived).toBeGreaterThan(0);
    expect(Math.min(...ends)).toBeGreaterThan(0);
  },
);

fault(
  'A5',
  'the supervisor is killed, at each program that it starts until the rules are applied',
  'rolled back by the backup timer',
  async () => {
    const rounds = await killedEverywhere((lane) => ({
      before: `WINDOW=100 KILLING=/root/race/killing:\n${killAt(lane)}`,
      confirming: ':',
    }));
    expectInvariantsOfRounds(rounds);
    expect(new Set(rounds.map(({ outcome }) => outcome))).toEqual(new Set(['rolled-back', 'refused']));
  },
);
