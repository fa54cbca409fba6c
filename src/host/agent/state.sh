# How far a transaction is, and who may work on it.

run_of() { first_line "$1/run"; }
mine() { [ -d "$PENDING" ] && read_line "$PENDING/run" && [ "$line" = "$RUN" ]; }
state_is() { [ -e "$PENDING/state.$1" ]; }
move_state() { mv "$PENDING/state.$1" "$PENDING/state.$2" 2>/dev/null; }

phase() {
  if [ "$ROLE" = confirm ]; then say phase "$1"; fi
  put "$PENDING/phase" "$1" 2>/dev/null
}

# In $left, so that a loop that asks again and again starts no process for it.
count_left() {
  left=0
  read_line "$PENDING/boot"
  booted=$line
  read_line /proc/sys/kernel/random/boot_id
  if [ "$booted" != "$line" ]; then return 0; fi
  read_line "$PENDING/deadline"
  if [ -z "$line" ]; then return 0; fi
  read -r now rest </proc/uptime
  left=$(((line - ${now%.*}${now#*.} + 99) / 100))
  if [ "$left" -lt 0 ]; then left=0; fi
}

seconds_left() {
  count_left
  printf '%s' "$left"
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

last_value() {
  while read -r name value; do
    if [ "$name" = "$1" ]; then
      printf '%s' "$value"
      return 0
    fi
  done <"$STATE/last"
}

# Answers with how run $RUN ended, when it is the last one that ended here.
answer_if_ended() {
  if read_line "$STATE/last" && [ "$line" = "run $RUN" ]; then
    answer ended "$(last_value outcome)" "$(last_value phase)" "$(last_value reason)"
  fi
}

# Waits for an end that another process is about to bring.
await_end() {
  tries=$(($1 * 10))
  while [ "$tries" -gt 0 ]; do
    answer_if_ended
    sleep 0.1 || sleep 1
    tries=$((tries - 1))
  done
  answer pending "$(first_line "$PENDING/phase")" "$(seconds_left)"
}
