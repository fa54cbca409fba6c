# From the texts of a change to rules that stand and a clock that runs.

begin() {
  RUN=$SP_RUN
  NEW=''
  trap abandon EXIT
  trap 'exit 1' HUP INT PIPE TERM
  say phase preflight
  # What is there was made so by an earlier run; -w is false on a file system that is read-only.
  { [ -d "$STATE" ] && [ -w "$STATE" ]; } || { mkdir -p "$STATE" && chmod 700 "$STATE"; } 2>/dev/null || refuse state-unwritable "$STATE cannot be written"
  list_missing
  if [ -n "$missing" ]; then refuse tools-missing "${missing# }"; fi
  list_managers
  if [ -n "$managers" ]; then
    refuse other-manager "${managers%% *} is active and would write over the same chains; switch it off first"
  fi
  take_lock 5 || refuse busy "another run is at work: $(first_line "$STATE/lock")"
  if [ -d "$PENDING" ]; then
    settle || refuse busy "run $(run_of "$PENDING") of $(first_line "$PENDING/owner") is not confirmed yet, $left seconds are left"
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

  say phase rehearse
  can_v6 || :
  why=$(SP_V6=$CAN_V6 unshare -n sh "$DIR/agent.sh" rehearse "$DIR" 2>"$ERRORS") || refuse rehearsal-failed "${why:-this host lets nobody make a network namespace}$(detail)"
  (cd "$DIR" && sha256sum snapshot.* expected.* forward.* backward.* >sums) || refuse disk-full "$STATE is full"

  say phase arm
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
    read_line /etc/machine-id
    fact machine-id "$line"
    fact digest "$SP_DIGEST"
    fact time "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  } >"$DIR/about" || return 1
  ERRORS=$DIR/error
}

# Lines of sha256sum are true of the files in $DIR.
sums_hold() { (cd "$DIR" && printf '%s' "$1" | sha256sum -c >/dev/null 2>&1); }

# What was sent is here, there is a place that loads at boot, it holds what the plan saw, and it takes the new text.
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
    # The sums of what is to be saved are there: the file has it already when its own sum is the same.
    case $SP_SUMS in *"$before  saved.$kind"*) continue ;; esac
    if to_save "$kind"; then
      { { [ -d "${saved_path%/*}" ] || mkdir -p "${saved_path%/*}"; } && stage "$saved_path" && put "$saved_path.sallyport" "$text"; } 2>/dev/null ||
        refuse saved-unwritable "$saved_path cannot be written"
    fi
  done
  if sums_hold "$SP_SUMS$sums"; then return 0; fi
  sums_hold "$SP_SUMS" || refuse disk-full "$STATE does not take the texts of this change"
  for kind in v4 v6 sets; do
    case $sums in *"old.$kind"*) ;; *) continue ;; esac
    find_path "$kind"
    sum=$(sha256sum <"$DIR/old.$kind")
    case $sums in *"${sum%% *}  old.$kind"*) ;; *) refuse_saved ;; esac
  done
}

refuse_saved() { refuse plan-changed "$saved_path is not what the change was computed from"; }

snapshot() {
  {
    iptables-save >"$DIR/snapshot.v4" && save_v6 >"$DIR/snapshot.v6" && save_sets >"$DIR/snapshot.sets"
  } 2>"$ERRORS" || refuse snapshot-failed "the rules cannot be saved$(detail)"
  if has nft; then nft_rules; fi | rule_shapes >"$DIR/shapes" || refuse disk-full "$STATE is full"
  (rules to="$DIR/snapshot" steps="$DIR" \
    family=v4 "$DIR/snapshot.v4" family=v6 "$DIR/snapshot.v6" family=sets "$DIR/snapshot.sets" planned=yes \
    family=v4 "$DIR/planned.v4" family=v6 "$DIR/planned.v6" family=sets "$DIR/planned.sets") || case $? in
  3) refuse plan-changed "the rules on the host are not those that the change was computed from" ;;
  4) refuse snapshot-failed 'what iptables-save printed is not complete' ;;
  *) refuse disk-full "$STATE is full" ;;
  esac
  for family in v4 v6; do
    if [ -s "$DIR/empty.$family" ]; then
      cat "$DIR/empty.$family" >>"$DIR/snapshot.$family" || refuse disk-full "$STATE is full"
    fi
  done
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

# In a namespace of its own, on the host's own tools and kernel: the snapshot, the change, the way back, and the boot.
rehearse() {
  DIR=$1
  leave_out_sets
  load "$DIR/snapshot" || fail 'the rules of this host do not load as they were saved'
  lost=''
  if [ -s "$DIR/shapes" ]; then lost=$(nft_rules | rule_shapes | lost_in_saving "$DIR/shapes"); fi
  if [ -n "$lost" ]; then
    fail "$lost was made with nft, and iptables-save shows it as another rule than it is; move it into an nft table of another name, or make it with iptables"
  fi
  steps forward || fail 'the new rules do not load'
  live | rules to="$DIR/expected" as="$DIR/snapshot.foreign" - || case $? in
  2) fail 'the disk is full' ;;
  *) fail_for 'the change would touch what is not of Sallyport' ;;
  esac
  steps backward || fail 'the way back does not load'
  live | rules as="$DIR/snapshot.normal" - || fail_for 'the way back does not lead to the old rules'
  # Texts without sets need nothing that another table left behind, so that they load here if they load at boot.
  if [ -n "$NO_SETS" ]; then rehearse_saved "$DIR"; else exec unshare -n sh "$DIR/agent.sh" rehearse-saved "$DIR"; fi
}

# Whatever led elsewhere, there and back: was it that the snapshot itself loads as other rules?
fail_for() {
  load "$DIR/snapshot"
  live | rules as="$DIR/snapshot.normal" - || fail 'the rules of this host, once loaded, are others than those that were saved'
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
  told=arm
  pause=05
  while mine; do
    read_line "$PENDING/phase"
    now_in=$line
    if [ "$now_in" != "$told" ] && [ -n "$now_in" ]; then
      # It may have come and gone between two looks.
      if [ "$told:$now_in" = arm:verify ]; then say phase apply; fi
      told=$now_in
      say phase "$told"
    fi
    count_left
    if [ "$told" = verify ]; then answer applied "$left"; fi
    if [ "$left" -eq 0 ]; then break; fi
    # A host that is slow has no time for those who ask how far it is.
    sleep "0.$pause" || sleep 1
    case $pause in 05) pause=1 ;; *) pause=2 ;; esac
  done
  await_end 20
}
