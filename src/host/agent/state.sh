# The state of a transaction, and the lock.

run_of() { first_line "$1/run"; }
is_pending_run() { [ -d "$PENDING" ] && read_line "$PENDING/run" && [ "$line" = "$RUN" ]; }
state_is() { [ -e "$PENDING/state.$1" ]; }
move_state() { mv "$PENDING/state.$1" "$PENDING/state.$2" 2>/dev/null; }

phase() {
  if [ "$ROLE" = confirm ]; then emit phase "$1"; fi
  put "$PENDING/phase" "$1" 2>/dev/null
}

# Whether file $1 of the transaction contains $2.
pending_file_is() { read_line "$PENDING/$1" && [ "$line" = "$2" ]; }

is_same_boot() { read_boot && pending_file_is boot "$line"; }

# Sets $left to the seconds until the deadline; 0 after a reboot.
count_left() {
  left=0
  if ! is_same_boot; then return 0; fi
  read_line "$PENDING/deadline"
  if [ -z "$line" ]; then return 0; fi
  read_uptime
  left=$(((line - uptime + 99) / 100))
  if [ "$left" -lt 0 ]; then left=0; fi
}

deadline_passed() { count_left && [ "$left" -eq 0 ]; }

answer_pending() {
  count_left
  read_line "$PENDING/phase"
  answer pending "$line" "$left" "$@"
}

# The lock is file descriptor 9. Waits up to $1 seconds, by polling: flock of busybox has no timeout.
take_lock() {
  exec 9>>"$STATE/lock" || return 1
  poll $(($1 * 10)) flock -n 9 || { exec 9>&- && return 1; }
}

drop_lock() { exec 9>&-; }

# Answers with the outcome of run $RUN and exits, if it is the last one that ended on this host; else fails.
answer_if_ended() {
  read_line "$STATE/last"
  [ "$line" = "run $RUN" ] || return 1
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

# Waits for another process to end the run.
await_end() {
  poll $(($1 * 10)) answer_if_ended || answer_pending
}
