# Persistence: the files loaded at boot, and the known-good history.

# Sets $saved_path to the file from which $1 (v4, v6 or sets) is loaded at boot, or to nothing.
find_path() {
  case $1 in
  v4) saved_path=$BOOT_V4 ;;
  v6) saved_path=$BOOT_V6 ;;
  *) saved_path=$BOOT_SETS ;;
  esac
}

# Whether $1 (v4, v6 or sets) must be written: it has a path, and a text, or a non-empty file to empty.
needs_saving() {
  find_path "$1"
  [ -n "$saved_path" ] && { [ -s "$DIR/saved.$1" ] || [ -s "$saved_path" ]; }
}

# Creates the staging file of path $1, with the mode and owner of the existing file.
stage() { [ ! -e "$1" ] || cp -p "$1" "$1.sallyport"; }

unstage() {
  find_loader
  for path in "$BOOT_V4" "$BOOT_V6" "$BOOT_SETS"; do
    if [ -n "$path" ] && [ -e "$path.sallyport" ]; then rm -f "$path.sallyport" 2>/dev/null || :; fi
  done
}

# Runs $1 for each pair of a path and the file with its new text.
for_each_pair() {
  action=$1
  shift
  while [ $# -gt 1 ]; do
    "$action" "$1" "$2" || return 1
    shift 2
  done
}

# Writes pairs of a path and a text file: stages all, syncs, renames all, syncs again. What takes time comes before the
# first rename, so that the files change in immediate succession.
write_saved() {
  for_each_pair stage_text "$@" && sync_each .sallyport "$@" && for_each_pair rename_staged "$@" && sync_each / "$@" &&
    for_each_pair check_written "$@"
}

# Nothing to do if `begin` has staged the text, and no staging file is needed if the path already has it.
stage_text() {
  if cmp -s "$2" "$1.sallyport"; then return; fi
  if cmp -s "$2" "$1"; then
    rm -f "$1.sallyport"
  else
    stage "$1" && cat "$2" >"$1.sallyport" && cmp -s "$2" "$1.sallyport"
  fi
}

rename_staged() { [ ! -e "$1.sallyport" ] || mv -f "$1.sallyport" "$1"; }

check_written() {
  cmp -s "$2" "$1" || return 1
  ! has restorecon || restorecon "$1" || :
}

# Syncs, for pairs as above, the staging files ($1 .sallyport) or the directories ($1 /).
sync_each() {
  what=$1 pairs=$(($# / 2))
  shift
  while [ "$pairs" -gt 0 ]; do
    pairs=$((pairs - 1))
    path=$1
    shift 2
    if [ "$what" = / ]; then
      set -- "$@" "${path%/*}"
    elif [ -e "$path.sallyport" ]; then
      set -- "$@" "$path.sallyport"
    fi
  done
  [ $# -eq 0 ] || sync_files "$@"
}

# Saves the new rules and sets. Old sets stay until the rules are written, so that after a power cut no rule lacks its set.
# A power cut between the renames of the two families boots new rules of one and old rules of the other.
persist() {
  find_loader
  [ -n "$BOOT_V4" ] || return 1
  if needs_saving sets; then
    if [ ! -e "$DIR/old.sets" ]; then : >"$DIR/old.sets"; fi
    awk '!old { if ($1 == "create") new[$2] = 1; print } old && !($2 in new)' \
      old=0 "$DIR/saved.sets" old=1 "$DIR/old.sets" >"$DIR/union.sets" || return 1
    write_saved "$BOOT_SETS" "$DIR/union.sets" || return 1
  fi
  set --
  for kind in v4 v6; do
    if needs_saving "$kind"; then set -- "$@" "$saved_path" "$DIR/saved.$kind"; fi
  done
  write_saved "$@" || return 1
  if needs_saving sets; then write_saved "$BOOT_SETS" "$DIR/saved.sets" || return 1; fi
  if [ "$ENABLED" = no ] && [ "$(first_line "$DIR/enable")" = yes ]; then
    enable_loader
    find_loader
    [ "$ENABLED" = yes ]
  fi
}

enable_loader() {
  case $LOADER in
  netfilter-persistent) systemctl enable --quiet netfilter-persistent || update-rc.d netfilter-persistent defaults ;;
  iptables-services | systemd-iptables) systemctl enable --quiet iptables ip6tables ;;
  openrc) rc-update add iptables && rc-update add ip6tables ;;
  esac >/dev/null 2>&1
}

# Reverts `persist`.
unpersist() {
  find_loader
  [ -n "$BOOT_V4" ] || return 1
  for kind in v4 v6 sets; do
    find_path "$kind"
    if [ -z "$saved_path" ]; then continue; fi
    if [ -e "$DIR/absent.$kind" ]; then
      rm -f "$saved_path"
    elif [ -e "$DIR/old.$kind" ]; then
      write_saved "$saved_path" "$DIR/old.$kind" || return 1
    fi
  done
}

# Keeps the owned rules as known good, unless an interrupted call already did; the newest ten are kept.
keep_known_good() {
  number=0
  for entry in "$STATE"/known-good/*/; do
    if [ -d "$entry" ]; then
      entry=${entry%/}
      number=${entry##*/}
    fi
  done
  while [ "${number#0}" != "$number" ]; do number=${number#0}; done
  number=00000$((number + 1))
  while [ ${#number} -gt 6 ]; do number=${number#?}; done
  [ -d "$STATE/known-good" ] || mkdir "$STATE/known-good" || return 1
  if [ -d "$DIR/known" ]; then
    print_file "$DIR/about" >"$DIR/known/about" && mv "$DIR/known" "$STATE/known-good/$number" || return 1
  fi
  set -- "$STATE"/known-good/*/
  while [ $# -gt 10 ]; do
    rm -rf "$1"
    shift
  done
}

# Keeps the drop counters as of the confirmation, or as of now if `confirm` did not store them.
keep_drop_counts() {
  [ -s "$DIR/counted" ] || live_matches expected "$DIR/counted" || :
  mv "$DIR/counted" "$STATE/counted"
}
