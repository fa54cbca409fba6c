import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import{error,note}from"./lib-problem.js";import{createHash}from"node:crypto";import{randomBytes}from"node:crypto";var unreachable=(host,why,hint)=>error("host-unreachable",`${host.name} (${host.address}) cannot be reached over SSH: ${why}.`,void 0,hint),quote=word=>`'${word.replaceAll("'","'\\''")}'`;async function withTimeout(seconds,work,message,late){let timer,deadline=new Promise((_,reject)=>{timer=setTimeout(()=>{reject(new Error(message)),late()},seconds*1e3)});try{return await Promise.race([work,deadline])}finally{clearTimeout(timer)}}function lines(onLine){let rest="";return chunk=>{let parts=(rest+chunk.toString("latin1")).split(`
`);rest=parts.pop()??"";for(let line of parts)onLine(line)}}var activity_default=`# What the host is doing now: its flows with others and the ports on which it listens. Only reads, only where it is asked
# for (SP_ACTIVITY), and says nothing where it cannot see.
#
# A busy host holds a million flows, so they are counted here, kind by kind; 20,000 are looked at, 1,000 kinds are told.

# Entries of connection tracking, as /proc/net/nf_conntrack or conntrack(8) has them, as lines
#   flow COUNT PROTOCOL SOURCE DESTINATION PORT ANSWERED-BY
count_tracked() {
  awk -v seen=20000 -v told=1000 '
    seen < NR { exit }
    { protocol = $1 ~ /^ipv[46]$/ ? $3 : $1 }
    protocol == "tcp" ? !/ ESTABLISHED / : protocol != "udp" || /\\[UNREPLIED\\]/ { next }
    {
      split("", first)
      reply = ""
      for (i = 1; i <= NF; i++) {
        at = index($i, "=")
        name = substr($i, 1, at - 1)
        if (name == "src" && ("src" in first)) reply = substr($i, at + 1)
        else if (at && !(name in first)) first[name] = substr($i, at + 1)
      }
      if (first["src"] ~ /^127\\./ || first["src"] == first["dst"]) next
      count[protocol " " first["src"] " " first["dst"] " " first["dport"] " " reply]++
    }
    END {
      for (kind in count)
        if (0 < told--) print "flow", count[kind], kind
        else left += count[kind]
      print "left", left + 0
      if (seen < NR) print "cut"
    }'
}

# Sockets as \`ss -ntu\` prints them, those that listen first, as lines \`listen PROTOCOL ADDRESS:PORT\`, and those that are
# connected as flows: to a port that listens, or from here.
count_sockets() {
  awk -v seen=20000 -v told=1000 '
    function host(end) { sub(/:[^:]*$/, "", end); return end }
    function port(end) { sub(/.*:/, "", end); return end }
    seen < NR { exit }
    $2 == "LISTEN" || $2 == "UNCONN" {
      if (0 < told--) print "listen", $1, $5
      listens[$1 port($5)] = 1
    }
    $2 == "ESTAB" {
      if (($1 port($5)) in listens) count[$1 " " host($6) " " host($5) " " port($5)]++
      else count[$1 " " host($5) " " host($6) " " port($6)]++
    }
    END {
      for (kind in count)
        if (0 < told--) print "flow", count[kind], kind
        else left += count[kind]
      print "left", left + 0
      if (seen < NR) print "cut"
    }'
}

# The same from the kernel itself (proc(5)): 0A listens, 07 is a UDP socket without a peer, 01 is connected.
proc_sockets() {
  for file in tcp tcp6 udp udp6; do
    if [ ! -r "/proc/net/$file" ]; then continue; fi
    awk -v protocol="\${file%6}" '
      $4 == "0A" { print protocol, "LISTEN", 0, 0, $2, $3 }
      $4 == "07" { print protocol, "UNCONN", 0, 0, $2, $3 }
      $4 == "01" { print protocol, "ESTAB", 0, 0, $2, $3 }' "/proc/net/$file"
  done
}

# conntrack(8) would load the kernel's module where none is, and so is asked only where entries are.
tracked() {
  read_line /proc/sys/net/netfilter/nf_conntrack_count
  if [ -z "$line" ] || [ "$line" -eq 0 ]; then return 1; fi
  if [ -r /proc/net/nf_conntrack ]; then
    count_tracked </proc/net/nf_conntrack
  elif has conntrack; then
    for family in ipv4 ipv6; do conntrack -L -f "$family" 2>/dev/null; done | count_tracked
  else
    return 1
  fi
}

activity() {
  if tracked; then
    echo tracked
    if has ss; then ss -lntu; else proc_sockets | awk '$2 != "ESTAB"'; fi | count_sockets
  elif has ss; then
    { ss -lntu && ss -ntu; } | count_sockets
  else
    proc_sockets | count_sockets
  fi
}
`;var base_default=`# Sallyport's half on the host: POSIX sh, run by root, sent over standard input. It decides; the runner only asks.
#
# These files are one script: base, host, activity, rules, state, saved, nets, ends, begin, main. The runner sets SP_MARK,
# a random word that begins every line of the answer, and the SP_ variables that a verb wants; main.sh names them all.
# Nothing acts before the last line, so a text that was cut on its way does nothing at all.
#
# State is in $STATE, for root alone. A transaction is the directory \`pending\`; which of the files state.pending,
# state.confirmed and state.rolling-back is in it says how far it is, and moving it is one rename(2): of two who try,
# one succeeds. Everything that changes rules or files holds the lock.

STATE=/var/lib/sallyport
PENDING=$STATE/pending
# A transaction that has ended, for the moment in which its nets are taken away.
GONE=$STATE/gone
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

has() { command -v "$1" >/dev/null 2>&1; }

# The first line of a file in $line, without starting a process; nothing where there is none.
read_line() {
  line=
  if [ -r "$1" ]; then IFS= read -r line <"$1" || :; fi
}

# The same as a word. It costs a process: what every change does reads $line instead.
first_line() {
  read_line "$1"
  printf '%s' "$line"
}

# The lines of a small file, without starting a process; nothing where there is none.
show() {
  if [ ! -r "$1" ]; then return 0; fi
  while IFS= read -r line; do printf '%s\\n' "$line"; done <"$1"
}

put() { printf '%s' "$2" >"$1"; }
fact() { printf '%s %s\\n' "$1" "$2"; }

# Prints one section: the command's output between two marked lines, its exit status in the second one; what it says
# on stderr follows the same mark there.
section() {
  section_name=$1
  shift
  printf '%s > %s\\n' "$SP_MARK" "$section_name"
  printf '%s > %s\\n' "$SP_MARK" "$section_name" >&2
  "$@"
  printf '\\n%s < %s\\n' "$SP_MARK" $?
}

say() { printf '%s %s\\n' "$SP_MARK" "$*"; }

answer() {
  say "$@"
  say 'done'
  exit 0
}

refuse() { answer refuse "$@"; }

# To disk, by name where the system's sync can do that.
sync_files() { sync "$@" 2>/dev/null || sync; }

# Whole hundredths of a second since boot, in $uptime: no clock step moves them.
read_uptime() {
  read -r uptime rest </proc/uptime
  uptime=\${uptime%.*}\${uptime#*.}
}

read_boot() { read_line /proc/sys/kernel/random/boot_id; }
`;var begin_default=`# From the texts of a change to rules that stand and a clock that runs.

begin() {
  RUN=$SP_RUN
  NEW=''
  trap abandon EXIT
  trap 'exit 1' HUP INT PIPE TERM
  say phase preflight
  # What is there was made so by an earlier run; -w is false on a file system that is read-only.
  { [ -d "$STATE" ] && [ -w "$STATE" ]; } || { mkdir -p "$STATE" && chmod 700 "$STATE"; } 2>/dev/null || refuse state-unwritable "$STATE cannot be written"
  list_missing
  if [ -n "$missing" ]; then refuse tools-missing "\${missing# }"; fi
  list_managers
  if [ -n "$managers" ]; then
    refuse other-manager "\${managers%% *} is active and would write over the same chains; switch it off first"
  fi
  take_lock 5 || refuse busy "another run is at work: $(first_line "$STATE/lock")"
  if [ -d "$PENDING" ]; then
    settle || refuse busy "run $(run_of "$PENDING") of $(first_line "$PENDING/owner") is not confirmed yet, $left seconds are left"
    RUN=$SP_RUN
  fi
  printf '%s\\n' "$SP_RUN of $SP_OWNER" >"$STATE/lock" || refuse disk-full "$STATE cannot be written"
  answer_if_ended
  for left in "$STATE"/new.* "$GONE"; do
    if [ -e "$left" ]; then rm -rf "$left"; fi
  done
  NEW=$STATE/new.$RUN
  DIR=$NEW
  { mkdir "$NEW" "$NEW/known" && unpack; } 2>/dev/null || refuse disk-full "$STATE does not take the texts of this change"
  find_loader
  check_saved

  say phase snapshot
  snapshot

  say phase rehearse
  can_v6 || :
  why=$(SP_V6=$CAN_V6 unshare -n sh "$DIR/agent.sh" rehearse "$DIR" 2>"$ERRORS") || refuse rehearsal-failed "\${why:-this host lets nobody make a network namespace}$(detail)"
  (cd "$DIR" && sha256sum snapshot.* expected.* forward.* backward.* >sums) || refuse disk-full "$STATE is full"

  say phase arm
  read_boot
  put "$DIR/boot" "$line"
  read_uptime
  put "$DIR/deadline" $((uptime + SP_SECONDS * 100))
  put "$DIR/phase" arm
  : >"$DIR/state.pending" || refuse disk-full "$STATE is full"
  sync_files "$DIR"/* "$DIR"/known/* "$DIR"
  mv "$NEW" "$PENDING" || refuse disk-full "$STATE cannot be written"
  NEW=''
  DIR=$PENDING
  sync_files "$STATE"
  arm_late "$SP_SECONDS"
  drop_lock
  arm_supervisor
  await_applied
}

# Until it is armed, a change that ends leaves nothing behind, also when the runner is gone and nobody listens.
abandon() {
  if [ -n "$NEW" ]; then
    unstage
    rm -rf "$NEW"
  fi
}

unpack() {
  put "$DIR/run" "$SP_RUN" && put "$DIR/commit" "$SP_COMMIT" && put "$DIR/owner" "$SP_OWNER" || return 1
  put "$DIR/token" "$SP_TOKEN" && put "$DIR/ownership" "$SP_OWNERSHIP" && put "$DIR/enable" "$SP_ENABLE" || return 1
  put "$DIR/agent.sh" "$SP_AGENT" || return 1
  if [ -n "$SP_PATH_V4" ]; then
    put "$DIR/path.v4" "$SP_PATH_V4" && put "$DIR/path.v6" "$SP_PATH_V6" || return 1
    put "$DIR/path.sets" "$SP_PATH_SETS" || return 1
  fi
  put "$DIR/forward.sets" "$SP_FORWARD_SETS" && put "$DIR/forward.v4" "$SP_FORWARD_V4" || return 1
  put "$DIR/forward.v6" "$SP_FORWARD_V6" && put "$DIR/forward.setsAfter" "$SP_FORWARD_AFTER" || return 1
  put "$DIR/backward.sets" "$SP_BACKWARD_SETS" && put "$DIR/backward.v4" "$SP_BACKWARD_V4" || return 1
  put "$DIR/backward.v6" "$SP_BACKWARD_V6" && put "$DIR/backward.setsAfter" "$SP_BACKWARD_AFTER" || return 1
  put "$DIR/planned.v4" "$SP_LIVE_V4" && put "$DIR/planned.v6" "$SP_LIVE_V6" || return 1
  put "$DIR/planned.sets" "$SP_LIVE_SETS" && put "$DIR/known/v4" "$SP_OWNED_V4" || return 1
  put "$DIR/known/v6" "$SP_OWNED_V6" && put "$DIR/known/sets" "$SP_OWNED_SETS" || return 1
  put "$DIR/saved.v4" "$SP_SAVED_V4" && put "$DIR/saved.v6" "$SP_SAVED_V6" || return 1
  put "$DIR/saved.sets" "$SP_SAVED_SETS" || return 1
  {
    fact run "$SP_RUN"
    fact commit "$SP_COMMIT"
    fact owner "$SP_OWNER"
    fact host "$SP_HOST"
    read_line /etc/machine-id
    fact machine-id "$line"
    fact digest "$SP_DIGEST"
    fact time "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  } >"$DIR/about" || return 1
  ERRORS=$DIR/error
}

# Lines of sha256sum are true of the files in $DIR.
sums_hold() { (cd "$DIR" && printf '%s' "$1" | sha256sum -c >/dev/null 2>&1); }

# What was sent is here, there is a place that loads at boot, it holds what the plan saw, and it takes the new text.
check_saved() {
  if [ -z "$BOOT_V4" ]; then refuse no-boot-loader 'nothing on this host loads rules at boot'; fi
  if [ -s "$DIR/saved.sets" ] && [ -z "$BOOT_SETS" ]; then
    refuse no-boot-loader 'nothing on this host loads ipsets at boot, which the rules need'
  fi
  sums=''
  for kind in v4 v6 sets; do
    find_path "$kind"
    if [ -z "$saved_path" ]; then continue; fi
    case $kind in
    v4) before=$SP_BEFORE_V4 text=$SP_SAVED_V4 ;;
    v6) before=$SP_BEFORE_V6 text=$SP_SAVED_V6 ;;
    *) before=$SP_BEFORE_SETS text=$SP_SAVED_SETS ;;
    esac
    if [ -e "$saved_path" ]; then
      [ "$before" != none ] || refuse_saved
      cp -p "$saved_path" "$DIR/old.$kind" || refuse disk-full "$STATE is full"
      sums="$sums$before  old.$kind
"
    else
      [ "$before" = none ] || refuse_saved
      : >"$DIR/absent.$kind" || refuse disk-full "$STATE is full"
    fi
    # The sums of what is to be saved are there: the file has it already when its own sum is the same.
    case $SP_SUMS in *"$before  saved.$kind"*) continue ;; esac
    if to_save "$kind"; then
      { { [ -d "\${saved_path%/*}" ] || mkdir -p "\${saved_path%/*}"; } && stage "$saved_path" && put "$saved_path.sallyport" "$text"; } 2>/dev/null ||
        refuse saved-unwritable "$saved_path cannot be written"
    fi
  done
  if sums_hold "$SP_SUMS$sums"; then return 0; fi
  sums_hold "$SP_SUMS" || refuse disk-full "$STATE does not take the texts of this change"
  for kind in v4 v6 sets; do
    case $sums in *"old.$kind"*) ;; *) continue ;; esac
    find_path "$kind"
    sum=$(sha256sum <"$DIR/old.$kind")
    case $sums in *"\${sum%% *}  old.$kind"*) ;; *) refuse_saved ;; esac
  done
}

refuse_saved() { refuse plan-changed "$saved_path is not what the change was computed from"; }

snapshot() {
  {
    iptables-save >"$DIR/snapshot.v4" && save_v6 >"$DIR/snapshot.v6" && save_sets >"$DIR/snapshot.sets"
  } 2>"$ERRORS" || refuse snapshot-failed "the rules cannot be saved$(detail)"
  if has nft; then nft_rules; fi | rule_shapes >"$DIR/shapes" || refuse disk-full "$STATE is full"
  (rules to="$DIR/snapshot" steps="$DIR" \\
    family=v4 "$DIR/snapshot.v4" family=v6 "$DIR/snapshot.v6" family=sets "$DIR/snapshot.sets" planned=yes \\
    family=v4 "$DIR/planned.v4" family=v6 "$DIR/planned.v6" family=sets "$DIR/planned.sets") || case $? in
  3) refuse plan-changed "the rules on the host are not those that the change was computed from" ;;
  4) refuse snapshot-failed 'what iptables-save printed is not complete' ;;
  *) refuse disk-full "$STATE is full" ;;
  esac
  for family in v4 v6; do
    if [ -s "$DIR/empty.$family" ]; then
      cat "$DIR/empty.$family" >>"$DIR/snapshot.$family" || refuse disk-full "$STATE is full"
    fi
  done
}

# The last line of what a tool said.
detail() {
  text=
  if [ -r "$ERRORS" ]; then
    while IFS= read -r line; do
      if [ -n "$line" ]; then text=$line; fi
    done <"$ERRORS"
  fi
  if [ -n "$text" ]; then printf ': %s' "$text"; fi
}

# In a namespace of its own, on the host's own tools and kernel: the snapshot, the change, the way back, and the boot.
rehearse() {
  DIR=$1
  leave_out_sets
  load "$DIR/snapshot" || fail 'the rules of this host do not load as they were saved'
  lost=''
  if [ -s "$DIR/shapes" ]; then lost=$(nft_rules | rule_shapes | lost_in_saving "$DIR/shapes"); fi
  if [ -n "$lost" ]; then
    fail "$lost was made with nft, and iptables-save shows it as another rule than it is; move it into an nft table of another name, or make it with iptables"
  fi
  steps forward || fail 'the new rules do not load'
  live | rules to="$DIR/expected" as="$DIR/snapshot.foreign" - || case $? in
  2) fail 'the disk is full' ;;
  *) fail_for 'the change would touch what is not of Sallyport' ;;
  esac
  steps backward || fail 'the way back does not load'
  live | rules as="$DIR/snapshot.normal" - || fail_for 'the way back does not lead to the old rules'
  # Texts without sets need nothing that another table left behind, so that they load here if they load at boot.
  if [ -n "$NO_SETS" ]; then rehearse_saved "$DIR"; else exec unshare -n sh "$DIR/agent.sh" rehearse-saved "$DIR"; fi
}

# Whatever led elsewhere, there and back: was it that the snapshot itself loads as other rules?
fail_for() {
  load "$DIR/snapshot"
  live | rules as="$DIR/snapshot.normal" - || fail 'the rules of this host, once loaded, are others than those that were saved'
  fail "$1"
}

rehearse_saved() {
  DIR=$1
  load "$DIR/saved" || fail 'the saved rules would not load at boot'
}

fail() {
  printf '%s' "$1"
  exit 1
}

await_applied() {
  told=arm
  pause=05
  while mine; do
    read_line "$PENDING/phase"
    now_in=$line
    if [ "$now_in" != "$told" ] && [ -n "$now_in" ]; then
      # It may have come and gone between two looks.
      if [ "$told:$now_in" = arm:verify ]; then say phase apply; fi
      told=$now_in
      say phase "$told"
    fi
    count_left
    if [ "$told" = verify ]; then answer applied "$left"; fi
    if [ "$left" -eq 0 ]; then break; fi
    # A host that is slow has no time for those who ask how far it is.
    sleep "0.$pause" || sleep 1
    case $pause in 05) pause=1 ;; *) pause=2 ;; esac
  done
  await_end 20
}
`;var finish_default=`# The ends of a transaction. Each holds the lock.

# Records the end, takes the transaction away, and ends the nets. In this order: whoever dies in between leaves nothing
# that is still to be done, since a net that finds no transaction ends by itself.
finish() {
  outcome=$1 reason=$2 ended_in=\${3:-done}
  if write_last; then recorded=yes; else recorded=no; fi
  if [ -e "$GONE" ]; then rm -rf "$GONE"; fi
  mv "$PENDING" "$GONE" || :
  disarm || :
  rm -rf "$GONE"
  if [ "$recorded" = no ]; then write_last || :; fi
  sync_files "$STATE"
}

write_last() {
  {
    fact run "$RUN"
    read_line "$PENDING/commit"
    fact commit "$line"
    fact outcome "$outcome"
    fact phase "$ended_in"
    fact reason "$reason"
    fact time "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  } >"$STATE/last.new" 2>/dev/null && mv "$STATE/last.new" "$STATE/last"
}

# The state is rolling-back, for the reason in the file of that name. Never gives up while the host is up.
roll_back() {
  DIR=$PENDING
  why=$(first_line "$DIR/reason")
  ended_in=$(first_line "$DIR/phase")
  # The phase is written before the first rule changes.
  if [ "$ended_in" = arm ]; then end=refused; else end=rolled-back; fi
  phase rollback || :
  tries=0
  until undo; do
    tries=$((tries + 1))
    if [ "$tries" -eq 10 ]; then
      outcome=rollback-failed reason="$why; the old rules do not load: $(first_line "$DIR/error")"
      write_last || :
      ! has logger || logger -p auth.crit -t sallyport "The old firewall rules do not load; trying on." || :
    fi
    sleep 1
  done
  unstage
  if [ -e "$DIR/persisting" ]; then unpersist || why="$why; the saved files could not be put back"; fi
  finish "$end" "$why\${undone_by:-}" "$ended_in"
}

# Backwards, so that what others added since stays; else the whole snapshot; else what loads at boot; and where for long
# nothing of that can be had, without the rules of this change, so that people get in again.
undo() {
  undone_by=''
  if intact && stands snapshot; then return 0; fi
  if intact; then
    # One that fails must not keep the others from trying; what stands afterwards decides.
    for each in apply_sets:sets apply_v4:v4 apply_v6:v6 apply_sets:setsAfter; do
      "\${each%:*}" "$DIR/backward.\${each#*:}"
    done 2>"$ERRORS"
    sweep_sets
    if stands snapshot; then return 0; fi
    load "$DIR/snapshot" 2>>"$ERRORS"
    sweep_sets
    stands snapshot
    return
  fi
  undone_by='; the snapshot was damaged, so the saved rules were loaded'
  if load_boot 2>"$ERRORS"; then return 0; fi
  [ "$tries" -ge 9 ] || return 1
  undone_by='; the snapshot was damaged and no saved rules load, so all rules of ours were taken away'
  take_away 2>"$ERRORS"
}

# The hooks and policies first, which is what lets people in; then the chains, which nobody may name any more.
take_away() {
  iptables-save | without_hooks | iptables-restore --noflush -w 5
  if can_v6; then save_v6 | without_hooks | ip6tables-restore --noflush -w 5; fi
  live | awk '/^= failed/ { left = 1 } '"$OURS_IN_BUILT_IN"' { left = 1 } END { exit left }' || return 1
  iptables-save | without_chains | iptables-restore --noflush -w 5
  if can_v6; then save_v6 | without_chains | ip6tables-restore --noflush -w 5; fi
  sweep_sets
}

OURS_IN_BUILT_IN='/^:(INPUT|FORWARD|OUTPUT) DROP / || /^-A (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) (.* )?-[jg] SALLYPORT-/'

without_hooks() {
  awk "$OURS_IN_BUILT_IN"' { if (sub(/^-A/, "-D")) print; else print $1, "ACCEPT [0:0]" } /^\\*/ || /^COMMIT/ { print }'
}

without_chains() {
  awk '
    /^\\*/ { ours = 0; print }
    /^:SALLYPORT-/ { chains[++ours] = substr($1, 2) }
    /^COMMIT/ {
      for (at = 1; at <= ours; at++) print "-F", chains[at]
      for (at = 1; at <= ours; at++) print "-X", chains[at]
      print
    }'
}

# Sets of ours that the snapshot does not have: what a change that broke off left behind.
sweep_sets() {
  if ! has ipset; then return 0; fi
  ipset list -n | awk '
    old && $1 == "create" { there[$2] = 1 }
    !old && /^SALLYPORT-/ && !($1 in there)
  ' old=1 "$DIR/snapshot.sets" old=0 - | while read -r set; do
    ipset destroy "$set" 2>/dev/null || :
  done
}

intact() { (cd "$DIR" && sha256sum -c sums >/dev/null 2>&1); }

# The state is confirmed: the new rules were proved to let people in. What is left is to make them last.
make_last() {
  DIR=$PENDING
  phase persist || :
  put "$DIR/persisting" yes
  if persist 2>"$ERRORS" && keep_known_good 2>>"$ERRORS"; then
    phase disarm || :
    keep_count || :
    unstage
    note=''
    if [ "$ENABLED" = no ]; then note="nothing loads the rules at boot: $LOADER is not enabled"; fi
    finish confirmed "$note"
  else
    give_up "the rules could not be saved: $(first_line "$ERRORS")" confirmed
    roll_back
  fi
}

# From state $2 (pending, unless said) to rolling-back, because of $1. Fails when another one was faster.
give_up() {
  move_state "\${2:-pending}" rolling-back || return 1
  put "$PENDING/reason" "$1" 2>/dev/null || :
}

# Brings the transaction of $RUN to the end that its state asks for, once nobody else works on it.
conclude() {
  take_lock "$1" || return 1
  if mine; then
    if [ -n "\${2:-}" ]; then give_up "$2" || :; fi
    if state_is rolling-back; then
      roll_back
    elif state_is confirmed; then
      make_last
    fi
  fi
  drop_lock
}

# A transaction that was left here by a run that is no more. Leaves it alone while it may still be confirmed.
settle() {
  RUN=$(run_of "$PENDING")
  DIR=$PENDING
  if since_this_boot; then
    time_is_over || return 1
    give_up 'nobody confirmed it in time' || :
    if state_is confirmed; then make_last; else roll_back; fi
  elif state_is confirmed; then
    stands expected || steps forward || { persist && load_boot; }
    make_last
  else
    unstage
    finish rolled-back 'the host restarted before it was confirmed' "$(first_line "$PENDING/phase")"
  fi 2>/dev/null
}

# What a restart interrupted can no longer be confirmed: the rules that were proved are gone.
settle_after_restart() {
  if mine && ! since_this_boot && take_lock 10; then
    if mine; then settle; fi
    drop_lock
  fi
}

# What has nobody left to end it, because the host restarted or both nets are gone, ends before anything is read: the
# rules that stand would else be taken for the host's own.
settle_overdue() {
  if [ ! -d "$PENDING" ]; then return 0; fi
  RUN=$(run_of "$PENDING")
  settle_after_restart
  if ! mine || ! time_is_over; then return 0; fi
  give_up 'nobody confirmed it in time' || :
  detached conclude
  tries=100
  while mine && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1 || sleep 1
  done
}
`;var host_default=`# What the host is, and the answer to \`read\`.

# An address of the loopback device is enough: IPv6 is there.
has_ipv6() {
  [ -r /proc/net/if_inet6 ] && IFS= read -r line </proc/net/if_inet6
}

save_v6() {
  if has ip6tables-save; then
    ip6tables-save "$@" || ! has_ipv6
  else
    ! has_ipv6
  fi
}

# A host without IPv6 may have tools that fail; then there is nothing to filter. Found out once, and handed to the
# rehearsal: its namespace has no address of its own.
can_v6() {
  if [ -z "$CAN_V6" ]; then
    if has_ipv6 || { has ip6tables-save && ip6tables-save >/dev/null 2>&1; }; then CAN_V6=yes; else CAN_V6=no; fi
  fi
  [ "$CAN_V6" = yes ]
}

save_sets() { [ -n "$NO_SETS" ] || ! has ipset || ipset save; }

# What \`systemctl is-enabled\` looks at, without its cost: a link that wants the unit, and no mask (a link to /dev/null).
unit_enabled() {
  for unit in /etc/systemd/system/"$1" /run/systemd/system/"$1"; do
    [ ! -L "$unit" ] || [ -s "$unit" ] || return 1
  done
  for unit in /etc/systemd/system/*.wants/"$1" /etc/systemd/system/*.requires/"$1" /usr/lib/systemd/system/*.wants/"$1"; do
    [ ! -L "$unit" ] || return 0
  done
  return 1
}

sysv_enabled() {
  for unit in /etc/rc[S2-5].d/S[0-9][0-9]"$1"; do
    [ ! -e "$unit" ] || return 0
  done
  return 1
}

runlevel_enabled() {
  for unit in /etc/runlevels/*/"$1"; do
    [ ! -e "$unit" ] || return 0
  done
  return 1
}

# A value that OpenRC's configuration sets, else the given one.
openrc_value() {
  value=$3
  if [ -r "$1" ]; then
    while IFS= read -r line; do
      case $line in
      "$2="*)
        value=\${line#*=}
        value=\${value#\\"}
        value=\${value%\\"}
        ;;
      esac
    done <"$1"
  fi
  printf '%s' "$value"
}

# LOADER, ENABLED (yes or no) and the paths BOOT_V4, BOOT_V6, BOOT_SETS, each empty where nothing loads it.
find_loader() {
  LOADER=none ENABLED=no BOOT_V4='' BOOT_V6='' BOOT_SETS=''
  for plugin in /usr/share/netfilter-persistent/plugins.d/*; do
    case $plugin in
    *ip4tables) LOADER=netfilter-persistent BOOT_V4=/etc/iptables/rules.v4 ;;
    *ip6tables) BOOT_V6=/etc/iptables/rules.v6 ;;
    *ipset) BOOT_SETS=/etc/iptables/ipsets ;;
    esac
  done
  if [ "$LOADER" = netfilter-persistent ]; then
    if unit_enabled netfilter-persistent.service || sysv_enabled netfilter-persistent; then ENABLED=yes; fi
  elif [ -e /usr/libexec/iptables/iptables.init ]; then
    LOADER=iptables-services BOOT_V4=/etc/sysconfig/iptables BOOT_V6=/etc/sysconfig/ip6tables
    if unit_enabled iptables.service && { unit_enabled ip6tables.service || ! has_ipv6; }; then ENABLED=yes; fi
    if unit_enabled ipset.service; then BOOT_SETS=/etc/sysconfig/ipset; fi
  elif [ -e /etc/init.d/iptables ] && has openrc-run; then
    LOADER=openrc
    BOOT_V4=$(openrc_value /etc/conf.d/iptables IPTABLES_SAVE /var/lib/iptables/rules-save)
    BOOT_V6=$(openrc_value /etc/conf.d/ip6tables IP6TABLES_SAVE /var/lib/ip6tables/rules-save)
    if runlevel_enabled iptables && { runlevel_enabled ip6tables || ! has_ipv6; }; then ENABLED=yes; fi
    if runlevel_enabled ipset; then
      BOOT_SETS=$(openrc_value /etc/conf.d/ipset IPSET_SAVE /var/lib/ipset/rules-save)
    fi
  elif [ -f /usr/lib/systemd/system/iptables.service ] && [ ! -L /usr/lib/systemd/system/iptables.service ]; then
    LOADER=systemd-iptables BOOT_V4=/etc/iptables/iptables.rules BOOT_V6=/etc/iptables/ip6tables.rules
    if unit_enabled iptables.service && { unit_enabled ip6tables.service || ! has_ipv6; }; then ENABLED=yes; fi
    if unit_enabled ipset.service; then BOOT_SETS=/etc/ipset.conf; fi
  fi
  # A transaction remembers what its \`begin\` was told.
  if [ -n "$DIR" ] && [ -e "$DIR/path.v4" ]; then
    SP_PATH_V4=$(first_line "$DIR/path.v4")
    SP_PATH_V6=$(first_line "$DIR/path.v6")
    SP_PATH_SETS=$(first_line "$DIR/path.sets")
  fi
  if [ -n "$SP_PATH_V4" ]; then
    BOOT_V4=$SP_PATH_V4 BOOT_V6=$SP_PATH_V6 BOOT_SETS=$SP_PATH_SETS
    # Who names the files answers for what loads them.
    if [ "$LOADER" = none ]; then ENABLED=yes; fi
  fi
}

boot_facts() {
  find_loader
  fact loader "$LOADER"
  fact enabled "$ENABLED"
  fact v4 "$BOOT_V4"
  fact v6 "$BOOT_V6"
  fact sets "$BOOT_SETS"
}

# Programs that believe the built-in chains to be theirs, in $managers.
list_managers() {
  managers=''
  if [ -r /etc/ufw/ufw.conf ]; then
    while IFS= read -r line; do
      if [ "$line" = ENABLED=yes ]; then managers='ufw '; fi
    done </etc/ufw/ufw.conf
  fi
  for group in /sys/fs/cgroup/system.slice /sys/fs/cgroup/systemd/system.slice /sys/fs/cgroup/unified/system.slice; do
    if [ -e "$group/firewalld.service" ]; then
      managers="\${managers}firewalld "
      break
    fi
  done
}

facts() {
  read_line /proc/sys/kernel/hostname
  fact hostname "$line"
  read_line /proc/sys/kernel/osrelease
  fact kernel "$line"
  read_line /etc/machine-id
  fact machine-id "$line"
  fact ssh "$SP_SSH"
  if [ -d /run/systemd/system ]; then fact systemd yes; else fact systemd no; fi
  if has_ipv6; then fact ipv6 yes; else fact ipv6 no; fi
  for device in /sys/class/net/*; do
    if [ -e "$device" ]; then fact interface "\${device##*/}"; fi
  done
  list_managers
  for manager in $managers; do fact manager "$manager"; done
  counted_when
}

# What a count of packets means depends on when it began: with the boot, or with an earlier count.
counted_when() {
  read_boot
  fact boot "$line"
  read_uptime
  fact uptime "$uptime"
}

# In $missing, with a space in front of each.
list_missing() {
  missing=''
  for tool in iptables iptables-save iptables-restore flock awk cmp sha256sum mv cp sync unshare setsid sleep; do
    has "$tool" || missing="$missing $tool"
  done
  ! has_ipv6 || has ip6tables-restore || missing="$missing ip6tables-restore"
}

missing_tools() {
  list_missing
  for tool in $missing; do fact missing "$tool"; done
}

# Rules of the backend that iptables is not: seen by asking the other tools, where the kernel may have some.
other_backend() {
  case $VERSION in
  *nf_tables*)
    for family in ip ip6; do
      read_line "/proc/net/\${family}_tables_names"
      if [ -z "$line" ]; then continue; fi
      if has "\${family}tables-legacy-save"; then "\${family}tables-legacy-save"; else echo '# cannot be seen'; fi
    done
    ;;
  *)
    for family in ip ip6; do
      if has "\${family}tables-nft-save"; then "\${family}tables-nft-save" 2>/dev/null; fi
    done
    ;;
  esac
  return 0
}

# The base chains of native nft tables as nft lists them, and as \`rule FAMILY TABLE CHAIN NUMBER\` those rules that look up
# a set, which no version of iptables-nft does in its tables: as it seems, made with nft.
nft_listing() {
  if ! has nft; then return 0; fi
  { nft --debug=netlink list ruleset || nft list chains; } 2>/dev/null | rule_shapes listing=yes -
}

file_section() { if [ -n "$2" ] && [ -e "$2" ]; then section "$1" cat "$2"; fi; }

read_state() {
  settle_overdue
  VERSION=$(iptables -V 2>/dev/null)
  section version printf '%s' "$VERSION"
  if has ipset; then section ipset-version ipset version; fi
  section tools missing_tools
  section live-v4 iptables-save -c
  section live-v6 save_v6 -c
  section live-sets save_sets
  section other other_backend
  section nft nft_listing
  section boot boot_facts
  find_loader
  file_section saved-v4 "$BOOT_V4"
  file_section saved-v6 "$BOOT_V6"
  file_section saved-sets "$BOOT_SETS"
  section facts facts
  if has ip; then section addresses ip -o address; fi
  section record record
  if [ -e "$STATE/counted" ]; then section counted show "$STATE/counted"; fi
  if [ -n "$SP_LOG" ]; then section log kernel_log; fi
  if [ -n "\${SP_ACTIVITY-}" ]; then section activity activity; fi
  if [ -n "$SP_KNOWN" ]; then known_good "$SP_KNOWN"; fi
}

# What LOG rules wrote into the kernel's log (nf_log_syslog); a namespace's are nowhere unless nf_log_all_netns is set.
kernel_log() {
  ! has dmesg || { dmesg 2>/dev/null || :; } | awk '/ IN=.* SRC=.* DST=.* PROTO=/' | tail -n 500
}

record() {
  if [ -d "$PENDING" ]; then
    echo pending
    show "$PENDING/about"
    read_line "$PENDING/phase"
    fact phase "$line"
    count_left
    fact left "$left"
  fi
  if [ -e "$STATE/last" ]; then
    echo last
    show "$STATE/last"
  fi
  for entry in "$STATE"/known-good/*/about; do
    if [ ! -e "$entry" ]; then continue; fi
    echo known-good
    show "$entry"
  done
}

# Entry number $1 of the history, 1 being the newest.
known_good() {
  set -- "$1" "$STATE"/known-good/*/
  if [ ! -d "\${2:-}" ] || [ "$1" -ge $# ]; then return 0; fi
  shift $(($# - $1))
  entry=$1
  file_section known-v4 "\${entry}v4"
  file_section known-v6 "\${entry}v6"
  file_section known-sets "\${entry}sets"
}
`;var main_default=`# The verbs: two that the host runs by itself, and those that the runner asks.

# Under the lock, with the second net just looked at.
apply() {
  if ! phase apply; then
    give_up "$STATE is full, so nothing was changed"
  elif ! steps forward 2>"$ERRORS"; then
    give_up "the new rules did not load$(detail)"
  elif ! stands expected; then
    give_up 'the rules that stood afterwards were not those of the rehearsal'
  else
    phase verify || give_up "$STATE is full"
  fi
}

# Applies, then waits for the deadline. Its death is covered by \`late\`.
supervise() {
  trap '' HUP INT PIPE
  ROLE=supervise
  DIR=$PENDING
  ERRORS=$DIR/error
  if ! take_lock 10; then
    give_up 'the lock was held, so nothing was changed' || :
  elif mine && state_is pending; then
    if ! wait_for_late; then
      give_up 'the second timer could not be armed, so nothing was changed' || :
    elif state_is pending; then
      apply
    fi
    drop_lock
  fi
  if state_is pending; then until_deadline 0; fi
  conclude 60 'nobody confirmed it in time'
}

# The second net. A supervisor that does not let go of the lock is ended.
late() {
  trap '' HUP INT PIPE
  ROLE=late
  ERRORS=$PENDING/error
  until_deadline "$LATE"
  if mine && ! conclude 5 'nobody confirmed it in time'; then
    read_line "$PENDING/supervisor"
    pid=$line
    if [ "$pid" = systemd ]; then
      systemctl kill --signal=KILL "$(unit_name).service"
    elif is_ours "$pid"; then
      kill -9 "-$pid"
    fi 2>/dev/null
    conclude 60 'nobody confirmed it in time'
  fi
}

probe() {
  RUN=$SP_RUN
  settle_after_restart
  answer_if_ended
  if mine; then
    read_line "$PENDING/token"
    answer_pending "$line"
  fi
  read_line "$STATE/lock"
  case $line in "$RUN of "*) take_lock 0 || answer beginning ;; esac
  answer none
}

confirm() {
  trap '' HUP INT PIPE TERM
  RUN=$SP_RUN
  ROLE=confirm
  ERRORS=$PENDING/error
  DIR=$PENDING
  settle_after_restart
  answer_if_ended
  mine || answer none
  holds token "$SP_TOKEN" || answer refuse bad-token 'the token is not that of this run'
  if state_is pending && ! holds phase verify; then answer_pending; fi
  if time_is_over; then
    give_up 'nobody confirmed it in time' || :
  # What cannot be counted, on a full disk, decides nothing.
  elif ! stands expected "$PENDING/counted" && { rm -f "$PENDING/counted" && ! stands expected; }; then
    give_up 'someone else changed the rules before they were confirmed' || :
  fi
  move_state pending confirmed || :
  conclude 30 || :
  await_end 30
}

# The runner wants the old rules back, because of SP_REASON.
abort() {
  RUN=$SP_RUN
  ERRORS=$PENDING/error
  settle_after_restart
  answer_if_ended
  mine || answer none
  holds token "$SP_TOKEN" || answer refuse bad-token 'the token is not that of this run'
  if give_up "$SP_REASON"; then detached conclude; fi
  await_end 30
}

# --- what the runner may set

: "\${SP_MARK=}" "\${SP_AGENT=}" "\${SP_RUN=}" "\${SP_TOKEN=}" "\${SP_REASON=}" "\${SP_SSH=}" "\${SP_KNOWN=}" "\${SP_LOG=}" "\${SP_ACTIVITY=}"
: "\${SP_PATH_V4=}" "\${SP_PATH_V6=}" "\${SP_PATH_SETS=}"
: "\${SP_COMMIT=}" "\${SP_OWNER=}" "\${SP_HOST=}" "\${SP_SECONDS=}" "\${SP_DIGEST=}" "\${SP_SUMS=}"
: "\${SP_OWNERSHIP=}" "\${SP_ENABLE=}"
: "\${SP_FORWARD_SETS=}" "\${SP_FORWARD_V4=}" "\${SP_FORWARD_V6=}" "\${SP_FORWARD_AFTER=}"
: "\${SP_BACKWARD_SETS=}" "\${SP_BACKWARD_V4=}" "\${SP_BACKWARD_V6=}" "\${SP_BACKWARD_AFTER=}"
: "\${SP_LIVE_V4=}" "\${SP_LIVE_V6=}" "\${SP_LIVE_SETS=}" "\${SP_OWNED_V4=}" "\${SP_OWNED_V6=}" "\${SP_OWNED_SETS=}"
: "\${SP_SAVED_V4=}" "\${SP_SAVED_V6=}" "\${SP_SAVED_SETS=}" "\${SP_BEFORE_V4=}" "\${SP_BEFORE_V6=}" "\${SP_BEFORE_SETS=}"

# Seconds by which the second net comes after the first.
LATE=2
# Who this process is, where it matters whom to end: supervise, late, confirm, conclude.
ROLE=''
# The directory of the transaction that is worked on.
DIR=''
# Whether ip6tables works here: yes or no, once that was asked.
CAN_V6=\${SP_V6-}
# Not empty in a namespace that no set can have come to.
NO_SETS=''
ERRORS=/dev/null
RUN=\${2:-}

run() {
  case \${1:-} in
  read) read_state ;;
  begin) begin ;;
  probe) probe ;;
  confirm) confirm ;;
  abort) abort ;;
  rehearse) rehearse "$2" && exit ;;
  rehearse-saved) rehearse_saved "$2" && exit ;;
  supervise) supervise && exit ;;
  late) late && exit ;;
  conclude)
    ROLE=conclude
    ERRORS=$PENDING/error
    conclude 60 && exit
    ;;
  *) exit 64 ;;
  esac
  say 'done'
}

run "$@"
`;var rules_default=`# Rules: in a form that can be compared, and how they are changed.

# What the kernel runs, as \`= v4\`, \`= v6\` and \`= sets\` with the text below each; \`= failed\` where a tool fails.
live() {
  echo '= v4'
  iptables-save "$@" || echo '= failed'
  echo '= v6'
  save_v6 "$@" || echo '= failed'
  echo '= sets'
  save_sets || echo '= failed'
}

# Brings rules into a form that can be compared: a line for each policy that drops, each user chain, rule, set and
# member: family, table, chain, number in the chain, text. What may differ between equal states is left out: comments,
# counters, the order of tables and chains, empty tables, and of sets what the kernel chooses or counts.
#
# Sallyport answers for its chains, the hooks that lead to them, the policies, its sets: these lines are owned, all
# others are foreign. A rule in a built-in chain is taken without its number there: others may come and go above it.
#
# Words: to=PATH writes PATH.normal, PATH.owned and PATH.foreign; as=PATH.PART fails with 1 when the lines are not those of
# this file, in whatever order; counted=PATH takes down what was dropped. Then the texts, as awk takes them; those after
# planned=yes are what the ones before it should be, and it fails with 3 when neither all nor the owned lines are. Tables
# that the steps forward in the directory of steps=PATH name, and the texts do not, go to PATH/empty.FAMILY. A text that is not complete
# fails with 4. A deploy does this six times, so it is one process, which takes the place of the shell: call it in one of
# its own.
rules() {
  read_line "$DIR/ownership"
  exec awk -v OFS='\\t' -v ownership="$line" '
    function begin() {
      if (begun++) return
      parts = split("normal owned foreign", part, " ")
      for (at = 1; to != "" && at <= parts; at++) printf "" >(to "." part[at])
      if (as == "") return
      wanted = as
      sub(/.*[.]/, "", wanted)
      while ((got = (getline line <as)) > 0) left[line]++
      if (got < 0) failed = 1
    }
    function tell(kind, line) {
      if (kind == wanted) left[line]--
      if (to == "") return
      there[kind, line] += planned ? -1 : 1
      if (planned) return
      print line >(to "." kind)
      written[kind]++
    }
    function rule(chain, number, text, own, place) {
      place = family OFS (family == "sets" ? "" : table) OFS chain OFS
      own = ownership == "tables" || chain ~ /^SALLYPORT-/ || text ~ /-[jg] SALLYPORT-/ || (number == "000000" && text ~ / DROP$/)
      tell("normal", place number OFS text)
      if (ownership != "tables" && family != "sets" && chain !~ /^SALLYPORT-/) number = "-"
      tell(own ? "owned" : "foreign", place number OFS text)
    }
    # A table that is only named is made by the steps; to go back to nothing, it has to be there empty.
    function fill(family, line, names, count, at) {
      while ((getline line <(steps "/forward." family)) > 0) {
        if (line !~ /^\\*/ || ((family, substr(line, 2)) in tables)) continue
        tables[family, substr(line, 2)] = 1
        print line >(steps "/empty." family)
        count = split(chains[substr(line, 2)], names, " ")
        for (at = 1; at <= count; at++) print ":" names[at] " ACCEPT [0:0]" >(steps "/empty." family)
        print "COMMIT" >(steps "/empty." family)
      }
    }
    { begin() }
    counted != "" && (/^= v/ || /^\\*/ || /^:[A-Z]+ DROP / || / -A SALLYPORT-[A-Z]+ -j DROP$/) { print >>counted }
    /^# Table .* (is|contains) incompatible/ { open[family]++ }
    /^= / { if ($2 == "failed") failed = 1; else family = $2; next }
    /^COMMIT/ { open[family]-- }
    /^#/ || /^COMMIT/ || /^$/ { next }
    family == "sets" && $1 == "create" {
      gsub(/ (hashsize|bucketsize) [0-9]+| initval 0x[0-9a-f]+/, "")
      rule($2, 0, $0)
      next
    }
    family == "sets" {
      gsub(/ (timeout|packets|bytes) [0-9]+/, "")
      rule($2, 1, $0)
      next
    }
    /^\\*/ { table = substr($0, 2); open[family]++; if (!planned) tables[family, table] = 1; next }
    /^:/ { if ($2 != "ACCEPT") rule(substr($1, 2), "000000", ":" substr($1, 2) " " $2); next }
    { sub(/^\\[[0-9]+:[0-9]+\\] /, "") }
    { rule($2, sprintf("%06d", ++number[planned, family, table, $2]), $0) }
    END {
      begin()
      # Not every awk says that a disk was full.
      for (at = 1; to != "" && at <= parts; at++) {
        close(to "." part[at])
        while ((getline line <(to "." part[at])) > 0) written[part[at]]--
        if (written[part[at]] != 0) failed = 2
      }
      for (line in left) if (left[line] != 0) failed = failed ? failed : 1
      for (line in there) {
        split(line, key, SUBSEP)
        if (there[line] != 0) differs[key[1]] = 1
      }
      if (planned && differs["normal"] && differs["owned"]) failed = failed ? failed : 3
      for (each in open) if (open[each] != 0) failed = 4
      if (steps != "") {
        chains["filter"] = "INPUT FORWARD OUTPUT"
        chains["security"] = chains["filter"]
        chains["nat"] = "PREROUTING INPUT OUTPUT POSTROUTING"
        chains["mangle"] = "PREROUTING INPUT FORWARD OUTPUT POSTROUTING"
        chains["raw"] = "PREROUTING OUTPUT"
        fill("v4")
        fill("v6")
      }
      exit failed
    }' "$@"
}

# Where neither the host nor the change has sets, nothing is asked about them.
leave_out_sets() {
  NO_SETS=''
  [ -s "$DIR/snapshot.sets" ] || [ -s "$DIR/forward.sets" ] || [ -s "$DIR/saved.sets" ] || NO_SETS=yes
}

# The owned part of what the kernel runs is that of $1 (snapshot or expected). With $2, a file, what was dropped until
# now goes there, so that a later look can tell how much since. What is left out is left out of this look alone.
stands() {
  if [ -n "\${2-}" ]; then counted_when >"$2" || return 1; fi
  { leave_out_sets && live \${2:+-c}; } | rules as="$DIR/$1.owned" counted="\${2-}" -
}

# Takes the steps $1 (forward or backward) in the order in which rules find the sets they name.
steps() {
  apply_sets "$DIR/$1.sets" && apply_v4 "$DIR/$1.v4" && apply_v6 "$DIR/$1.v6" && apply_sets "$DIR/$1.setsAfter"
}

# A member that is there, or gone, already is no fault: a way back may begin in the middle. What stands decides.
apply_sets() { [ ! -s "$1" ] || ipset -exist restore <"$1"; }
apply_v4() { [ ! -s "$1" ] || iptables-restore --noflush -w 5 <"$1"; }
apply_v6() { [ ! -s "$1" ] || ! can_v6 || ip6tables-restore --noflush -w 5 <"$1"; }

# Loads whole texts $1.v4, $1.v6, $1.sets; what else is in the named tables goes.
load() { load_files "$1.v4" "$1.v6" "$1.sets"; }

# All that can be loaded is, also when another one fails; fails unless all of it did.
load_files() {
  failed=no
  if [ -n "$3" ] && [ -s "$3" ]; then load_sets "$3" || failed=yes; fi
  if [ -n "$1" ] && [ -s "$1" ]; then iptables-restore -w 5 <"$1" || failed=yes; fi
  if [ -n "$2" ] && [ -s "$2" ] && can_v6; then ip6tables-restore -w 5 <"$2" || failed=yes; fi
  [ "$failed" = no ]
}

# What the next boot would load.
load_boot() {
  find_loader
  [ -s "$BOOT_V4" ] && load_files "$BOOT_V4" "$BOOT_V6" "$BOOT_SETS"
}

# Sets that are there get the members of the text and no others.
load_sets() {
  awk '{ print } $1 == "create" { print "flush " $2 }' "$1" | ipset -exist restore
}

# One line for each rule of the tables that iptables-nft keeps: family, table, chain, number, how often it looks up a
# set, how many values it loads, whether it compares with a range, and the extensions of xtables in it. Both
# take the place of the shell that calls them.
nft_rules() { exec nft --debug=netlink list ruleset 2>/dev/null; }
rule_shapes() {
  exec awk '
    function shown() {
      if (rule != "") {
        number[rule]++
        if (!listing) print rule, number[rule], lookups + 0, loads + 0, ranges + 0, names "."
        else if (lookups) print "rule", rule, number[rule]
      }
      rule = names = ""
      lookups = loads = ranges = 0
    }
    listing && (/^table / || /^\\tchain / || /^\\t\\ttype .* hook /) { print }
    /^ip6? (filter|nat|mangle|raw|security) [^@]/ { shown(); rule = $1 " " $2 " " $3; next }
    !/^  \\[ / { shown(); next }
    $2 == "lookup" { lookups++ }
    $3 == "load" { loads++ }
    $2 == "range" || $3 ~ /^(gt|gte|lt|lte)$/ { ranges = 1 }
    $2 == "match" || $2 == "target" { names = names $4 "," }
    END { shown() }' "$@"
}

# iptables-save 1.8.9 shows a rule that was made with nft as another one, and calls that a success: a set of ports is
# gone from it, or an address has taken the place of a range. Of the shapes $1 of the rules that were saved, prints the
# first rule that has lost something in those that came of what was saved, on standard input. Extensions that differ are
# those of another version of iptables, which writes the same rule in another way, and prove nothing.
lost_in_saving() {
  awk -v saved="$1" '
    BEGIN {
      while ((getline line < saved) > 0) {
        split(line, is)
        chain = is[1] " " is[2] " " is[3]
        before[chain, is[4]] = line
        count[chain] = is[4]
      }
    }
    { chain = $1 " " $2 " " $3; now[chain, $4] = $0; left[chain] = $4; order[++rules] = chain SUBSEP $4 }
    END {
      for (at = 1; at <= rules; at++) {
        split(order[at], key, SUBSEP)
        if (count[key[1]] != left[key[1]]) continue
        split(before[key[1], key[2]], was)
        split(now[key[1], key[2]], is)
        if (was[5] > is[5] || (was[8] == is[8] && (was[6] > is[6] || was[7] > is[7]))) {
          print "rule " is[4] " of " is[3] " (table " is[1] " " is[2] ")"
          exit
        }
      }
    }'
}
`;var saved_default=`# What lasts: the files that load at boot, and the history of what was known to be good.

# In $saved_path, where kind $1 is loaded from at boot; nothing when nothing loads it.
find_path() {
  case $1 in
  v4) saved_path=$BOOT_V4 ;;
  v6) saved_path=$BOOT_V6 ;;
  *) saved_path=$BOOT_SETS ;;
  esac
}

# Kind $1 is to be written: there is a place for it, and a text, or a file that is to be empty and is not.
to_save() {
  find_path "$1"
  [ -n "$saved_path" ] && { [ -s "$DIR/saved.$1" ] || [ -s "$saved_path" ]; }
}

# A file beside the place $1, with the mode and owner of what is there.
stage() { [ ! -e "$1" ] || cp -p "$1" "$1.sallyport"; }

unstage() {
  find_loader
  for place in "$BOOT_V4" "$BOOT_V6" "$BOOT_SETS"; do
    if [ -n "$place" ] && [ -e "$place.sallyport" ]; then rm -f "$place.sallyport" 2>/dev/null || :; fi
  done
}

# Does $1 for each pair of a place and the file that holds its text.
each_pair() {
  action=$1
  shift
  while [ $# -gt 1 ]; do
    "$action" "$1" "$2" || return 1
    shift 2
  done
}

# Texts on their way to their places: beside them, on disk, in them, on disk again. What takes time comes before the
# first one takes its place: they change one right after the other.
write_saved() {
  each_pair bring_beside "$@" && sync_each .sallyport "$@" && each_pair put_in_place "$@" && sync_each / "$@" &&
    each_pair see_in_place "$@"
}

# What \`begin\` has put beside it is there already, unless the place has the text as well.
bring_beside() {
  if cmp -s "$2" "$1.sallyport"; then return; fi
  if cmp -s "$2" "$1"; then
    rm -f "$1.sallyport"
  else
    stage "$1" && cat "$2" >"$1.sallyport" && cmp -s "$2" "$1.sallyport"
  fi
}

put_in_place() { [ ! -e "$1.sallyport" ] || mv -f "$1.sallyport" "$1"; }

see_in_place() {
  cmp -s "$2" "$1" || return 1
  ! has restorecon || restorecon "$1" || :
}

# Of pairs as above, to disk: the files beside the places (.sallyport), or the directories that hold them (/).
sync_each() {
  what=$1 pairs=$(($# / 2))
  shift
  while [ "$pairs" -gt 0 ]; do
    pairs=$((pairs - 1))
    place=$1
    shift 2
    if [ "$what" = / ]; then
      set -- "$@" "\${place%/*}"
    elif [ -e "$place.sallyport" ]; then
      set -- "$@" "$place.sallyport"
    fi
  done
  [ $# -eq 0 ] || sync_files "$@"
}

# Sets load before rules. So that a power cut in between leaves no rule without its set, those that go stay until the
# rules are written. Between the renames of the two families is the one moment in which a power cut boots new rules of
# one beside old ones of the other.
persist() {
  find_loader
  [ -n "$BOOT_V4" ] || return 1
  if to_save sets; then
    if [ ! -e "$DIR/old.sets" ]; then : >"$DIR/old.sets"; fi
    awk '!old { if ($1 == "create") new[$2] = 1; print } old && !($2 in new)' \\
      old=0 "$DIR/saved.sets" old=1 "$DIR/old.sets" >"$DIR/union.sets" || return 1
    write_saved "$BOOT_SETS" "$DIR/union.sets" || return 1
  fi
  set --
  for kind in v4 v6; do
    if to_save "$kind"; then set -- "$@" "$saved_path" "$DIR/saved.$kind"; fi
  done
  write_saved "$@" || return 1
  if to_save sets; then write_saved "$BOOT_SETS" "$DIR/saved.sets" || return 1; fi
  if [ "$ENABLED" = no ] && [ "$(first_line "$DIR/enable")" = yes ]; then
    enable_loader
    find_loader
    [ "$ENABLED" = yes ]
  fi
}

enable_loader() {
  case $LOADER in
  netfilter-persistent) systemctl enable --quiet netfilter-persistent || update-rc.d netfilter-persistent defaults ;;
  iptables-services | systemd-iptables) systemctl enable --quiet iptables ip6tables ;;
  openrc) rc-update add iptables && rc-update add ip6tables ;;
  esac >/dev/null 2>&1
}

# Puts back what was there before \`persist\`.
unpersist() {
  find_loader
  [ -n "$BOOT_V4" ] || return 1
  for kind in v4 v6 sets; do
    find_path "$kind"
    if [ -z "$saved_path" ]; then continue; fi
    if [ -e "$DIR/absent.$kind" ]; then
      rm -f "$saved_path"
    elif [ -e "$DIR/old.$kind" ]; then
      write_saved "$saved_path" "$DIR/old.$kind" || return 1
    fi
  done
}

# The owned part, kept as known good, unless a run that broke off has done so; the newest ten stay.
keep_known_good() {
  number=0
  for entry in "$STATE"/known-good/*/; do
    if [ -d "$entry" ]; then
      entry=\${entry%/}
      number=\${entry##*/}
    fi
  done
  while [ "\${number#0}" != "$number" ]; do number=\${number#0}; done
  number=00000$((number + 1))
  while [ \${#number} -gt 6 ]; do number=\${number#?}; done
  [ -d "$STATE/known-good" ] || mkdir "$STATE/known-good" || return 1
  if [ -d "$DIR/known" ]; then
    show "$DIR/about" >"$DIR/known/about" && mv "$DIR/known" "$STATE/known-good/$number" || return 1
  fi
  set -- "$STATE"/known-good/*/
  while [ $# -gt 10 ]; do
    rm -rf "$1"
    shift
  done
}

# What was dropped until the change was confirmed; where a run ended that late that nobody looked, until now.
keep_count() {
  [ -s "$DIR/counted" ] || stands expected "$DIR/counted" || :
  mv "$DIR/counted" "$STATE/counted"
}
`;var state_default=`# How far a transaction is, and who may work on it.

run_of() { first_line "$1/run"; }
mine() { [ -d "$PENDING" ] && read_line "$PENDING/run" && [ "$line" = "$RUN" ]; }
state_is() { [ -e "$PENDING/state.$1" ]; }
move_state() { mv "$PENDING/state.$1" "$PENDING/state.$2" 2>/dev/null; }

phase() {
  if [ "$ROLE" = confirm ]; then say phase "$1"; fi
  put "$PENDING/phase" "$1" 2>/dev/null
}

# File $1 of the transaction holds $2.
holds() { read_line "$PENDING/$1" && [ "$line" = "$2" ]; }

since_this_boot() { read_boot && holds boot "$line"; }

# Seconds to the deadline, in $left; none once the host has restarted.
count_left() {
  left=0
  if ! since_this_boot; then return 0; fi
  read_line "$PENDING/deadline"
  if [ -z "$line" ]; then return 0; fi
  read_uptime
  left=$(((line - uptime + 99) / 100))
  if [ "$left" -lt 0 ]; then left=0; fi
}

time_is_over() { count_left && [ "$left" -eq 0 ]; }

answer_pending() {
  count_left
  read_line "$PENDING/phase"
  answer pending "$line" "$left" "$@"
}

# The lock is file descriptor 9. busybox flock cannot wait for a while, so this asks again.
take_lock() {
  exec 9>>"$STATE/lock" || return 1
  tries=$(($1 * 10))
  until flock -n 9; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      exec 9>&-
      return 1
    fi
    sleep 0.1 || sleep 1
  done
}

drop_lock() { exec 9>&-; }

# Answers with how run $RUN ended, when it is the last one that ended here.
answer_if_ended() {
  if ! read_line "$STATE/last" || [ "$line" != "run $RUN" ]; then return 0; fi
  outcome='' phase='' reason=''
  while read -r name value; do
    case $name in
    outcome) outcome=$value ;;
    phase) phase=$value ;;
    reason) reason=$value ;;
    esac
  done <"$STATE/last"
  answer ended "$outcome" "$phase" "$reason"
}

# Waits for an end that another process is about to bring.
await_end() {
  tries=$(($1 * 10))
  while [ "$tries" -gt 0 ]; do
    answer_if_ended
    sleep 0.1 || sleep 1
    tries=$((tries - 1))
  done
  answer_pending
}
`;var watchdogs_default=`# The two safety nets. Either one alone brings the old rules back.

unit_name() { printf 'sallyport-%s' "$RUN"; }
uses_systemd() { [ -d /run/systemd/system ] && has systemd-run; }

# Starts verb $1 of the agent, free of this session.
detached() {
  setsid sh "$PENDING/agent.sh" "$1" "$RUN" </dev/null >/dev/null 2>&1 9>&- &
}

# The second net first: a timer of systemd, or a process of its own that sleeps before it reads what to do. It tells
# its own number: what was only started may end before it waits, and looks alive until then.
arm_late() {
  if uses_systemd && systemd-run --quiet --collect --unit="$(unit_name)-late" --on-active="$(($1 + LATE))s" \\
    --timer-property=AccuracySec=100ms /bin/sh "$PENDING/agent.sh" late "$RUN" 9>&-; then
    put "$PENDING/late" systemd
  else
    setsid sh -c "echo \\$\\$ >$PENDING/late || exit; sleep $(($1 + LATE)); exec sh $PENDING/agent.sh late $RUN" \\
      </dev/null >/dev/null 2>&1 9>&- &
  fi
}

arm_supervisor() {
  if uses_systemd && systemd-run --quiet --collect --unit="$(unit_name)" /bin/sh "$PENDING/agent.sh" supervise "$RUN" 9>&-; then
    put "$PENDING/supervisor" systemd
  else
    detached supervise
    put "$PENDING/supervisor" "$!"
  fi
}

# A process of this run's own, not another one that got its number since.
is_ours() {
  case $1 in '' | systemd | *[!0-9]*) return 1 ;; esac
  line=
  # Every shell leaves out the zero bytes between the words.
  { IFS= read -r line <"/proc/$1/cmdline" || :; } 2>/dev/null
  case $line in *agent.sh*"$RUN"*) return 0 ;; esac
  return 1
}

# A process that was just started takes a moment to be the one that it will be.
wait_for_late() {
  tries=50
  until late_armed; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then return 1; fi
    sleep 0.1 || sleep 1
  done
}

late_armed() {
  if holds late systemd; then
    [ "$(systemctl show --property=ActiveState --value "$(unit_name)-late.timer")" = active ]
  else
    is_ours "$line"
  fi
}

# The process of net $1, in $pid.
read_net() {
  read_line "$GONE/$1"
  if [ ! -d "$GONE" ]; then read_line "$PENDING/$1"; fi
  pid=$line
}

# Ends both nets, except for the one that this process is, and looks that they are gone.
disarm() {
  if uses_systemd; then
    if [ "$ROLE" != late ]; then systemctl stop --quiet "$(unit_name)-late.timer" "$(unit_name)-late.service" 2>/dev/null; fi
    if [ "$ROLE" != supervise ]; then systemctl stop --quiet "$(unit_name).service" 2>/dev/null; fi
  fi
  for net in late supervisor; do
    read_net "$net"
    if [ "$pid" != $$ ] && is_ours "$pid"; then kill -9 "-$pid" 2>/dev/null || kill -9 "$pid" 2>/dev/null; fi
  done
  tries=50
  while ! disarmed; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then return 1; fi
    sleep 0.1 || sleep 1
  done
}

disarmed() {
  for net in late supervisor; do
    read_net "$net"
    if [ "$pid" != $$ ] && is_ours "$pid"; then return 1; fi
  done
  if uses_systemd; then
    if [ "$ROLE" != late ]; then
      ! systemctl --quiet is-active "$(unit_name)-late.timer" || return 1
      ! systemctl --quiet is-active "$(unit_name)-late.service" || return 1
    fi
    if [ "$ROLE" != supervise ]; then ! systemctl --quiet is-active "$(unit_name).service" || return 1; fi
  fi
  return 0
}

# Until so many seconds after the deadline, or the end of the transaction.
until_deadline() {
  while mine; do
    read_line "$PENDING/deadline"
    read_uptime
    left=$((line + $1 * 100 - uptime))
    if [ "$left" -le 0 ]; then return 0; fi
    rest=$((100 + left % 100))
    sleep "$((left / 100)).\${rest#1}" || sleep 1
  done
}
`;var AGENT=[base_default,host_default,activity_default,rules_default,state_default,saved_default,watchdogs_default,finish_default,begin_default,main_default].join(`
`).replace(/^ *#.*\n/gm,""),commandLine=({ssh})=>`${ssh.user==="root"?"":"sudo -n "}sh -s -- "$SSH_CONNECTION"`;function script(mark,{verb,variables={}}){let[start,stays]=verb==="begin"?[`eval "$SP_AGENT"
`,{AGENT}]:[AGENT,{}];return`${Object.entries({MARK:mark,...variables,...stays}).map(([name,value])=>`SP_${name}=${quote(value)}
`).join("")}SP_SSH="\${1-}"
set -- ${verb}
${start}`}var newMark=()=>`sallyport-${randomBytes(12).toString("hex")}`;async function ask(connection,host,question,options){let mark=newMark(),{onWord}=options,ran=await connection.run(commandLine(host),script(mark,question),{seconds:options.seconds,...onWord===void 0?{}:{onLine:line=>{line.startsWith(`${mark} `)&&!/^[<>] /.test(line.slice(mark.length+1))&&onWord(line.slice(mark.length+1))}}}),answer=readAnswer(mark,ran,host);return question.verb!=="read"&&answer.kind==="answer"&&readerVersion(answer.words)!==void 0?{kind:"failed",problem:readOnlyKey(host)}:answer}var readerVersion=words=>words.find(line=>line.startsWith("reader "))?.slice(7),readOnlyKey=({name})=>error("read-only-key",`${name}: the key may only read.`,void 0,"Deploy with a key that may change the host.");function readAnswer(mark,ran,host){let lines2=ran.stdout.split(`
`);if(!lines2.includes(`${mark} done`))return ran.lost?{kind:"lost",...ran.problem===void 0?{}:{problem:ran.problem}}:{kind:"failed",problem:startProblem(ran,host)};let said=errorsBySection(mark,ran.stderr),sections=new Map,words=[],open;return lines2.forEach((line,index)=>{if(!line.startsWith(`${mark} `))return;let rest=line.slice(mark.length+1),[sign,name=""]=rest.split(" ");sign===">"?open={name,from:index+1}:sign==="<"&&open!==void 0?(sections.set(open.name,{out:lines2.slice(open.from,index).join(`
`),err:said.get(open.name)??"",code:Number(name)}),open=void 0):words.push(rest)}),{kind:"answer",words,sections}}function errorsBySection(mark,stderr){let parts=stderr.split(`${mark} > `).slice(1);return new Map(parts.map(part=>{let end=part.indexOf(`
`);return[part.slice(0,end),part.slice(end+1)]}))}var CAUSES=[[/password is required|a terminal is required|must have a tty|no tty present/,"sudo-asks","sudo asks for a password",'Allow it without one: put "USER ALL=(root) NOPASSWD: /usr/bin/sh, /bin/sh" into /etc/sudoers.d/sallyport.'],[/not allowed|not in the sudoers|may not run/i,"sudo-refuses","sudo does not let the user run sh as root",'Put "USER ALL=(root) NOPASSWD: /usr/bin/sh, /bin/sh" into /etc/sudoers.d/sallyport.'],[/sudo: (command )?not found|sudo: No such file/,"sudo-missing","sudo is not installed",'Install sudo, or set "ssh: {user: root}".']];function startProblem({code,stderr},host){let cause=CAUSES.find(([pattern])=>pattern.test(stderr));if(cause!==void 0){let[,id,why,hint]=cause;return error(id,`${host.name}: ${why}.`,void 0,hint.replace("USER",host.ssh.user))}let words=stderr.trim().split(`
`).slice(-3).join(" ");return error("agent-failed",`${host.name}: the script on the host ended with ${code===void 0?"a signal":`status ${code}`} before it answered${words===""?"":`: ${words}`}.`,void 0,"Check that the user gets a POSIX shell when a command is run over SSH.")}var lostProblem=host=>unreachable(host,"the connection was lost before the answer was complete"),pairs=text=>text.split(`
`).filter(line=>line!=="").map(line=>{let space=line.indexOf(" ");return space<0?[line,""]:[line.slice(0,space),line.slice(space+1)]});var reader_default=`# Sallyport's reader: what a firewall plan asks of this host, and nothing else. \`sallyport reader\` prints it.
#
# It makes an SSH key that can only read. For a user named deploy, as root:
#   1. This file is /usr/local/sbin/sallyport-read, owned by root, mode 755.
#   2. One line in /etc/sudoers.d/sallyport-read:
#        deploy ALL=(root) NOPASSWD: /usr/local/sbin/sallyport-read
#   3. One line in ~deploy/.ssh/authorized_keys, before the key itself:
#        restrict,command="sudo -n /usr/local/sbin/sallyport-read \\"$SSH_CONNECTION\\"" ssh-ed25519 AAAA... firewall-plan
# For root there is no line 2, and no \`sudo -n\` in line 3.
#
# The command that the owner of the key asks for is not looked at. Of what he sends, one word is: the mark that begins
# every line of the answer. Nothing of it is run, opened as a file, or handed to a program.

# The files that this host boots, where the policy names them (\`boot: paths\`); otherwise they are found.
SP_PATH_V4='' SP_PATH_V6='' SP_PATH_SETS=''

# What the host is doing now is read as well: with whom it has flows, and on which ports it listens. Without: ''.
SP_ACTIVITY=yes

STATE=/var/lib/sallyport
PENDING=$STATE/pending
SP_LOG='' SP_KNOWN='' DIR=''
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
unset ENV IFS
umask 077

# SSH_CONNECTION: two addresses and two ports.
SP_SSH=\${1-}
case $SP_SSH in *[!0-9a-zA-Z.:%_\\ -]*) SP_SSH='' ;; esac

