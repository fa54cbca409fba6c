# What lasts: the files that load at boot, and the history of what was known to be good.

# In $saved_path, where kind $1 is loaded from at boot; nothing when nothing loads it.
find_path() {
  case $1 in
  v4) saved_path=$BOOT_V4 ;;
  v6) saved_path=$BOOT_V6 ;;
  *) saved_path=$BOOT_SETS ;;
  esac
}

sum_of() {
  if [ ! -e "$1" ]; then
    printf none
    return
  fi
  sum=$(sha256sum <"$1") && printf '%s' "${sum%% *}"
}

# Kind $1 is to be written: there is a place for it, and a text, or a file that is to be empty and is not.
to_save() {
  find_path "$1"
  [ -n "$saved_path" ] && { [ -s "$DIR/saved.$1" ] || [ -s "$saved_path" ]; }
}

# Writes file $2 beside its place $1, with the mode and owner of what is there.
stage() {
  if [ -e "$1" ]; then cp -p "$1" "$1.sallyport" || return 1; fi
  cat "$2" >"$1.sallyport"
}

unstage() {
  find_loader
  rm -f ${BOOT_V4:+"$BOOT_V4.sallyport"} ${BOOT_V6:+"$BOOT_V6.sallyport"} ${BOOT_SETS:+"$BOOT_SETS.sallyport"} 2>/dev/null || :
}

# Text $2 on its way to place $1: beside it and on disk (unless it is in it already), then in it, then in it on disk.
bring_beside() {
  if [ -e "$1" ] && cmp -s "$2" "$1"; then
    [ ! -e "$1.sallyport" ] || rm -f "$1.sallyport"
    return
  fi
  # What `begin` has put beside it is there already.
  { cmp -s "$2" "$1.sallyport" || { stage "$1" "$2" && cmp -s "$2" "$1.sallyport"; }; } && sync_files "$1.sallyport"
}
put_in_place() { [ ! -e "$1.sallyport" ] || mv -f "$1.sallyport" "$1"; }
see_in_place() {
  sync_files "${1%/*}" && cmp -s "$2" "$1" || return 1
  ! has restorecon || restorecon "$1" || :
}

write_saved() {
  bring_beside "$1" "$2" || return 1
  [ ! -e "$1.sallyport" ] || { put_in_place "$1" && see_in_place "$1" "$2"; }
}

# Sets load before rules. So that a power cut in between leaves no rule without its set, those that go stay until the
# rules are written. The files of both families take their places one right after the other, when all that takes time is
# done: between them is the one moment in which a power cut boots new rules of one family beside old ones of the other.
persist() {
  find_loader
  [ -n "$BOOT_V4" ] || return 1
  if to_save sets; then
    if [ ! -e "$DIR/old.sets" ]; then : >"$DIR/old.sets"; fi
    awk '!old { if ($1 == "create") new[$2] = 1; print } old && !($2 in new)' \
      old=0 "$DIR/saved.sets" old=1 "$DIR/old.sets" >"$DIR/union.sets" || return 1
    write_saved "$BOOT_SETS" "$DIR/union.sets" || return 1
  fi
  for step in bring_beside put_in_place see_in_place; do
    for kind in v4 v6; do
      if to_save "$kind"; then "$step" "$saved_path" "$DIR/saved.$kind" || return 1; fi
    done
  done
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

# The owned part, kept as known good; the newest ten stay.
keep_known_good() {
  number=0
  for entry in "$STATE"/known-good/*/; do
    if [ -d "$entry" ]; then
      entry=${entry%/}
      number=${entry##*/}
    fi
  done
  while [ "${number#0}" != "$number" ]; do number=${number#0}; done
  entry=$STATE/known-good/$(printf '%06d' $((number + 1)))
  if [ -e "$STATE/known-good.new" ]; then rm -rf "$STATE/known-good.new"; fi
  mkdir -p "$STATE/known-good" "$STATE/known-good.new" || return 1
  cp "$DIR"/known/* "$DIR/about" "$STATE/known-good.new" && mv "$STATE/known-good.new" "$entry" || return 1
  set -- "$STATE"/known-good/*/
  while [ $# -gt 10 ]; do
    rm -rf "$1"
    shift
  done
}

# What the rules have dropped until now, so that a later look can tell how much since.
keep_count() {
  {
    counted_when
    echo '= v4'
    iptables-save -c
    echo '= v6'
    save_v6 -c
  } 2>/dev/null | awk '/^(boot|uptime|=) / || /^\*/ || /^:[A-Z]+ DROP / || / -A SALLYPORT-[A-Z]+ -j DROP$/' >"$STATE/counted.new" &&
    mv "$STATE/counted.new" "$STATE/counted"
}
