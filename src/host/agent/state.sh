# How far a transaction is, and who may work on it.

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
