/**
 * One change on one host, repeated from the moment at which it is armed: with the real agent and kernel, but without the
 * connections and the rehearsal before, so that a thousand races fit into a minute.
 */
import type { Lab, Host as LabHost } from '../../../src/lab/lab.js';
import { changeTo, open } from '../change.js';
import { testClient } from '../hosts.js';
import { sendRequest } from './requests.js';

/** The result of one round, read from the host. */
export interface Round {
  /** The answer of the confirming process: `ended confirmed …`, `pending verify 1`, … */
  readonly answer: string;
  /** The outcome in the host's record. */
  readonly outcome: string;
  /** Which rules are in the kernel, and which are saved. */
  readonly live: 'old' | 'new' | 'neither';
  readonly saved: 'old' | 'new' | 'neither';
  /** The number of processes of this run that are left. */
  readonly left: number;
}

/** Shell scripts that a round runs on the host. `$round` and `$run` are its number and name. */
export interface Scripts {
  /** Runs before the watchdogs are started. May set WINDOW, in hundredths of a second until the deadline, and KILLING. */
  readonly before?: string;
  /** Confirms and prints the answer; `$deadline` is in hundredths of a second since boot. */
  readonly confirming: string;
}

export interface RaceHost {
  readonly host: LabHost;
  /** Runs rounds until `seconds` have passed or `rounds` are done. */
  run(rounds: number, seconds: number, scripts: Scripts): Promise<readonly Round[]>;
}

/**
 * Arms one change with `begin`, kills its watchdogs, and keeps a copy of the armed state.
 * @param host A host without a deploy.
 */
export async function openRaceHost(lab: Lab, host: LabHost): Promise<RaceHost> {
  const client = testClient(lab);
  await client.deploy(host, open(80));
  const change = changeTo(await client.state(host), open(81));
  await sendRequest(lab, host, 'begin', { change, token: 'token', seconds: 600 });
  await client.close();
  await host.must(SET_UP);
  return {
    host,
    run: async (rounds, seconds, { before = ':', confirming }) =>
      (
        await host.must(
          `${RUN_ROUNDS}\nbefore() {\n${before}\n}\nconfirming() {\n${confirming}\n}\nrun ${rounds} ${seconds}`,
        )
      )
        .split('\n')
        .filter((line) => line.startsWith('round '))
        .map((line): Round => {
          const [, outcome = '', live, saved, left, ...answer] = line.split(' ');
          return {
            ...{ outcome, live: live as Round['live'], saved: saved as Round['saved'], left: Number(left) },
            answer: answer.join(' '),
          };
        }),
  };
}

/** Keeps the armed state, and the rules and files before and after the change. */
const SET_UP = `
kill -9 $(pgrep -f 'pending/[a]gent.sh') || true
mkdir /root/race
cp -a /var/lib/sallyport/pending /root/race/armed
cp /root/race/armed/agent.sh /root/race/agent.sh
rm -rf /var/lib/sallyport/pending
iptables-save | grep '^-A SALLYPORT-INPUT' >/root/race/live.new
grep '^-A SALLYPORT-INPUT' /root/race/armed/snapshot.v4 >/root/race/live.old
for version in old new; do cp -a /etc/iptables /root/race/etc.$version; done
for kind in v4 v6; do cp /root/race/armed/saved.$kind /root/race/etc.new/rules.$kind; done
rm -f /root/race/etc.*/*.sallyport
mkdir /root/race/killing
for tool in iptables-save ip6tables-save iptables-restore ip6tables-restore ipset awk sort cmp flock sha256sum cp mv rm \
  cat mkdir sync sleep date tr grep; do
  cat >/root/race/killing/$tool <<'END'
#!/bin/sh
read -r count </root/race/count
echo $((count + 1)) >/root/race/count
if [ $((count + 1)) -ge "$KILL_AT" ]; then kill -9 0; fi
PATH=\${PATH#/root/race/killing:}
exec "\${0##*/}" "$@"
END
  chmod +x /root/race/killing/$tool
done
`;

/**
 * Each round restores the old rules and files and the armed state with a new deadline, and starts the two watchdogs as
 * `begin` does. With KILLING in PATH, a process is killed with its group when it starts program number KILL_AT, counted
 * from zero in a file.
 */
const RUN_ROUNDS = `
WINDOW=100 KILLING='' A=/root/race S=/var/lib/sallyport
now() { read -r up rest </proc/uptime; up=\${up%.*}\${up#*.}; }
which_rules() {
  iptables-save -t filter | grep '^-A SALLYPORT-INPUT' >$A/live.now || :
  if cmp -s $A/live.now $A/live.old; then live=old; elif cmp -s $A/live.now $A/live.new; then live=new; else live=neither; fi
  saved=neither
  for version in old new; do
    if cmp -s /etc/iptables/rules.v4 $A/etc.$version/rules.v4 && cmp -s /etc/iptables/rules.v6 $A/etc.$version/rules.v6; then saved=$version; fi
  done
}
run() {
  round=0; which_rules; now; over=$((up + $2 * 100))
  while [ $round -lt $1 ] && now && [ $up -lt $over ]; do
    round=$((round + 1)); run=race-$round
    before
    if [ $live != old ]; then iptables-restore --noflush <$A/armed/backward.v4; ip6tables-restore --noflush <$A/armed/backward.v6; fi
    if [ $saved != old ]; then cp $A/etc.old/rules.* /etc/iptables/; fi
    rm -rf $S/pending $S/last
    cp -r $A/armed $S/next
    printf %s $run >$S/next/run; printf arm >$S/next/phase; sed -i "s/^run .*/run $run/" $S/next/about
    now; deadline=$((up + WINDOW)); printf %s $deadline >$S/next/deadline
    mv $S/next $S/pending
    setsid sh $S/pending/agent.sh late $run </dev/null >/dev/null 2>&1 & printf %s $! >$S/pending/late
    PATH=$KILLING$PATH setsid sh $S/pending/agent.sh supervise $run </dev/null >/dev/null 2>&1 & printf %s $! >$S/pending/supervisor
    answer=$(confirming || :)
    tries=600
    while [ -d $S/pending ] && [ $tries -gt 0 ]; do tries=$((tries - 1)); sleep 0.02; done
    # A watchdog whose transaction is gone exits after its sleep.
    while [ $tries -gt 0 ] && left=$(pgrep -fc "[a]gent.sh [a-z]* $run$"); do tries=$((tries - 1)); sleep 0.02; done
    outcome=none
    if [ -e $S/last ]; then while read -r name value; do if [ $name = outcome ]; then outcome=$value; fi; done <$S/last; fi
    which_rules
    echo "round $outcome $live $saved $left $answer"
  done
}
`;
