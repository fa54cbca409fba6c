# What lasts: the files that load at boot, and the history of what was known to be good.

# In $saved_path, where kind $1 is loaded from at boot; nothing when nothing loads it.
find_path() {
  case $1 in
  v4) saved_path=$BOOT_V4 ;;
  v6) saved_path=$BOOT_V6 ;;
  *) saved_path=$BOOT_SETS ;;
  esac
}

# Kind $1 is to be written: there is a place for it, and a text, or a file that is to be empty and is not.
to_save() {
  find_path "$1"
  [ -n "$saved_path" ] && { [ -s "$DIR/saved.$1" ] || [ -s "$saved_path" ]; }
}

# A file beside the place $1, with the mode and owner of what is there.
stage() { [ ! -e "$1" ] || cp -p "$1" "$1.sallyport"; }

unstage() {
  find_loader
  for place in "$BOOT_V4" "$BOOT_V6" "$BOOT_SETS"; do
    if [ -n "$place" ] && [ -e "$place.sallyport" ]; then rm -f "$place.sallyport" 2>/dev/null || :; fi
  done
}

# Does $1 for each pair of a place and the file that holds its text.
each_pair() {
  action=$1
  shift
  while [ $# -gt 1 ]; do
    "$action" "$1" "$2" || return 1
    shift 2
  done
}

# Texts on their way to their places: beside them, on disk, in them, on disk again. What takes time comes before the
# first one takes its place: they change one right after the other.
write_saved() {
  each_pair bring_beside "$@" && sync_each .sallyport "$@" && each_pair put_in_place "$@" && sync_each / "$@" &&
    each_pair see_in_place "$@"
}

# What `begin` has put beside it is there already, unless the place has the text as well.
bring_beside() {
  if cmp -s "$2" "$1.sallyport"; then return; fi
  if cmp -s "$2" "$1"; then
    rm -f "$1.sallyport"
  else
    stage "$1" && cat "$2" >"$1.sallyport" && cmp -s "$2" "$1.sallyport"
  fi
}

put_in_place() { [ ! -e "$1.sallyport" ] || mv -f "$1.sallyport" "$1"; }

see_in_place() {
  cmp -s "$2" "$1" || return 1
  ! has restorecon || restorecon "$1" || :
}

# Of pairs as above, to disk: the files beside the places (.sallyport), or the directories that hold them (/).
sync_each() {
  what=$1 pairs=$(($# / 2))
  shift
  while [ "$pairs" -gt 0 ]; do
    pairs=$((pairs - 1))
    place=$1
    shift 2
    if [ "$what" = / ]; then
      set -- "$@" "${place%/*}"
    elif [ -e "$place.sallyport" ]; then
      set -- "$@" "$place.sallyport"
    fi
  done
  [ $# -eq 0 ] || sync_files "$@"
}

# Sets load before rules. So that a power cut in between leaves no rule without its set, those that go stay until the
# rules are written. Between the renames of the two families is the one moment in which a power cut boots new rules of
# one beside old ones of the other.
persist() {
  find_loader
  [ -n "$BOOT_V4" ] || return 1
  if to_save sets; then
    if [ ! -e "$DIR/old.sets" ]; then : >"$DIR/old.sets"; fi
    awk '!old { if ($1 == "create") new[$2] = 1; print } old && !($2 in new)' \
      old=0 "$DIR/saved.sets" old=1 "$DIR/old.sets" >"$DIR/union.sets" || return 1
    write_saved "$BOOT_SETS" "$DIR/union.sets" || return 1
  fi
  set --
  for kind in v4 v6; do
    if to_save "$kind"; then set -- "$@" "$saved_path" "$DIR/saved.$kind"; fi
  done
  write_saved "$@" || return 1
  if to_save sets; then write_saved "$BOOT_SETS" "$DIR/saved.sets" || return 1; fi
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

# Puts back what was there before `persist`.
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

# The owned part, kept as known good, unless a run that broke off has done so; the newest ten stay.
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
    show "$DIR/about" >"$DIR/known/about" && mv "$DIR/known" "$STATE/known-good/$number" || return 1
  fi
  set -- "$STATE"/known-good/*/
  while [ $# -gt 10 ]; do
    rm -rf "$1"
    shift
  done
}

# What was dropped until the change was confirmed; where a run ended that late that nobody looked, until now.
keep_count() {
  [ -s "$DIR/counted" ] || stands expected "$DIR/counted" || :
  mv "$DIR/counted" "$STATE/counted"
}