# The mark stands in one of the first lines. The rest is taken off the wire and forgotten.
SP_MARK=''
left=20
while [ "$left" -gt 0 ] && IFS= read -r line; do
  left=$((left - 1))
  case $line in
  SP_MARK=\\'sallyport-*\\')
    line=\${line#SP_MARK=\\'}
    line=\${line%\\'}
    case \${line#sallyport-} in *[!0-9a-f]*) ;; *) SP_MARK=$line left=0 ;; esac
    ;;
  esac
done
cat >/dev/null
if [ -z "$SP_MARK" ]; then
  echo 'This key may only read, for sallyport plan.' >&2
  exit 1
fi

# A change that is under way is left to those who may change.
settle_overdue() { :; }

@FUNCTIONS@

say reader @DIGEST@
read_state
say 'done'
`;var FUNCTION=/^(\w+)\(\) \{(?:.*\}|\n[\s\S]*?\n\})$/gm,CALLS=[/(?<=(?:^|[;&|({!]|\b(?:then|do|else|if|while|until)\b)[ \t]*)\b\w+/gm,/(?<=\bsection [\w-]+ )\w+/g],OWN=["settle_overdue"];function reached(roots){let all=new Map([...AGENT.matchAll(FUNCTION)].map(([text,name=""])=>[name,text])),known=new Set(OWN),todo=[...roots];for(let next=todo.pop();next!==void 0;next=todo.pop()){if(known.has(next))continue;known.add(next);let text=all.get(next)??"";for(let call of CALLS)for(let[word]of text.matchAll(call))all.has(word)&&todo.push(word)}return[...all].filter(([name])=>known.has(name)&&!OWN.includes(name)).map(([,text])=>text)}var BODY=reader_default.replace("@FUNCTIONS@",()=>reached(["read_state","say"]).join(`

`)),DIGEST=createHash("sha256").update(BODY).digest("hex").slice(0,12),READER=`#!/bin/sh
${BODY.replace("@DIGEST@",DIGEST)}`,readerNotes=(host,reader)=>reader===DIGEST?[]:[note("other-reader",`${host}: the reader at /usr/local/sbin/sallyport-read is of another version.`,void 0,"Put the one there that `sallyport reader` prints.")];export{unreachable,withTimeout,lines,ask,readerVersion,lostProblem,pairs,READER,readerNotes};
