# From the texts of a change to rules that stand and a clock that runs.

begin() {
  RUN=$SP_RUN
  NEW=''
  trap abandon EXIT
  trap 'exit 1' HUP INT PIPE TERM
  say phase preflight
  # What is there was made so by an earlier run; -w is false on a file system that is read-only.
  { [ -d "$STATE" ] && [ -w "$STATE" ]; } || { mkdir -p "$STATE" && chmod 700 "$STATE"; } 2>/dev/null || refuse state-unwritable "$STATE cannot be written"
  missing=$(missing_tools)
  if [ -n "$missing" ]; then refuse tools-missing "$(printf '%s' "$missing" | tr '\n' ' ')"; fi
  for manager in $(managers); do
    case $manager in
    manager) ;;
    *) refuse other-manager "$manager is active and would write over the same chains; switch it off first" ;;
    esac
  done
  take_lock 5 || refuse busy "another run is at work: $(first_line "$STATE/lock")"
  if [ -d "$PENDING" ]; then
    settle || refuse busy "run $(run_of "$PENDING") of $(first_line "$PENDING/owner") is not confirmed yet, $(seconds_left) seconds are left"
    RUN=$SP_RUN
  fi
  printf '%s\n' "$SP_RUN of $SP_OWNER" >"$STATE/lock" || refuse disk-full "$STATE cannot be written"
  answer_if_ended
  for left in "$STATE"/new.* "$GONE"; do
    if [ -e "$left" ]; then rm -rf "$left"; fi
  done
  NEW=$STATE/new.$RUN
  DIR=$NEW
  { mkdir "$NEW" "$NEW/known" && unpack; } 2>/dev/null || refuse disk-full "$STATE does not take the texts of this change"
  find_loader
  check_saved

  say phase snapshot
  snapshot
  normal_of "$DIR/planned" >"$DIR/planned.normal" || refuse disk-full "$STATE is full"
  if ! cmp -s "$DIR/planned.normal" "$DIR/snapshot.normal"; then
    part <"$DIR/planned.normal" | cmp -s - "$DIR/snapshot.owned" ||
      refuse plan-changed "the rules on the host are not those that the change was computed from"
  fi

  say phase rehearse
  why=$(unshare -n sh "$DIR/agent.sh" rehearse "$DIR" 2>"$ERRORS") || refuse rehearsal-failed "${why:-this host lets nobody make a network namespace}$(detail)"
  why=$(unshare -n sh "$DIR/agent.sh" rehearse-saved "$DIR" 2>"$ERRORS") || refuse rehearsal-failed "${why:-no namespace}$(detail)"
  (cd "$DIR" && sha256sum snapshot.* expected.* forward.* backward.* >sums) || refuse disk-full "$STATE is full"

  say phase arm
  put "$DIR/boot" "$(boot_id)"
  put "$DIR/deadline" $(($(uptime_now) + SP_SECONDS * 100))
  put "$DIR/phase" arm
  : >"$DIR/state.pending" || refuse disk-full "$STATE is full"
  sync_files "$DIR"/* "$DIR"
  mv "$NEW" "$PENDING" || refuse disk-full "$STATE cannot be written"
  NEW=''
  DIR=$PENDING
  sync_files "$STATE"
  arm_late "$SP_SECONDS"
  drop_lock
  arm_supervisor
  await_applied
}

# Until it is armed, a change that ends leaves nothing behind, also when the runner is gone and nobody listens.
abandon() {
  if [ -n "$NEW" ]; then
    unstage
    rm -rf "$NEW"
  fi
}

unpack() {
  put "$DIR/run" "$SP_RUN" && put "$DIR/commit" "$SP_COMMIT" && put "$DIR/owner" "$SP_OWNER" || return 1
  put "$DIR/token" "$SP_TOKEN" && put "$DIR/ownership" "$SP_OWNERSHIP" && put "$DIR/enable" "$SP_ENABLE" || return 1
  put "$DIR/agent.sh" "$SP_AGENT" || return 1
  if [ -n "$SP_PATH_V4" ]; then
    put "$DIR/path.v4" "$SP_PATH_V4" && put "$DIR/path.v6" "$SP_PATH_V6" || return 1
    put "$DIR/path.sets" "$SP_PATH_SETS" || return 1
  fi
  put "$DIR/forward.sets" "$SP_FORWARD_SETS" && put "$DIR/forward.v4" "$SP_FORWARD_V4" || return 1
  put "$DIR/forward.v6" "$SP_FORWARD_V6" && put "$DIR/forward.setsAfter" "$SP_FORWARD_AFTER" || return 1
  put "$DIR/backward.sets" "$SP_BACKWARD_SETS" && put "$DIR/backward.v4" "$SP_BACKWARD_V4" || return 1
  put "$DIR/backward.v6" "$SP_BACKWARD_V6" && put "$DIR/backward.setsAfter" "$SP_BACKWARD_AFTER" || return 1
  put "$DIR/planned.v4" "$SP_LIVE_V4" && put "$DIR/planned.v6" "$SP_LIVE_V6" || return 1
  put "$DIR/planned.sets" "$SP_LIVE_SETS" && put "$DIR/known/v4" "$SP_OWNED_V4" || return 1
  put "$DIR/known/v6" "$SP_OWNED_V6" && put "$DIR/known/sets" "$SP_OWNED_SETS" || return 1
  put "$DIR/saved.v4" "$SP_SAVED_V4" && put "$DIR/saved.v6" "$SP_SAVED_V6" || return 1
  put "$DIR/saved.sets" "$SP_SAVED_SETS" || return 1
  {
    fact run "$SP_RUN"
    fact commit "$SP_COMMIT"
    fact owner "$SP_OWNER"
    fact host "$SP_HOST"
    fact machine-id "$(first_line /etc/machine-id)"
    fact digest "$SP_DIGEST"
    fact time "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  } >"$DIR/about" || return 1
  ERRORS=$DIR/error
  (cd "$DIR" && printf '%s' "$SP_SUMS" | sha256sum -c >/dev/null 2>&1)
}

# There is a place that loads at boot, it holds what the plan saw, and it takes the new text.
check_saved() {
  if [ -z "$BOOT_V4" ]; then refuse no-boot-loader 'nothing on this host loads rules at boot'; fi
  if [ -s "$DIR/saved.sets" ] && [ -z "$BOOT_SETS" ]; then
    refuse no-boot-loader 'nothing on this host loads ipsets at boot, which the rules need'
  fi
  for kind in v4 v6 sets; do
    find_path "$kind"
    if [ -z "$saved_path" ]; then continue; fi
    case $kind in v4) before=$SP_BEFORE_V4 ;; v6) before=$SP_BEFORE_V6 ;; *) before=$SP_BEFORE_SETS ;; esac
    [ "$(sum_of "$saved_path")" = "$before" ] ||
      refuse plan-changed "$saved_path is not what the change was computed from"
    if [ -e "$saved_path" ]; then
      cp -p "$saved_path" "$DIR/old.$kind" || refuse disk-full "$STATE is full"
    else
      : >"$DIR/absent.$kind" || refuse disk-full "$STATE is full"
    fi
    if to_save "$kind" && ! cmp -s "$saved_path" "$DIR/saved.$kind"; then
      { { [ -d "${saved_path%/*}" ] || mkdir -p "${saved_path%/*}"; } && stage "$saved_path" "$DIR/saved.$kind"; } 2>/dev/null ||
        refuse saved-unwritable "$saved_path cannot be written"
    fi
  done
}

snapshot() {
  {
    iptables-save >"$DIR/snapshot.v4" && save_v6 >"$DIR/snapshot.v6" && save_sets >"$DIR/snapshot.sets"
  } 2>"$ERRORS" || refuse snapshot-failed "the rules cannot be saved$(detail)"
  rule_shapes >"$DIR/shapes" || refuse disk-full "$STATE is full"
  for family in v4 v6; do
    awk -v steps="$DIR/forward.$family" '
      / (is|contains) incompatible/ { exit 1 }
      /^\*/ { opened++; there[substr($0, 2)] = 1 }
      /^COMMIT/ { closed++ }
      END {
        if (opened != closed) exit 1
        chains["filter"] = "INPUT FORWARD OUTPUT"
        chains["security"] = chains["filter"]
        chains["nat"] = "PREROUTING INPUT OUTPUT POSTROUTING"
        chains["mangle"] = "PREROUTING INPUT FORWARD OUTPUT POSTROUTING"
        chains["raw"] = "PREROUTING OUTPUT"
        while ((getline line < steps) > 0)
          if (line ~ /^\*/ && !(substr(line, 2) in there)) {
            table = substr(line, 2)
            there[table] = 1
            print line
            count = split(chains[table], names, " ")
            for (at = 1; at <= count; at++) print ":" names[at] " ACCEPT [0:0]"
            print "COMMIT"
          }
      }' "$DIR/snapshot.$family" >"$DIR/empty.$family" || refuse snapshot-failed 'what iptables-save printed is not complete'
    if [ -s "$DIR/empty.$family" ]; then
      cat "$DIR/empty.$family" >>"$DIR/snapshot.$family" || refuse disk-full "$STATE is full"
    fi
  done
  { normal_of "$DIR/snapshot" >"$DIR/snapshot.normal" && halves "$DIR/snapshot"; } || refuse disk-full "$STATE is full"
}

