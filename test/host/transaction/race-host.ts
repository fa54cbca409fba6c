/**
 * One change on one host, played again and again from the moment at which it is armed: the agent's own processes, the
 * kernel's own rules, without the connections and the rehearsal that come before. So a thousand races fit in a minute.
 */
import type { Lab, Host as LabHost } from '../../../src/lab/lab.js';
import { changeTo, open } from '../change.js';
import { testClient } from '../hosts.js';
import { sendRequest } from './requests.js';

/** What one round came to, as the host itself says it. */
export interface Round {
  /** What the confirming process answered: `ended confirmed …`, `pending verify 1`, … */
  readonly said: string;
  /** What the host's record says. */
  readonly outcome: string;
  /** Which rules stand in the kernel, and which are saved. */
  readonly live: 'old' | 'new' | 'neither';
  readonly saved: 'old' | 'new' | 'neither';
  /** Of this run's processes, those that are still there. */
  readonly left: number;
}

/** Shell of the host that a round runs. In it `$round` and `$run` are its number and name. */
export interface Scripts {
  /** Before the nets are started. May set WINDOW, hundredths of a second from here to the deadline, and DOOMED. */
  readonly before?: string;
  /** Asks for the confirmation and prints what was said; `$deadline` is in hundredths of a second since boot. */
  readonly confirming: string;
}

export interface RaceHost {
  readonly host: LabHost;
  /** Plays rounds until `seconds` are over or `rounds` are played. */
  play(rounds: number, seconds: number, scripts: Scripts): Promise<readonly Round[]>;
}

/**
 * Arms one real change with `begin`, stops its nets, and keeps what it looked like.
 * @param host Any host that nothing was deployed to yet.
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
    play: async (rounds, seconds, { before = ':', confirming }) =>
      (
        await host.must(
          `${PLAY}\nbefore() {\n${before}\n}\nconfirming() {\n${confirming}\n}\nplay ${rounds} ${seconds}`,
        )
      )
        .split('\n')
        .filter((line) => line.startsWith('round '))
        .map((line): Round => {
          const [, outcome = '', live, saved, left, ...said] = line.split(' ');
          return {
            ...{ outcome, live: live as Round['live'], saved: saved as Round['saved'], left: Number(left) },
            said: said.join(' '),
          };
        }),
  };
}

/** The texts of a change that stands and waits, and those of the rules and files before it and after it. */
const SET_UP = `
kill -9 $(pgrep -f 'pending/[a]gent.sh') || true
mkdir /root/arena
cp -a /var/lib/sallyport/pending /root/arena/armed
cp /root/arena/armed/agent.sh /root/arena/agent.sh
rm -rf /var/lib/sallyport/pending
iptables-save | grep '^-A SALLYPORT-INPUT' >/root/arena/live.new
grep '^-A SALLYPORT-INPUT' /root/arena/armed/snapshot.v4 >/root/arena/live.old
for way in old new; do cp -a /etc/iptables /root/arena/etc.$way; done
for kind in v4 v6; do cp /root/arena/armed/saved.$kind /root/arena/etc.new/rules.$kind; done
rm -f /root/arena/etc.*/*.sallyport
mkdir /root/arena/doomed
for tool in iptables-save ip6tables-save iptables-restore ip6tables-restore ipset awk sort cmp flock sha256sum cp mv rm \
  cat mkdir sync sleep date tr grep; do
  cat >/root/arena/doomed/$tool <<'END'
#!/bin/sh
read -r count </root/arena/count
echo $((count + 1)) >/root/arena/count
if [ $((count + 1)) -ge "$DOOM" ]; then kill -9 0; fi
PATH=\${PATH#/root/arena/doomed:}
exec "\${0##*/}" "$@"
END
  chmod +x /root/arena/doomed/$tool
done
`;

/**
 * Each round puts the old rules and files back, the armed change in its place with a deadline a moment away, and starts
 * the two nets as `begin` does. With DOOMED in front of its path, a process and all of its group are killed as the program
 * number DOOM starts, counted from zero in a file.
 */
const PLAY = `
WINDOW=100 DOOMED='' A=/root/arena S=/var/lib/sallyport
now() { read -r up rest </proc/uptime; up=\${up%.*}\${up#*.}; }
which_rules() {
  iptables-save -t filter | grep '^-A SALLYPORT-INPUT' >$A/live.now || :
  if cmp -s $A/live.now $A/live.old; then live=old; elif cmp -s $A/live.now $A/live.new; then live=new; else live=neither; fi
  saved=neither
  for way in old new; do
    if cmp -s /etc/iptables/rules.v4 $A/etc.$way/rules.v4 && cmp -s /etc/iptables/rules.v6 $A/etc.$way/rules.v6; then saved=$way; fi
  done
}
play() {
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
    PATH=$DOOMED$PATH setsid sh $S/pending/agent.sh supervise $run </dev/null >/dev/null 2>&1 & printf %s $! >$S/pending/supervisor
    said=$(confirming || :)
    tries=600
    while [ -d $S/pending ] && [ $tries -gt 0 ]; do tries=$((tries - 1)); sleep 0.02; done
    # A net that finds its transaction gone ends by itself, after its sleep.
    while [ $tries -gt 0 ] && left=$(pgrep -fc "[a]gent.sh [a-z]* $run$"); do tries=$((tries - 1)); sleep 0.02; done
    outcome=none
    if [ -e $S/last ]; then while read -r name value; do if [ $name = outcome ]; then outcome=$value; fi; done <$S/last; fi
    which_rules
    echo "round $outcome $live $saved $left $said"
  done
}
`;
