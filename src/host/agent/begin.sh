# The verb `begin`: checks, snapshot, rehearsal, and arming of the watchdogs, which then apply the change.

begin() {
  RUN=$SP_RUN
  NEW=''
  trap remove_unarmed EXIT
  trap 'exit 1' HUP INT PIPE TERM
  emit phase preflight
  # An existing directory was created by an earlier run; -w is false on a read-only file system.
  { [ -d "$STATE" ] && [ -w "$STATE" ]; } || { mkdir -p "$STATE" && chmod 700 "$STATE"; } 2>/dev/null || refuse state-unwritable "$STATE cannot be written"
  list_missing
  if [ -n "$missing" ]; then refuse tools-missing "${missing# }"; fi
  list_managers
  if [ -n "$managers" ]; then
    refuse other-manager "${managers%% *} is active and manages the same chains; disable it first"
  fi
  take_lock 5 || refuse busy "another run is in progress: $(first_line "$STATE/lock")"
  if [ -d "$PENDING" ]; then
    finish_abandoned || refuse busy "run $(run_of "$PENDING") of $(first_line "$PENDING/owner") is not confirmed yet ($left seconds left)"
    RUN=$SP_RUN
  fi
  printf '%s\n' "$SP_RUN of $SP_OWNER" >"$STATE/lock" || refuse disk-full "$STATE cannot be written"
  answer_if_ended
  for left in "$STATE"/new.* "$GONE"; do
    if [ -e "$left" ]; then rm -rf "$left"; fi
  done
  NEW=$STATE/new.$RUN
  DIR=$NEW
  { mkdir "$NEW" "$NEW/known" && unpack; } 2>/dev/null || refuse disk-full "$STATE cannot store the change"
  find_loader
  check_saved

  emit phase snapshot
  snapshot

  emit phase rehearse
  can_v6 || :
  why=$(SP_V6=$CAN_V6 unshare -n sh "$DIR/agent.sh" rehearse "$DIR" 2>"$ERRORS") || refuse rehearsal-failed "${why:-cannot create a network namespace}$(detail)"
  (cd "$DIR" && sha256sum snapshot.* expected.* forward.* backward.* >sums) || refuse disk-full "$STATE is full"

  emit phase arm
  read_boot
  put "$DIR/boot" "$line"
  read_uptime
  put "$DIR/deadline" $((uptime + SP_SECONDS * 100))
  put "$DIR/phase" arm
  : >"$DIR/state.pending" || refuse disk-full "$STATE is full"
  sync_files "$DIR"/* "$DIR"/known/* "$DIR"
  mv "$NEW" "$PENDING" || refuse disk-full "$STATE cannot be written"
  NEW=''
  DIR=$PENDING
  sync_files "$STATE"
  arm_backup_timer "$SP_SECONDS"
  drop_lock
  arm_supervisor
  await_applied
}

# Removes a change that ends before it is armed, also when the runner is gone.
remove_unarmed() {
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
    read_line /etc/machine-id
    fact machine-id "$line"
    fact digest "$SP_DIGEST"
    fact native "$SP_NATIVE"
    fact time "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  } >"$DIR/about" || return 1
  ERRORS=$DIR/error
}

# Whether the files in $DIR match these lines of sha256sum.
sums_match() { (cd "$DIR" && printf '%s' "$1" | sha256sum -c >/dev/null 2>&1); }

# Checks that the change arrived intact, that files are loaded at boot, are as the plan saw them, and are writable.
check_saved() {
  if [ -z "$BOOT_V4" ]; then refuse no-boot-loader 'nothing on this host loads rules at boot'; fi
  if [ -s "$DIR/saved.sets" ] && [ -z "$BOOT_SETS" ]; then
    refuse no-boot-loader 'nothing on this host loads ipsets at boot, which the rules need'
  fi
  sums=''
  for kind in v4 v6 sets; do
    find_path "$kind"
    if [ -z "$saved_path" ]; then continue; fi
    case $kind in
    v4) before=$SP_BEFORE_V4 text=$SP_SAVED_V4 ;;
    v6) before=$SP_BEFORE_V6 text=$SP_SAVED_V6 ;;
    *) before=$SP_BEFORE_SETS text=$SP_SAVED_SETS ;;
    esac
    if [ -e "$saved_path" ]; then
      [ "$before" != none ] || refuse_saved
      cp -p "$saved_path" "$DIR/old.$kind" || refuse disk-full "$STATE is full"
      sums="$sums$before  old.$kind
"
    else
      [ "$before" = none ] || refuse_saved
      : >"$DIR/absent.$kind" || refuse disk-full "$STATE is full"
    fi
    # Already up to date: the file has the checksum of the text to be saved.
    case $SP_SUMS in *"$before  saved.$kind"*) continue ;; esac
    if needs_saving "$kind"; then
      { { [ -d "${saved_path%/*}" ] || mkdir -p "${saved_path%/*}"; } && stage "$saved_path" && put "$saved_path.sallyport" "$text"; } 2>/dev/null ||
        refuse saved-unwritable "$saved_path cannot be written"
    fi
  done
  if sums_match "$SP_SUMS$sums"; then return 0; fi
  sums_match "$SP_SUMS" || refuse disk-full "$STATE cannot store the change"
  for kind in v4 v6 sets; do
    case $sums in *"old.$kind"*) ;; *) continue ;; esac
    find_path "$kind"
    sum=$(sha256sum <"$DIR/old.$kind")
    case $sums in *"${sum%% *}  old.$kind"*) ;; *) refuse_saved ;; esac
  done
}

refuse_saved() { refuse plan-changed "$saved_path has changed since the plan"; }

snapshot() {
  {
    iptables-save >"$DIR/snapshot.v4" && save_v6 >"$DIR/snapshot.v6" && save_sets >"$DIR/snapshot.sets"
  } 2>"$ERRORS" || refuse snapshot-failed "cannot save the current rules$(detail)"
  if has nft; then nft_rules; fi | rule_shapes >"$DIR/shapes" || refuse disk-full "$STATE is full"
  (normalize_rules to="$DIR/snapshot" scripts="$DIR" \
    family=v4 "$DIR/snapshot.v4" family=v6 "$DIR/snapshot.v6" family=sets "$DIR/snapshot.sets" planned=yes \
    family=v4 "$DIR/planned.v4" family=v6 "$DIR/planned.v6" family=sets "$DIR/planned.sets") || case $? in
  3) refuse plan-changed "the rules on the host have changed since the plan" ;;
  4) refuse snapshot-failed 'the output of iptables-save is incomplete' ;;
  *) refuse disk-full "$STATE is full" ;;
  esac
  for family in v4 v6; do
    if [ -s "$DIR/empty.$family" ]; then
      cat "$DIR/empty.$family" >>"$DIR/snapshot.$family" || refuse disk-full "$STATE is full"
    fi
  done
}

# Prints `: ` and the last line of the tool's stderr.
detail() {
  text=
  if [ -r "$ERRORS" ]; then
    while IFS= read -r line; do
      if [ -n "$line" ]; then text=$line; fi
    done <"$ERRORS"
  fi
  if [ -n "$text" ]; then printf ': %s' "$text"; fi
}

# Runs in a network namespace, with the host's tools and kernel: loads the snapshot, the change, the rollback, and what
# will load at boot.
rehearse() {
  DIR=$1
  skip_unused_sets
  load "$DIR/snapshot" || fail 'the snapshot of the current rules does not load'
  lost=''
  if [ -s "$DIR/shapes" ]; then lost=$(nft_rules | rule_shapes | lost_in_saving "$DIR/shapes"); fi
  if [ -n "$lost" ]; then
    fail "$lost was created with nft, and iptables-save prints it as a different rule; move it to a separate nft table, or create it with iptables"
  fi
  apply_scripts forward || fail 'the new rules do not load'
  live_rules | normalize_rules to="$DIR/expected" as="$DIR/snapshot.foreign" - || case $? in
  2) fail 'the disk is full' ;;
  *) fail_mismatch 'the change would modify rules that Sallyport does not manage' ;;
  esac
  apply_scripts backward || fail 'the rollback does not load'
  live_rules | normalize_rules as="$DIR/snapshot.normal" - || fail_mismatch 'the rollback does not restore the old rules'
  # Without sets nothing left in this namespace can help the saved files to load, so it need not be a new one.
  if [ -n "$NO_SETS" ]; then rehearse_saved "$DIR"; else exec unshare -n sh "$DIR/agent.sh" rehearse-saved "$DIR"; fi
}

# Fails with $1, unless the cause is that the snapshot itself loads as different rules.
fail_mismatch() {
  load "$DIR/snapshot"
  live_rules | normalize_rules as="$DIR/snapshot.normal" - || fail 'the current rules differ after they are saved and reloaded'
  fail "$1"
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
  reported=arm
  pause=05
  while is_pending_run; do
    read_line "$PENDING/phase"
    current=$line
    if [ "$current" != "$reported" ] && [ -n "$current" ]; then
      # The phase may have begun and ended between two reads.
      if [ "$reported:$current" = arm:verify ]; then emit phase apply; fi
      reported=$current
      emit phase "$reported"
    fi
    count_left
    if [ "$reported" = verify ]; then answer applied "$left"; fi
    if [ "$left" -eq 0 ]; then break; fi
    # Poll less often: a slow host needs its time for the change.
    sleep "0.$pause" || sleep 1
    case $pause in 05) pause=1 ;; *) pause=2 ;; esac
  done
  await_end 20
}
