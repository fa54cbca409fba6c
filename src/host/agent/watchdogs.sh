# The two watchdogs: the supervisor and the backup timer. Either one alone rolls back at the deadline.

unit_name() { printf 'sallyport-%s' "$RUN"; }
uses_systemd() { [ -d /run/systemd/system ] && has systemd-run; }

# Starts verb $1 of the agent in a session of its own.
start_detached() {
  setsid sh "$PENDING/agent.sh" "$1" "$RUN" </dev/null >/dev/null 2>&1 9>&- &
}

# Arms the backup timer, $1 + LATE seconds from now: a systemd timer, or a process that sleeps. The process writes its own
# number, since one that dies before it sleeps must not pass for an armed timer.
arm_backup_timer() {
  if uses_systemd && systemd-run --quiet --collect --unit="$(unit_name)-late" --on-active="$(($1 + LATE))s" \
    --timer-property=AccuracySec=100ms /bin/sh "$PENDING/agent.sh" late "$RUN" 9>&-; then
    put "$PENDING/late" systemd
  else
    setsid sh -c "echo \$\$ >$PENDING/late || exit; sleep $(($1 + LATE)); exec sh $PENDING/agent.sh late $RUN" \
      </dev/null >/dev/null 2>&1 9>&- &
  fi
}

arm_supervisor() {
  if uses_systemd && systemd-run --quiet --collect --unit="$(unit_name)" /bin/sh "$PENDING/agent.sh" supervise "$RUN" 9>&-; then
    put "$PENDING/supervisor" systemd
  else
    start_detached supervise
    put "$PENDING/supervisor" "$!"
  fi
}

# Whether process $1 belongs to this run: its number may have been reused.
is_own_process() {
  case $1 in '' | systemd | *[!0-9]*) return 1 ;; esac
  line=
  # The words are separated by zero bytes, which every shell drops.
  { IFS= read -r line <"/proc/$1/cmdline" || :; } 2>/dev/null
  case $line in *agent.sh*"$RUN"*) return 0 ;; esac
  return 1
}

# A process that was just started takes a moment until it has written its number.
wait_for_backup_timer() { poll 50 backup_timer_armed; }

backup_timer_armed() {
  if pending_file_is late systemd; then
    [ "$(systemctl show --property=ActiveState --value "$(unit_name)-late.timer")" = active ]
  else
    is_own_process "$line"
  fi
}

# Sets $pid to the process of watchdog $1 (late or supervisor).
read_watchdog_pid() {
  read_line "$GONE/$1"
  if [ ! -d "$GONE" ]; then read_line "$PENDING/$1"; fi
  pid=$line
}

# Stops both watchdogs, except for the one that this process is, and waits until they are gone.
disarm() {
  if uses_systemd; then
    if [ "$ROLE" != late ]; then systemctl stop --quiet "$(unit_name)-late.timer" "$(unit_name)-late.service" 2>/dev/null; fi
    if [ "$ROLE" != supervise ]; then systemctl stop --quiet "$(unit_name).service" 2>/dev/null; fi
  fi
  for watchdog in late supervisor; do
    read_watchdog_pid "$watchdog"
    if [ "$pid" != $$ ] && is_own_process "$pid"; then kill -9 "-$pid" 2>/dev/null || kill -9 "$pid" 2>/dev/null; fi
  done
  poll 50 disarmed
}

disarmed() {
  for watchdog in late supervisor; do
    read_watchdog_pid "$watchdog"
    if [ "$pid" != $$ ] && is_own_process "$pid"; then return 1; fi
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

# Sleeps until $1 seconds after the deadline, or until the transaction ends.
sleep_until_deadline() {
  while is_pending_run; do
    read_line "$PENDING/deadline"
    read_uptime
    left=$((line + $1 * 100 - uptime))
    if [ "$left" -le 0 ]; then return 0; fi
    rest=$((100 + left % 100))
    sleep "$((left / 100)).${rest#1}" || sleep 1
  done
}
