/** Group F, played a thousand times: the moment in which both sides act, and the death of who acts. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { type Lab, openLab } from '../../../src/lab/lab.js';
import { fault } from './faults.js';
import { openRaceHost, type RaceHost, type Round, type Scripts } from './race-host.js';

jest.setTimeout(600_000);

/** How many races are run, and for how long at most; scripts/races.mjs sets them higher. */
const RACES = Number(process.env.SALLYPORT_RACES ?? 1000);
const SECONDS = Number(process.env.SALLYPORT_RACE_SECONDS ?? 45);
/** Each on a host of its own; more than there are cores, since most of a race is waiting for its moment. */
const LANES = 8;
/** More than either process starts. */
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

/** Runs the confirming process, and prints what it says of the run. */
const CONFIRM = `SP_MARK=M SP_RUN=$run SP_TOKEN=token PATH=$CONFIRM_PATH$PATH setsid --wait sh $A/agent.sh confirm |
    sed -n 's/^M \\(ended\\|pending\\|none\\|refuse\\)/\\1/p'`;

/** Around the deadline, closer with every round: later when the last confirmation won, earlier when it lost. */
const AT_THE_DEADLINE = `
  CONFIRM_PATH='' offset=-12
  if [ -r $A/offset ]; then read -r offset <$A/offset; fi
  case \${outcome:-} in confirmed) offset=$((offset + 2)) ;; rolled-back) offset=$((offset - 2)) ;; esac
  echo $offset >$A/offset
  while now; [ $up -lt $((deadline + offset)) ]; do sleep 0.01; done
  ${CONFIRM}`;

/** As soon as the new rules stand. */
const ONCE_APPLIED = `
  while read -r phase <$S/pending/phase || :; [ "$phase" != verify ] && now && [ $up -lt $deadline ]; do sleep 0.01; done
  ${CONFIRM}`;

/** The programs from which on a process of round `$round` is doomed: each lane takes every eighth. */
const doomed = (lane: number): string => `
  echo 0 >$A/count
  export DOOM=$((${lane + 1} + (round - 1) * ${LANES}))`;

async function dyingEverywhere(scripts: (lane: number) => Scripts): Promise<readonly Round[]> {
  const played = await Promise.all(
    raceHosts.map(async (raceHost, lane) => raceHost.play(PROGRAMS / LANES, 240, scripts(lane))),
  );
  return played.flat();
}
/** All old or all new, as the host says, and nothing left over. */
function expectInvariantsOfRounds(rounds: readonly Round[]): void {
  for (const [index, round] of rounds.entries()) {
    const stands = round.outcome === 'confirmed' ? 'new' : 'old';
    expect({ index, ...round }).toEqual({
      ...{ index, outcome: expect.stringMatching(/^(confirmed|rolled-back|refused)$/) },
      ...{ live: stands, saved: stands, left: 0, said: expect.any(String) },
    });
    // Who asked was told the same, or was told nothing of an end.
    if (round.said.startsWith('ended'))
      expect([index, round.said.split(' ')[1]]).toEqual([index, round.outcome]);
    if (round.outcome !== 'confirmed')
      expect([index, round.said]).not.toEqual([index, expect.stringMatching(/^ended confirmed/)]);
  }
}

fault(
  'F1',
  'a confirmation arrives exactly at the deadline, up to a thousand times',
  'each is either confirmed or rolled back, in the kernel and on disk, and the client gets that outcome',
  async () => {
    const played = await Promise.all(
      raceHosts.map((raceHost) =>
        raceHost.play(Math.ceil(RACES / LANES), SECONDS, { confirming: AT_THE_DEADLINE }),
      ),
    );
    const rounds = played.flat();
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
    const rounds = await dyingEverywhere((lane) => ({
      before: `WINDOW=150\n${doomed(lane)}`,
      confirming: `CONFIRM_PATH=/root/arena/doomed:\n${ONCE_APPLIED}`,
    }));
    expectInvariantsOfRounds(rounds);
    const survived = rounds.filter(({ said }) => said.startsWith('ended')).length;
    const ends = ['confirmed', 'rolled-back'].map(
      (end) => rounds.filter(({ outcome }) => outcome === end).length,
    );
    console.info(`${rounds.length - survived} deaths: ${ends[0]} confirmed, ${ends[1]} rolled back.`);
    // The last ones had nothing left to die at, and early and late deaths end unlike.
    expect(survived).toBeGreaterThan(0);
    expect(Math.min(...ends)).toBeGreaterThan(0);
  },
);

fault(
  'A5',
  'the supervisor is killed, at each program that it starts until the rules are applied',
  'rolled back by the backup timer',
  async () => {
    const rounds = await dyingEverywhere((lane) => ({
      before: `WINDOW=100 DOOMED=/root/arena/doomed:\n${doomed(lane)}`,
      confirming: ':',
    }));
    expectInvariantsOfRounds(rounds);
    expect(new Set(rounds.map(({ outcome }) => outcome))).toEqual(new Set(['rolled-back', 'refused']));
  },
);
