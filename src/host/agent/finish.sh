# The ends of a transaction. Each holds the lock.

# Records the end, takes the transaction away, and ends the nets. In this order: whoever dies in between leaves nothing
# that is still to be done, since a net that finds no transaction ends by itself.
finish() {
  outcome=$1 reason=$2 ended_in=${3:-done}
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
  finish "$end" "$why${undone_by:-}" "$ended_in"
}

# Backwards, so that what others added since stays; else the whole snapshot; else what loads at boot; and where for long
# nothing of that can be had, without the rules of this change, so that people get in again.
undo() {
  undone_by=''
  if intact && stands snapshot; then return 0; fi
  if intact; then
    # One that fails must not keep the others from trying; what stands afterwards decides.
    for each in apply_sets:sets apply_v4:v4 apply_v6:v6 apply_sets:setsAfter; do
      "${each%:*}" "$DIR/backward.${each#*:}"
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
  awk "$OURS_IN_BUILT_IN"' { if (sub(/^-A/, "-D")) print; else print $1, "ACCEPT [0:0]" } /^\*/ || /^COMMIT/ { print }'
}

without_chains() {
  awk '
    /^\*/ { ours = 0; print }
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
  move_state "${2:-pending}" rolling-back || return 1
  put "$PENDING/reason" "$1" 2>/dev/null || :
}

# Brings the transaction of $RUN to the end that its state asks for, once nobody else works on it.
conclude() {
  take_lock "$1" || return 1
  if mine; then
    if [ -n "${2:-}" ]; then give_up "$2" || :; fi
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
