# The two safety nets. Either one alone brings the old rules back.

unit_name() { printf 'sallyport-%s' "$RUN"; }
uses_systemd() { [ -d /run/systemd/system ] && has systemd-run; }

# Starts verb $1 of the agent, free of this session.
detached() {
  setsid sh "$PENDING/agent.sh" "$1" "$RUN" </dev/null >/dev/null 2>&1 9>&- &
}

# The second net first: a timer of systemd, or a process of its own that sleeps before it reads what to do. It tells
# its own number: what was only started may end before it waits, and looks alive until then.
arm_late() {
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
    sleep "$((left / 100)).${rest#1}" || sleep 1
  done
}
