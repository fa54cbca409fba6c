# The verbs: two that the host runs by itself, and those that the runner asks.

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

# Applies, then waits for the deadline. Its death is covered by `late`.
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

: "${SP_MARK=}" "${SP_AGENT=}" "${SP_RUN=}" "${SP_TOKEN=}" "${SP_REASON=}" "${SP_SSH=}" "${SP_KNOWN=}" "${SP_LOG=}" "${SP_ACTIVITY=}"
: "${SP_PATH_V4=}" "${SP_PATH_V6=}" "${SP_PATH_SETS=}"
: "${SP_COMMIT=}" "${SP_OWNER=}" "${SP_HOST=}" "${SP_SECONDS=}" "${SP_DIGEST=}" "${SP_SUMS=}"
: "${SP_OWNERSHIP=}" "${SP_ENABLE=}"
: "${SP_FORWARD_SETS=}" "${SP_FORWARD_V4=}" "${SP_FORWARD_V6=}" "${SP_FORWARD_AFTER=}"
: "${SP_BACKWARD_SETS=}" "${SP_BACKWARD_V4=}" "${SP_BACKWARD_V6=}" "${SP_BACKWARD_AFTER=}"
: "${SP_LIVE_V4=}" "${SP_LIVE_V6=}" "${SP_LIVE_SETS=}" "${SP_OWNED_V4=}" "${SP_OWNED_V6=}" "${SP_OWNED_SETS=}"
: "${SP_SAVED_V4=}" "${SP_SAVED_V6=}" "${SP_SAVED_SETS=}" "${SP_BEFORE_V4=}" "${SP_BEFORE_V6=}" "${SP_BEFORE_SETS=}"

# Seconds by which the second net comes after the first.
LATE=2
# Who this process is, where it matters whom to end: supervise, late, confirm, conclude.
ROLE=''
# The directory of the transaction that is worked on.
DIR=''
# Whether ip6tables works here: yes or no, once that was asked.
CAN_V6=${SP_V6-}
# Not empty in a namespace that no set can have come to.
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
  say 'done'
}

run "$@"
