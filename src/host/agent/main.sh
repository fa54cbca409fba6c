# The verbs: supervise and late, which the host starts itself, and those of the runner.

# Applies the change. Called under the lock, with the backup timer armed.
apply() {
  if ! phase apply; then
    start_rollback "$STATE is full, so nothing was changed"
  elif ! apply_scripts forward 2>"$ERRORS"; then
    start_rollback "the new rules did not load$(detail)"
  elif ! live_matches expected; then
    start_rollback 'the rules after applying differ from those of the rehearsal'
  else
    phase verify || start_rollback "$STATE is full"
  fi
}

# The supervisor: applies the change and waits for the deadline. `late` covers its death.
supervise() {
  trap '' HUP INT PIPE
  ROLE=supervise
  DIR=$PENDING
  ERRORS=$DIR/error
  if ! take_lock 10; then
    start_rollback 'the lock was held, so nothing was changed' || :
  elif is_pending_run && state_is pending; then
    if ! wait_for_backup_timer; then
      start_rollback 'the backup timer could not be armed, so nothing was changed' || :
    elif state_is pending; then
      apply
    fi
    drop_lock
  fi
  if state_is pending; then sleep_until_deadline 0; fi
  conclude 60 'not confirmed in time'
}

# The backup timer. Kills a supervisor that does not release the lock.
late() {
  trap '' HUP INT PIPE
  ROLE=late
  ERRORS=$PENDING/error
  sleep_until_deadline "$LATE"
  if is_pending_run && ! conclude 5 'not confirmed in time'; then
    read_line "$PENDING/supervisor"
    pid=$line
    if [ "$pid" = systemd ]; then
      systemctl kill --signal=KILL "$(unit_name).service"
    elif is_own_process "$pid"; then
      kill -9 "-$pid"
    fi 2>/dev/null
    conclude 60 'not confirmed in time'
  fi
}

probe() {
  RUN=$SP_RUN
  finish_after_restart
  answer_if_ended
  if is_pending_run; then
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
  finish_after_restart
  answer_if_ended
  is_pending_run || answer none
  pending_file_is token "$SP_TOKEN" || answer refuse bad-token 'the token does not match that of the run'
  if state_is pending && ! pending_file_is phase verify; then answer_pending; fi
  if deadline_passed; then
    start_rollback 'not confirmed in time' || :
  # Drop counts that cannot be stored, on a full disk, are no reason for a rollback.
  elif ! live_matches expected "$PENDING/counted" && { rm -f "$PENDING/counted" && ! live_matches expected; }; then
    start_rollback 'the rules were changed by someone else before they were confirmed' || :
  fi
  move_state pending confirmed || :
  conclude 30 || :
  await_end 30
}

# The runner requests a rollback, for the reason SP_REASON.
abort() {
  RUN=$SP_RUN
  ERRORS=$PENDING/error
  finish_after_restart
  answer_if_ended
  is_pending_run || answer none
  pending_file_is token "$SP_TOKEN" || answer refuse bad-token 'the token does not match that of the run'
  if start_rollback "$SP_REASON"; then start_detached conclude; fi
  await_end 30
}

# --- set by the runner

: "${SP_MARK=}" "${SP_AGENT=}" "${SP_RUN=}" "${SP_TOKEN=}" "${SP_REASON=}" "${SP_SSH=}" "${SP_KNOWN=}" "${SP_LOG=}" "${SP_ACTIVITY=}"
: "${SP_PATH_V4=}" "${SP_PATH_V6=}" "${SP_PATH_SETS=}"
: "${SP_COMMIT=}" "${SP_OWNER=}" "${SP_HOST=}" "${SP_SECONDS=}" "${SP_DIGEST=}" "${SP_NATIVE=}" "${SP_SUMS=}"
: "${SP_OWNERSHIP=}" "${SP_ENABLE=}"
: "${SP_FORWARD_SETS=}" "${SP_FORWARD_V4=}" "${SP_FORWARD_V6=}" "${SP_FORWARD_AFTER=}"
: "${SP_BACKWARD_SETS=}" "${SP_BACKWARD_V4=}" "${SP_BACKWARD_V6=}" "${SP_BACKWARD_AFTER=}"
: "${SP_LIVE_V4=}" "${SP_LIVE_V6=}" "${SP_LIVE_SETS=}" "${SP_OWNED_V4=}" "${SP_OWNED_V6=}" "${SP_OWNED_SETS=}"
: "${SP_SAVED_V4=}" "${SP_SAVED_V6=}" "${SP_SAVED_SETS=}" "${SP_BEFORE_V4=}" "${SP_BEFORE_V6=}" "${SP_BEFORE_SETS=}"

# Seconds from the supervisor's deadline to the backup timer's.
LATE=2
# What this process runs as, so that disarm does not kill it: supervise, late, confirm, conclude.
ROLE=''
# The directory of the current transaction.
DIR=''
# Whether ip6tables works: yes or no once known; see can_v6.
CAN_V6=${SP_V6-}
# Not empty if neither the host nor the change has sets; see skip_unused_sets.
NO_SETS=''
ERRORS=/dev/null
RUN=${2:-}

run() {
  case ${1:-} in
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
  emit 'done'
}

run "$@"
