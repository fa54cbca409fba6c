# Facts about the host, and the verb `read`.

# The file lists addresses, ::1 among them; it is empty or absent without IPv6.
has_ipv6() {
  [ -r /proc/net/if_inet6 ] && IFS= read -r line </proc/net/if_inet6
}

save_v6() {
  if has ip6tables-save; then
    ip6tables-save "$@" || ! has_ipv6
  else
    ! has_ipv6
  fi
}

# Whether ip6tables works. Without IPv6 the tools may fail, and there is nothing to filter. The result is cached and
# passed to the rehearsal, whose namespace has no addresses.
can_v6() {
  if [ -z "$CAN_V6" ]; then
    if has_ipv6 || { has ip6tables-save && ip6tables-save >/dev/null 2>&1; }; then CAN_V6=yes; else CAN_V6=no; fi
  fi
  [ "$CAN_V6" = yes ]
}

save_sets() { [ -n "$NO_SETS" ] || ! has ipset || ipset save; }

# As `systemctl is-enabled`, but without starting it: a link to the unit in .wants, and no mask (a link to /dev/null).
unit_enabled() {
  for unit in /etc/systemd/system/"$1" /run/systemd/system/"$1"; do
    [ ! -L "$unit" ] || [ -s "$unit" ] || return 1
  done
  for unit in /etc/systemd/system/*.wants/"$1" /etc/systemd/system/*.requires/"$1" /usr/lib/systemd/system/*.wants/"$1"; do
    [ ! -L "$unit" ] || return 0
  done
  return 1
}

sysv_enabled() { any_exists /etc/rc[S2-5].d/S[0-9][0-9]"$1"; }
runlevel_enabled() { any_exists /etc/runlevels/*/"$1"; }

any_exists() {
  for file; do
    [ ! -e "$file" ] || return 0
  done
  return 1
}