# The last line of what a tool said.
detail() {
  text=
  if [ -r "$ERRORS" ]; then
    while IFS= read -r line; do
      if [ -n "$line" ]; then text=$line; fi
    done <"$ERRORS"
  fi
  if [ -n "$text" ]; then printf ': %s' "$text"; fi
}

# In a namespace of its own, on the host's own tools and kernel: the snapshot, the change, and the way back.
rehearse() {
  DIR=$1
  if [ ! -s "$DIR/snapshot.sets" ] && [ ! -s "$DIR/forward.sets" ]; then NO_SETS=yes; fi
  load "$DIR/snapshot" || fail 'the rules of this host do not load as they were saved'
  live | normal | cmp -s - "$DIR/snapshot.normal" || fail 'the rules of this host, once loaded, are others than those that were saved'
  lost=$(rule_shapes | lost_in_saving "$DIR/shapes")
  if [ -n "$lost" ]; then
    fail "$lost was made with nft, and iptables-save shows it as another rule than it is; move it into an nft table of another name, or make it with iptables"
  fi
  steps forward || fail 'the new rules do not load'
  { live | normal >"$DIR/expected.normal" && halves "$DIR/expected"; } || fail 'the disk is full'
  cmp -s "$DIR/expected.foreign" "$DIR/snapshot.foreign" || fail 'the change would touch what is not of Sallyport'
  steps backward || fail 'the way back does not load'
  live | normal | cmp -s - "$DIR/snapshot.normal" || fail 'the way back does not lead to the old rules'
}

rehearse_saved() {
  DIR=$1
  load "$DIR/saved" || fail 'the saved rules would not load at boot'
}

fail() {
  printf '%s' "$1"
  exit 1
}

await_applied() {
  told=arm
  while mine; do
    read_line "$PENDING/phase"
    now_in=$line
    if [ "$now_in" != "$told" ] && [ -n "$now_in" ]; then
      # It may have come and gone between two looks.
      if [ "$told:$now_in" = arm:verify ]; then say phase apply; fi
      told=$now_in
      say phase "$told"
    fi
    if [ "$told" = verify ]; then answer applied "$(seconds_left)"; fi
    count_left
    if [ "$left" -eq 0 ]; then break; fi
    sleep 0.05 || sleep 1
  done
  await_end 20
}
