# Rollback: back to the rules from before the change. Holds the lock.

# Moves the state from $2 (default pending) to rolling-back, with the reason $1. Fails if another process moved it first.
start_rollback() {
  move_state "${2:-pending}" rolling-back || return 1
  put "$PENDING/reason" "$1" 2>/dev/null || :
}

# Carries out a rollback that start_rollback has decided. Retries for as long as the host is up.
roll_back() {
  DIR=$PENDING
  why=$(first_line "$DIR/reason")
  ended_in=$(first_line "$DIR/phase")
  # The phase is written before the first rule changes.
  if [ "$ended_in" = arm ]; then end=refused; else end=rolled-back; fi
  phase rollback || :
  failures=0
  until restore_rules; do
    failures=$((failures + 1))
    if [ "$failures" -eq 10 ]; then
      outcome=rollback-failed reason="$why; the old rules do not load: $(first_line "$DIR/error")"
      write_last || :
      ! has logger || logger -p auth.crit -t sallyport 'Rollback failed: the old firewall rules do not load; retrying.' || :
    fi
    sleep 1
  done
  unstage
  if [ -e "$DIR/persisting" ]; then unpersist || why="$why; the saved files could not be restored"; fi
  finish "$end" "$why${restored_by:-}" "$ended_in"
}

# Applies the reverse scripts, which keep what other programs added since; else loads the whole snapshot; if that is
# damaged, what loads at boot; and after ten failed tries removes Sallyport's rules, so that the host can be reached.
restore_rules() {
  restored_by=''
  if snapshot_intact && live_matches snapshot; then return 0; fi
  if snapshot_intact; then
    # A script that fails must not keep the others from being tried; the comparison decides.
    for each in apply_sets:sets apply_v4:v4 apply_v6:v6 apply_sets:setsAfter; do
      "${each%:*}" "$DIR/backward.${each#*:}"
    done 2>"$ERRORS"
    destroy_new_sets
    if live_matches snapshot; then return 0; fi
    load "$DIR/snapshot" 2>>"$ERRORS"
    destroy_new_sets
    live_matches snapshot
    return
  fi
  restored_by='; the snapshot was damaged, so the saved rules were loaded'
  if load_boot 2>"$ERRORS"; then return 0; fi
  [ "$failures" -ge 9 ] || return 1
  restored_by="; the snapshot was damaged and no saved rules load, so all of Sallyport's rules were removed"
  remove_own_rules 2>"$ERRORS"
}

# First the entry jumps and DROP policies, which restores access; then the chains, which nothing references any more.
remove_own_rules() {
  iptables-save | entry_jump_removal | iptables-restore --noflush -w 5
  if can_v6; then save_v6 | entry_jump_removal | ip6tables-restore --noflush -w 5; fi
  live_rules | awk '/^= failed/ { left = 1 } '"$OWN_IN_BUILT_IN"' { left = 1 } END { exit left }' || return 1
  iptables-save | chain_removal | iptables-restore --noflush -w 5
  if can_v6; then save_v6 | chain_removal | ip6tables-restore --noflush -w 5; fi
  destroy_new_sets
}

OWN_IN_BUILT_IN='/^:(INPUT|FORWARD|OUTPUT) DROP / || /^-A (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) (.* )?-[jg] SALLYPORT-/'

entry_jump_removal() {
  awk "$OWN_IN_BUILT_IN"' { if (sub(/^-A/, "-D")) print; else print $1, "ACCEPT [0:0]" } /^\*/ || /^COMMIT/ { print }'
}

chain_removal() {
  awk '
    /^\*/ { own = 0; print }
    /^:SALLYPORT-/ { chains[++own] = substr($1, 2) }
    /^COMMIT/ {
      for (at = 1; at <= own; at++) print "-F", chains[at]
      for (at = 1; at <= own; at++) print "-X", chains[at]
      print
    }'
}

# Destroys the Sallyport sets that the snapshot does not have, which an interrupted change left behind.
destroy_new_sets() {
  if ! has ipset; then return 0; fi
  ipset list -n | awk '
    old && $1 == "create" { there[$2] = 1 }
    !old && /^SALLYPORT-/ && !($1 in there)
  ' old=1 "$DIR/snapshot.sets" old=0 - | while read -r set; do
    ipset destroy "$set" 2>/dev/null || :
  done
}

snapshot_intact() { (cd "$DIR" && sha256sum -c sums >/dev/null 2>&1); }