# Prints the value of variable $2 in the OpenRC configuration file $1, or the default $3.
openrc_value() {
  value=$3
  if [ -r "$1" ]; then
    while IFS= read -r line; do
      case $line in
      "$2="*)
        value=${line#*=}
        value=${value#\"}
        value=${value%\"}
        ;;
      esac
    done <"$1"
  fi
  printf '%s' "$value"
}

# Sets LOADER, ENABLED (yes or no) and the paths BOOT_V4, BOOT_V6, BOOT_SETS, empty for what is not loaded at boot.
find_loader() {
  LOADER=none ENABLED=no BOOT_V4='' BOOT_V6='' BOOT_SETS=''
  for plugin in /usr/share/netfilter-persistent/plugins.d/*; do
    case $plugin in
    *ip4tables) LOADER=netfilter-persistent BOOT_V4=/etc/iptables/rules.v4 ;;
    *ip6tables) BOOT_V6=/etc/iptables/rules.v6 ;;
    *ipset) BOOT_SETS=/etc/iptables/ipsets ;;
    esac
  done
  if [ "$LOADER" = netfilter-persistent ]; then
    if unit_enabled netfilter-persistent.service || sysv_enabled netfilter-persistent; then ENABLED=yes; fi
  elif [ -e /usr/libexec/iptables/iptables.init ]; then
    LOADER=iptables-services BOOT_V4=/etc/sysconfig/iptables BOOT_V6=/etc/sysconfig/ip6tables
    if unit_enabled iptables.service && { unit_enabled ip6tables.service || ! has_ipv6; }; then ENABLED=yes; fi
    if unit_enabled ipset.service; then BOOT_SETS=/etc/sysconfig/ipset; fi
  elif [ -e /etc/init.d/iptables ] && has openrc-run; then
    LOADER=openrc
    BOOT_V4=$(openrc_value /etc/conf.d/iptables IPTABLES_SAVE /var/lib/iptables/rules-save)
    BOOT_V6=$(openrc_value /etc/conf.d/ip6tables IP6TABLES_SAVE /var/lib/ip6tables/rules-save)
    if runlevel_enabled iptables && { runlevel_enabled ip6tables || ! has_ipv6; }; then ENABLED=yes; fi
    if runlevel_enabled ipset; then
      BOOT_SETS=$(openrc_value /etc/conf.d/ipset IPSET_SAVE /var/lib/ipset/rules-save)
    fi
  elif [ -f /usr/lib/systemd/system/iptables.service ] && [ ! -L /usr/lib/systemd/system/iptables.service ]; then
    LOADER=systemd-iptables BOOT_V4=/etc/iptables/iptables.rules BOOT_V6=/etc/iptables/ip6tables.rules
    if unit_enabled iptables.service && { unit_enabled ip6tables.service || ! has_ipv6; }; then ENABLED=yes; fi
    if unit_enabled ipset.service; then BOOT_SETS=/etc/ipset.conf; fi
  fi
  # A transaction stores the paths that its `begin` received.
  if [ -n "$DIR" ] && [ -e "$DIR/path.v4" ]; then
    SP_PATH_V4=$(first_line "$DIR/path.v4")
    SP_PATH_V6=$(first_line "$DIR/path.v6")
    SP_PATH_SETS=$(first_line "$DIR/path.sets")
  fi
  if [ -n "$SP_PATH_V4" ]; then
    BOOT_V4=$SP_PATH_V4 BOOT_V6=$SP_PATH_V6 BOOT_SETS=$SP_PATH_SETS
    # The policy sets the paths: loading them is the administrator's responsibility.
    if [ "$LOADER" = none ]; then ENABLED=yes; fi
  fi
}

boot_facts() {
  find_loader
  fact loader "$LOADER"
  fact enabled "$ENABLED"
  fact v4 "$BOOT_V4"
  fact v6 "$BOOT_V6"
  fact sets "$BOOT_SETS"
}

# Sets $managers to the active programs that manage the built-in chains.
list_managers() {
  managers=''
  if [ -r /etc/ufw/ufw.conf ]; then
    while IFS= read -r line; do
      if [ "$line" = ENABLED=yes ]; then managers='ufw '; fi
    done </etc/ufw/ufw.conf
  fi
  for group in /sys/fs/cgroup/system.slice /sys/fs/cgroup/systemd/system.slice /sys/fs/cgroup/unified/system.slice; do
    if [ -e "$group/firewalld.service" ]; then
      managers="${managers}firewalld "
      break
    fi
  done
}

facts() {
  read_line /proc/sys/kernel/hostname
  fact hostname "$line"
  read_line /proc/sys/kernel/osrelease
  fact kernel "$line"
  read_line /etc/machine-id
  fact machine-id "$line"
  fact ssh "$SP_SSH"
  if [ -d /run/systemd/system ]; then fact systemd yes; else fact systemd no; fi
  if has_ipv6; then fact ipv6 yes; else fact ipv6 no; fi
  for device in /sys/class/net/*; do
    if [ -e "$device" ]; then fact interface "${device##*/}"; fi
  done
  list_managers
  for manager in $managers; do fact manager "$manager"; done
  count_time
}

# The time of a packet count: counters start at boot, so counts of two boots cannot be compared.
count_time() {
  read_boot
  fact boot "$line"
  read_uptime
  fact uptime "$uptime"
}

# Sets $missing to the missing tools, each preceded by a space.
list_missing() {
  missing=''
  for tool in iptables iptables-save iptables-restore flock awk cmp sha256sum mv cp sync unshare setsid sleep; do
    has "$tool" || missing="$missing $tool"
  done
  ! has_ipv6 || has ip6tables-restore || missing="$missing ip6tables-restore"
}

missing_tools() {
  list_missing
  for tool in $missing; do fact missing "$tool"; done
}

# Prints the rules of the backend that `iptables` does not use, read with the other tools where the kernel may have some.
other_backend() {
  case $VERSION in
  *nf_tables*)
    for family in ip ip6; do
      read_line "/proc/net/${family}_tables_names"
      if [ -z "$line" ]; then continue; fi
      if has "${family}tables-legacy-save"; then "${family}tables-legacy-save"; else echo '# cannot be seen'; fi
    done
    ;;
  *)
    for family in ip ip6; do
      if has "${family}tables-nft-save"; then "${family}tables-nft-save" 2>/dev/null; fi
    done
    ;;
  esac
  return 0
}

# Prints the base chains of native nft tables as nft lists them, and `rule FAMILY TABLE CHAIN NUMBER` for each rule with a
# set lookup in a table of iptables-nft: no version of iptables-nft creates these, so they were created with nft.
nft_listing() {
  if ! has nft; then return 0; fi
  { nft --debug=netlink list ruleset || nft list chains; } 2>/dev/null | rule_shapes listing=yes -
}

# Prints the native tables as nft has them in JSON, one document for each; nothing where there are none. Without nft, or
# where it cannot print JSON, prints lines: `table FAMILY NAME` for each table that is there, or `unseen REASON`.
native_tables() {
  if ! has nft; then
    if ! nft_in_kernel; then return 0; fi
    if has perl; then netlink_tables; else echo 'unseen nft is not installed'; fi
    return 0
  fi
  if ! tables=$(nft list tables 2>&1); then
    echo "unseen nft list tables: ${tables%%"$NEWLINE"*}"
    return 0
  fi
  while IFS=' ' read -r _ family name; do
    if [ -z "$name" ] || of_iptables "$family" "$name"; then continue; fi
    # A table that a program has removed since then is no failure.
    nft -j list table "$family" "$name" 2>/dev/null ||
      { ! nft list table "$family" "$name" >/dev/null 2>&1 || echo "unseen nft cannot print $family $name as JSON"; }
  done <<END
$tables
END
}

NEWLINE='
'

