# How a transaction ends: the record, confirmed changes, and what a dead run left behind. Holds the lock.

# Records the outcome, removes the transaction, and stops the watchdogs. In this order, a process that dies in between
# leaves nothing to do: a watchdog that finds no transaction exits.
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

# The state is confirmed: makes the new rules persistent, or rolls back if they cannot be saved.
finish_confirmed() {
  DIR=$PENDING
  phase persist || :
  put "$DIR/persisting" yes
  if persist 2>"$ERRORS" && keep_known_good 2>>"$ERRORS"; then
    phase disarm || :
    keep_drop_counts || :
    unstage
    note=''
    if [ "$ENABLED" = no ]; then note="the rules will not load at boot: $LOADER is not enabled"; fi
    finish confirmed "$note"
  else
    start_rollback "the rules could not be saved: $(first_line "$ERRORS")" confirmed
    roll_back
  fi
}

# Ends the transaction of $RUN as its state requires, once the lock is free (within $1 seconds). With the reason $2 a
# pending transaction is rolled back.
conclude() {
  take_lock "$1" || return 1
  if is_pending_run; then
    if [ -n "${2:-}" ]; then start_rollback "$2" || :; fi
    if state_is rolling-back; then
      roll_back
    elif state_is confirmed; then
      finish_confirmed
    fi
  fi
  drop_lock
}

# Ends a transaction that a dead run left behind. Fails while it can still be confirmed.
finish_abandoned() {
  RUN=$(run_of "$PENDING")
  DIR=$PENDING
  if is_same_boot; then
    deadline_passed || return 1
    start_rollback 'not confirmed in time' || :
    if state_is confirmed; then finish_confirmed; else roll_back; fi
  elif state_is confirmed; then
    live_matches expected || apply_scripts forward || { persist && load_boot; }
    finish_confirmed
  else
    unstage
    finish rolled-back 'the host rebooted before the change was confirmed' "$(first_line "$PENDING/phase")"
  fi 2>/dev/null
}

# A reboot ends a pending transaction: the rules that were to be confirmed are gone.
finish_after_restart() {
  if is_pending_run && ! is_same_boot && take_lock 10; then
    if is_pending_run; then finish_abandoned; fi
    drop_lock
  fi
}

# Ends a transaction that has no watchdog left (reboot, or both killed) before anything is read: else its unconfirmed
# rules would be taken for those of the host.
finish_overdue() {
  if [ ! -d "$PENDING" ]; then return 0; fi
  RUN=$(run_of "$PENDING")
  finish_after_restart
  if ! is_pending_run || ! deadline_passed; then return 0; fi
  start_rollback 'not confirmed in time' || :
  start_detached conclude
  poll 100 is_over
}

is_over() { ! is_pending_run; }