# Whether iptables-nft made the table, so that iptables-save prints it.
of_iptables() {
  case $VERSION in
  *nf_tables*)
    case "$1 $2" in
    'ip filter' | 'ip nat' | 'ip mangle' | 'ip raw' | 'ip security') return 0 ;;
    'ip6 filter' | 'ip6 nat' | 'ip6 mangle' | 'ip6 raw' | 'ip6 security') return 0 ;;
    esac
    ;;
  esac
  return 1
}

# Whether the kernel has nf_tables, loaded or built in; asking it would load the module.
nft_in_kernel() {
  case $VERSION in *nf_tables*) return 0 ;; esac
  if [ ! -e /proc/modules ]; then return 0; fi
  while read -r module _; do
    if [ "$module" = nf_tables ]; then return 0; fi
  done </proc/modules
  read_line /proc/sys/kernel/osrelease
  if [ ! -e "/lib/modules/$line/modules.builtin" ]; then return 1; fi
  while read -r module; do
    case $module in */nf_tables.ko) return 0 ;; esac
  done <"/lib/modules/$line/modules.builtin"
  return 1
}

# Asks the kernel for its tables as nft does (NFT_MSG_GETTABLE, include/uapi/linux/netfilter/nf_tables.h).
netlink_tables() {
  perl -e '
    my %families = (1 => "inet", 2 => "ip", 3 => "arp", 5 => "netdev", 7 => "bridge", 10 => "ip6");
    socket(my $netlink, 16, 3, 12) or exit print "unseen nft is not installed\n";
    send($netlink, pack("LSSLLCCn", 20, 0xa01, 0x301, 1, 0, 0, 0, 0), 0);
    my $data;
    while (defined recv($netlink, $data, 1 << 16, 0) and length $data) {
      while (length $data >= 16) {
        my ($length, $type) = unpack "LS", $data;
        exit if $type == 3;
        exit print "unseen nft is not installed\n" if $type == 2 or $length < 20;
        my $family = unpack "C", substr($data, 16, 1);
        for (my $at = 20; $at + 4 <= $length;) {
          my ($size, $kind) = unpack "SS", substr($data, $at, 4);
          last if $size < 4;
          print "table ", $families{$family} // "unknown", " ", unpack("Z*", substr($data, $at + 4, $size - 4)), "\n"
            if ($kind & 0x3fff) == 1;
          $at += ($size + 3) & ~3;
        }
        $data = substr $data, ($length + 3) & ~3;
      }
    }' 2>/dev/null || echo 'unseen nft is not installed'
}

file_section() { if [ -n "$2" ] && [ -e "$2" ]; then section "$1" cat "$2"; fi; }

read_state() {
  finish_overdue
  VERSION=$(iptables -V 2>/dev/null)
  section version printf '%s' "$VERSION"
  if has ipset; then section ipset-version ipset version; fi
  section tools missing_tools
  section live-v4 iptables-save -c
  section live-v6 save_v6 -c
  section live-sets save_sets
  section other other_backend
  section nft nft_listing
  section native native_tables
  section boot boot_facts
  find_loader
  file_section saved-v4 "$BOOT_V4"
  file_section saved-v6 "$BOOT_V6"
  file_section saved-sets "$BOOT_SETS"
  section facts facts
  if has ip; then section addresses ip -o address; fi
  section record record
  if [ -e "$STATE/counted" ]; then section counted print_file "$STATE/counted"; fi
  if [ -n "$SP_LOG" ]; then section log kernel_log; fi
  if [ -n "${SP_ACTIVITY-}" ]; then section activity activity; fi
  if [ -n "$SP_KNOWN" ]; then known_good "$SP_KNOWN"; fi
}

# Prints what LOG rules wrote to the kernel log (nf_log_syslog). Network namespaces log only if nf_log_all_netns is set.
kernel_log() {
  ! has dmesg || { dmesg 2>/dev/null || :; } | awk '/ IN=.* SRC=.* DST=.* PROTO=/' | tail -n 500
}

record() {
  if [ -d "$PENDING" ]; then
    echo pending
    print_file "$PENDING/about"
    read_line "$PENDING/phase"
    fact phase "$line"
    count_left
    fact left "$left"
  fi
  if [ -e "$STATE/last" ]; then
    echo last
    print_file "$STATE/last"
  fi
  for entry in "$STATE"/known-good/*/about; do
    if [ ! -e "$entry" ]; then continue; fi
    echo known-good
    print_file "$entry"
  done
}

# Prints entry $1 of the history; 1 is the newest.
known_good() {
  set -- "$1" "$STATE"/known-good/*/
  if [ ! -d "${2:-}" ] || [ "$1" -ge $# ]; then return 0; fi
  shift $(($# - $1))
  entry=$1
  file_section known-v4 "${entry}v4"
  file_section known-v6 "${entry}v6"
  file_section known-sets "${entry}sets"
}
