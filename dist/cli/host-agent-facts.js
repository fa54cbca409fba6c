import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import{shellQuote}from"./lib-text.js";import{error,note}from"./lib-problem.js";import{createHash}from"node:crypto";import{randomBytes}from"node:crypto";var unreachable=(host,why,hint)=>error("host-unreachable",`${host.name} (${host.address}) cannot be reached over SSH: ${why}.`,{hint}),CAUSES=[[/All configured authentication methods failed|Permission denied/,"it accepts none of the offered keys","Add the public key to the user's authorized_keys, or give another key."],[/ECONNREFUSED|Connection refused/,"connection refused","Check that sshd is running, and the port."],[/ENOTFOUND|EAI_AGAIN|Could not resolve/,"the name does not resolve",'Check "address" in the policy.'],[/EHOSTUNREACH|ENETUNREACH|No route to host/,"no route to host"],[/ETIMEDOUT|timed out|Timeout/,"connection timed out"]];function connectProblem(host,message,causes=[]){let[,why=message.replace(/[.\s]+$/,"").replace(/^.*\n/s,""),hint]=[...causes,...CAUSES].find(([pattern])=>pattern.test(message))??[];return unreachable(host,why===""?"the connection was lost":why,hint)}async function withTimeout(seconds,work,message,onTimeout){let timer,timeout=new Promise((_,reject)=>{timer=setTimeout(()=>{reject(new Error(message)),onTimeout()},seconds*1e3)});try{return await Promise.race([work,timeout])}finally{clearTimeout(timer)}}function collector(onLine){let chunks=[],rest="";return{add:chunk=>{if(chunks.push(chunk),onLine===void 0)return;let parts=(rest+chunk.toString("latin1")).split(`
`);rest=parts.pop()??"";for(let line of parts)onLine(line)},text:()=>Buffer.concat(chunks).toString("utf8")}}var activity_default=`# Current activity: the host's flows and listening ports. Read-only, only on request (SP_ACTIVITY), and without output
# where the host cannot tell.
#
# A busy host has a million flows, so they are counted here by kind: 20,000 are examined, 1,000 kinds are reported.

# Converts entries of connection tracking (/proc/net/nf_conntrack or conntrack(8)) to lines
#   flow COUNT PROTOCOL SOURCE DESTINATION PORT ANSWERED-BY
count_tracked() {
  awk -v seen=20000 -v reported=1000 '
    seen < NR { exit }
    { protocol = $1 ~ /^ipv[46]$/ ? $3 : $1 }
    protocol == "tcp" ? !/ ESTABLISHED / : protocol != "udp" || /\\[UNREPLIED\\]/ { next }
    {
      split("", first)
      reply = ""
      for (i = 1; i <= NF; i++) {
        at = index($i, "=")
        name = substr($i, 1, at - 1)
        if (name == "src" && ("src" in first)) reply = substr($i, at + 1)
        else if (at && !(name in first)) first[name] = substr($i, at + 1)
      }
      if (first["src"] ~ /^127\\./ || first["src"] == first["dst"]) next
      count[protocol " " first["src"] " " first["dst"] " " first["dport"] " " reply]++
    }
    END {
      for (kind in count)
        if (0 < reported--) print "flow", count[kind], kind
        else left += count[kind]
      print "left", left + 0
      if (seen < NR) print "cut"
    }'
}

# Converts the output of \`ss -ntu\`, listening sockets first: listening ones to lines \`listen PROTOCOL ADDRESS:PORT\`,
# connected ones to flows, incoming when the local port is a listening one.
count_sockets() {
  awk -v seen=20000 -v reported=1000 '
    function host(end) { sub(/:[^:]*$/, "", end); return end }
    function port(end) { sub(/.*:/, "", end); return end }
    seen < NR { exit }
    $2 == "LISTEN" || $2 == "UNCONN" {
      if (0 < reported--) print "listen", $1, $5
      listens[$1 port($5)] = 1
    }
    $2 == "ESTAB" {
      if (($1 port($5)) in listens) count[$1 " " host($6) " " host($5) " " port($5)]++
      else count[$1 " " host($5) " " host($6) " " port($6)]++
    }
    END {
      for (kind in count)
        if (0 < reported--) print "flow", count[kind], kind
        else left += count[kind]
      print "left", left + 0
      if (seen < NR) print "cut"
    }'
}

# The same sockets from proc(5), for hosts without ss: 0A is listening, 07 UDP without a peer, 01 connected.
proc_sockets() {
  for file in tcp tcp6 udp udp6; do
    if [ ! -r "/proc/net/$file" ]; then continue; fi
    awk -v protocol="\${file%6}" '
      $4 == "0A" { print protocol, "LISTEN", 0, 0, $2, $3 }
      $4 == "07" { print protocol, "UNCONN", 0, 0, $2, $3 }
      $4 == "01" { print protocol, "ESTAB", 0, 0, $2, $3 }' "/proc/net/$file"
  done
}

# conntrack(8) would load the kernel module where it is absent, so it runs only if entries exist.
tracked() {
  read_line /proc/sys/net/netfilter/nf_conntrack_count
  if [ -z "$line" ] || [ "$line" -eq 0 ]; then return 1; fi
  if [ -r /proc/net/nf_conntrack ]; then
    count_tracked </proc/net/nf_conntrack
  elif has conntrack; then
    for family in ipv4 ipv6; do conntrack -L -f "$family" 2>/dev/null; done | count_tracked
  else
    return 1
  fi
}

activity() {
  if tracked; then
    echo tracked
    if has ss; then ss -lntu; else proc_sockets | awk '$2 != "ESTAB"'; fi | count_sockets
  elif has ss; then
    { ss -lntu && ss -ntu; } | count_sockets
  else
    proc_sockets | count_sockets
  fi
}
`;var base_default=`# The agent, Sallyport's part on the host: POSIX sh, run by root, sent over standard input. It decides; the runner asks.
#
# These files are one script: base, host, activity, rules, state, saved, watchdogs, rollback, finish, begin, main. The
# runner sets SP_MARK, a random word that starts every line of the answer, and the SP_ variables of the verb; main.sh
# lists them all. Only the last line starts anything, so a truncated script does nothing.
#
# State is in $STATE, readable by root only. A transaction is the directory \`pending\`. It contains one of state.pending,
# state.confirmed and state.rolling-back; a transition is one rename(2), so of two processes that try, one succeeds.
# Whatever changes rules or files holds the lock.

STATE=/var/lib/sallyport
PENDING=$STATE/pending
# An ended transaction, until its watchdogs are stopped.
GONE=$STATE/gone
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

has() { command -v "$1" >/dev/null 2>&1; }

# Sets $line to the first line of a file, or to nothing. Starts no process.
read_line() {
  line=
  if [ -r "$1" ]; then IFS= read -r line <"$1" || :; fi
}

# Prints the first line of a file. Costs a process: hot paths use read_line.
first_line() {
  read_line "$1"
  printf '%s' "$line"
}

# Prints a small file, or nothing. Starts no process.
print_file() {
  if [ ! -r "$1" ]; then return 0; fi
  while IFS= read -r line; do printf '%s\\n' "$line"; done <"$1"
}

# Runs a command every 0.1 s until it succeeds; fails after $1 times.
poll() {
  tries=$1
  shift
  until "$@"; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then return 1; fi
    sleep 0.1 || sleep 1
  done
}

put() { printf '%s' "$2" >"$1"; }
fact() { printf '%s %s\\n' "$1" "$2"; }

# Prints one section: the output of a command between two marked lines, the second with its exit status. Its stderr
# follows the same mark on stderr.
section() {
  section_name=$1
  shift
  printf '%s > %s\\n' "$SP_MARK" "$section_name"
  printf '%s > %s\\n' "$SP_MARK" "$section_name" >&2
  "$@"
  printf '\\n%s < %s\\n' "$SP_MARK" $?
}

emit() { printf '%s %s\\n' "$SP_MARK" "$*"; }

answer() {
  emit "$@"
  emit 'done'
  exit 0
}

refuse() { answer refuse "$@"; }

# Flushes files to disk, individually if sync supports it.
sync_files() { sync "$@" 2>/dev/null || sync; }

# Sets $uptime to hundredths of a second since boot: steps of the wall clock do not affect it.
read_uptime() {
  read -r uptime rest </proc/uptime
  uptime=\${uptime%.*}\${uptime#*.}
}

read_boot() { read_line /proc/sys/kernel/random/boot_id; }
`;var begin_default=`# The verb \`begin\`: checks, snapshot, rehearsal, and arming of the watchdogs, which then apply the change.

begin() {
  RUN=$SP_RUN
  NEW=''
  trap remove_unarmed EXIT
  trap 'exit 1' HUP INT PIPE TERM
  emit phase preflight
  # An existing directory was created by an earlier run; -w is false on a read-only file system.
  { [ -d "$STATE" ] && [ -w "$STATE" ]; } || { mkdir -p "$STATE" && chmod 700 "$STATE"; } 2>/dev/null || refuse state-unwritable "$STATE cannot be written"
  list_missing
  if [ -n "$missing" ]; then refuse tools-missing "\${missing# }"; fi
  list_managers
  if [ -n "$managers" ]; then
    refuse other-manager "\${managers%% *} is active and manages the same chains; disable it first"
  fi
  take_lock 5 || refuse busy "another run is in progress: $(first_line "$STATE/lock")"
  if [ -d "$PENDING" ]; then
    finish_abandoned || refuse busy "run $(run_of "$PENDING") of $(first_line "$PENDING/owner") is not confirmed yet ($left seconds left)"
    RUN=$SP_RUN
  fi
  printf '%s\\n' "$SP_RUN of $SP_OWNER" >"$STATE/lock" || refuse disk-full "$STATE cannot be written"
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
  why=$(SP_V6=$CAN_V6 unshare -n sh "$DIR/agent.sh" rehearse "$DIR" 2>"$ERRORS") || refuse rehearsal-failed "\${why:-cannot create a network namespace}$(detail)"
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
      { { [ -d "\${saved_path%/*}" ] || mkdir -p "\${saved_path%/*}"; } && stage "$saved_path" && put "$saved_path.sallyport" "$text"; } 2>/dev/null ||
        refuse saved-unwritable "$saved_path cannot be written"
    fi
  done
  if sums_match "$SP_SUMS$sums"; then return 0; fi
  sums_match "$SP_SUMS" || refuse disk-full "$STATE cannot store the change"
  for kind in v4 v6 sets; do
    case $sums in *"old.$kind"*) ;; *) continue ;; esac
    find_path "$kind"
    sum=$(sha256sum <"$DIR/old.$kind")
    case $sums in *"\${sum%% *}  old.$kind"*) ;; *) refuse_saved ;; esac
  done
}

refuse_saved() { refuse plan-changed "$saved_path has changed since the plan"; }

snapshot() {
  {
    iptables-save >"$DIR/snapshot.v4" && save_v6 >"$DIR/snapshot.v6" && save_sets >"$DIR/snapshot.sets"
  } 2>"$ERRORS" || refuse snapshot-failed "cannot save the current rules$(detail)"
  if has nft; then nft_rules; fi | rule_shapes >"$DIR/shapes" || refuse disk-full "$STATE is full"
  (normalize_rules to="$DIR/snapshot" scripts="$DIR" \\
    family=v4 "$DIR/snapshot.v4" family=v6 "$DIR/snapshot.v6" family=sets "$DIR/snapshot.sets" planned=yes \\
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

# Prints \`: \` and the last line of the tool's stderr.
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
`;var facts_default=`# Facts about the host, and the verb \`read\`.

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

# As \`systemctl is-enabled\`, but without starting it: a link to the unit in .wants, and no mask (a link to /dev/null).
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
        value=\${line#*=}
        value=\${value#\\"}
        value=\${value%\\"}
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
  # A transaction stores the paths that its \`begin\` received.
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
      managers="\${managers}firewalld "
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
    if [ -e "$device" ]; then fact interface "\${device##*/}"; fi
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

# Prints the rules of the backend that \`iptables\` does not use, read with the other tools where the kernel may have some.
other_backend() {
  case $VERSION in
  *nf_tables*)
    for family in ip ip6; do
      read_line "/proc/net/\${family}_tables_names"
      if [ -z "$line" ]; then continue; fi
      if has "\${family}tables-legacy-save"; then "\${family}tables-legacy-save"; else echo '# cannot be seen'; fi
    done
    ;;
  *)
    for family in ip ip6; do
      if has "\${family}tables-nft-save"; then "\${family}tables-nft-save" 2>/dev/null; fi
    done
    ;;
  esac
  return 0
}

# Prints the base chains of native nft tables as nft lists them, and \`rule FAMILY TABLE CHAIN NUMBER\` for each rule with a
# set lookup in a table of iptables-nft: no version of iptables-nft creates these, so they were created with nft.
nft_listing() {
  if ! has nft; then return 0; fi
  { nft --debug=netlink list ruleset || nft list chains; } 2>/dev/null | rule_shapes listing=yes -
}

# Prints the native tables as nft has them in JSON, one document for each; nothing where there are none. Without nft, or
# where it cannot print JSON, prints lines: \`table FAMILY NAME\` for each table that is there, or \`unseen REASON\`.
native_tables() {
  if ! has nft; then
    if ! nft_in_kernel; then return 0; fi
    if has perl; then netlink_tables; else echo 'unseen nft is not installed'; fi
    return 0
  fi
  if ! tables=$(nft list tables 2>&1); then
    echo "unseen nft list tables: \${tables%%"$NEWLINE"*}"
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
    socket(my $netlink, 16, 3, 12) or exit print "unseen nft is not installed\\n";
    send($netlink, pack("LSSLLCCn", 20, 0xa01, 0x301, 1, 0, 0, 0, 0), 0);
    my $data;
    while (defined recv($netlink, $data, 1 << 16, 0) and length $data) {
      while (length $data >= 16) {
        my ($length, $type) = unpack "LS", $data;
        exit if $type == 3;
        exit print "unseen nft is not installed\\n" if $type == 2 or $length < 20;
        my $family = unpack "C", substr($data, 16, 1);
        for (my $at = 20; $at + 4 <= $length;) {
          my ($size, $kind) = unpack "SS", substr($data, $at, 4);
          last if $size < 4;
          print "table ", $families{$family} // "unknown", " ", unpack("Z*", substr($data, $at + 4, $size - 4)), "\\n"
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
  if [ -n "\${SP_ACTIVITY-}" ]; then section activity activity; fi
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
  if [ ! -d "\${2:-}" ] || [ "$1" -ge $# ]; then return 0; fi
  shift $(($# - $1))
  entry=$1
  file_section known-v4 "\${entry}v4"
  file_section known-v6 "\${entry}v6"
  file_section known-sets "\${entry}sets"
}
`;var finish_default=`# How a transaction ends: the record, confirmed changes, and what a dead run left behind. Holds the lock.

# Records the outcome, removes the transaction, and stops the watchdogs. In this order, a process that dies in between
# leaves nothing to do: a watchdog that finds no transaction exits.
finish() {
  outcome=$1 reason=$2 ended_in=\${3:-done}
  if write_last; then recorded=yes; else recorded=no; fi
  if [ -e "$GONE" ]; then rm -rf "$GONE"; fi
  mv "$PENDING" "$GONE" || :
  disarm || :
  rm -rf "$GONE"
  if [ "$recorded" = no ]; then write_last || :; fi
  sync_files "$STATE"
}

write_last() {
  {
    fact run "$RUN"
    read_line "$PENDING/commit"
    fact commit "$line"
    fact outcome "$outcome"
    fact phase "$ended_in"
    fact reason "$reason"
    fact time "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  } >"$STATE/last.new" 2>/dev/null && mv "$STATE/last.new" "$STATE/last"
}

# The state is confirmed: makes the new rules persistent, or rolls back if they cannot be saved.
finish_confirmed() {
  DIR=$PENDING
  phase persist || :
  put "$DIR/persisting" yes
  if persist 2>"$ERRORS" && keep_known_good 2>>"$ERRORS"; then
    phase disarm || :
    keep_drop_counts || :
    unstage
    note=''
    if [ "$ENABLED" = no ]; then note="the rules will not load at boot: $LOADER is not enabled"; fi
    finish confirmed "$note"
  else
    start_rollback "the rules could not be saved: $(first_line "$ERRORS")" confirmed
    roll_back
  fi
}

# Ends the transaction of $RUN as its state requires, once the lock is free (within $1 seconds). With the reason $2 a
# pending transaction is rolled back.
conclude() {
  take_lock "$1" || return 1
  if is_pending_run; then
    if [ -n "\${2:-}" ]; then start_rollback "$2" || :; fi
    if state_is rolling-back; then
      roll_back
    elif state_is confirmed; then
      finish_confirmed
    fi
  fi
  drop_lock
}

# Ends a transaction that a dead run left behind. Fails while it can still be confirmed.
finish_abandoned() {
  RUN=$(run_of "$PENDING")
  DIR=$PENDING
  if is_same_boot; then
    deadline_passed || return 1
    start_rollback 'not confirmed in time' || :
    if state_is confirmed; then finish_confirmed; else roll_back; fi
  elif state_is confirmed; then
    live_matches expected || apply_scripts forward || { persist && load_boot; }
    finish_confirmed
  else
    unstage
    finish rolled-back 'the host rebooted before the change was confirmed' "$(first_line "$PENDING/phase")"
  fi 2>/dev/null
}

# A reboot ends a pending transaction: the rules that were to be confirmed are gone.
finish_after_restart() {
  if is_pending_run && ! is_same_boot && take_lock 10; then
    if is_pending_run; then finish_abandoned; fi
    drop_lock
  fi
}

# Ends a transaction that has no watchdog left (reboot, or both killed) before anything is read: else its unconfirmed
# rules would be taken for those of the host.
finish_overdue() {
  if [ ! -d "$PENDING" ]; then return 0; fi
  RUN=$(run_of "$PENDING")
  finish_after_restart
  if ! is_pending_run || ! deadline_passed; then return 0; fi
  start_rollback 'not confirmed in time' || :
  start_detached conclude
  poll 100 is_over
}

is_over() { ! is_pending_run; }
`;var main_default=`# The verbs: supervise and late, which the host starts itself, and those of the runner.

# Applies the change. Called under the lock, with the backup timer armed.
apply() {
  if ! phase apply; then
    start_rollback "$STATE is full, so nothing was changed"
  elif ! apply_scripts forward 2>"$ERRORS"; then
    start_rollback "the new rules did not load$(detail)"
  elif ! live_matches expected; then
    start_rollback 'the rules after applying differ from those of the rehearsal'
  else
    phase verify || start_rollback "$STATE is full"
  fi
}

# The supervisor: applies the change and waits for the deadline. \`late\` covers its death.
supervise() {
  trap '' HUP INT PIPE
  ROLE=supervise
  DIR=$PENDING
  ERRORS=$DIR/error
  if ! take_lock 10; then
    start_rollback 'the lock was held, so nothing was changed' || :
  elif is_pending_run && state_is pending; then
    if ! wait_for_backup_timer; then
      start_rollback 'the backup timer could not be armed, so nothing was changed' || :
    elif state_is pending; then
      apply
    fi
    drop_lock
  fi
  if state_is pending; then sleep_until_deadline 0; fi
  conclude 60 'not confirmed in time'
}

# The backup timer. Kills a supervisor that does not release the lock.
late() {
  trap '' HUP INT PIPE
  ROLE=late
  ERRORS=$PENDING/error
  sleep_until_deadline "$LATE"
  if is_pending_run && ! conclude 5 'not confirmed in time'; then
    read_line "$PENDING/supervisor"
    pid=$line
    if [ "$pid" = systemd ]; then
      systemctl kill --signal=KILL "$(unit_name).service"
    elif is_own_process "$pid"; then
      kill -9 "-$pid"
    fi 2>/dev/null
    conclude 60 'not confirmed in time'
  fi
}

probe() {
  RUN=$SP_RUN
  finish_after_restart
  answer_if_ended
  if is_pending_run; then
    read_line "$PENDING/token"
    answer_pending "$line"
  fi
  read_line "$STATE/lock"
  case $line in "$RUN of "*) take_lock 0 || answer beginning ;; esac
  answer none
}

confirm() {
  trap '' HUP INT PIPE TERM
  RUN=$SP_RUN
  ROLE=confirm
  ERRORS=$PENDING/error
  DIR=$PENDING
  finish_after_restart
  answer_if_ended
  is_pending_run || answer none
  pending_file_is token "$SP_TOKEN" || answer refuse bad-token 'the token does not match that of the run'
  if state_is pending && ! pending_file_is phase verify; then answer_pending; fi
  if deadline_passed; then
    start_rollback 'not confirmed in time' || :
  # Drop counts that cannot be stored, on a full disk, are no reason for a rollback.
  elif ! live_matches expected "$PENDING/counted" && { rm -f "$PENDING/counted" && ! live_matches expected; }; then
    start_rollback 'the rules were changed by someone else before they were confirmed' || :
  fi
  move_state pending confirmed || :
  conclude 30 || :
  await_end 30
}

# The runner requests a rollback, for the reason SP_REASON.
abort() {
  RUN=$SP_RUN
  ERRORS=$PENDING/error
  finish_after_restart
  answer_if_ended
  is_pending_run || answer none
  pending_file_is token "$SP_TOKEN" || answer refuse bad-token 'the token does not match that of the run'
  if start_rollback "$SP_REASON"; then start_detached conclude; fi
  await_end 30
}

# --- set by the runner

: "\${SP_MARK=}" "\${SP_AGENT=}" "\${SP_RUN=}" "\${SP_TOKEN=}" "\${SP_REASON=}" "\${SP_SSH=}" "\${SP_KNOWN=}" "\${SP_LOG=}" "\${SP_ACTIVITY=}"
: "\${SP_PATH_V4=}" "\${SP_PATH_V6=}" "\${SP_PATH_SETS=}"
: "\${SP_COMMIT=}" "\${SP_OWNER=}" "\${SP_HOST=}" "\${SP_SECONDS=}" "\${SP_DIGEST=}" "\${SP_NATIVE=}" "\${SP_SUMS=}"
: "\${SP_OWNERSHIP=}" "\${SP_ENABLE=}"
: "\${SP_FORWARD_SETS=}" "\${SP_FORWARD_V4=}" "\${SP_FORWARD_V6=}" "\${SP_FORWARD_AFTER=}"
: "\${SP_BACKWARD_SETS=}" "\${SP_BACKWARD_V4=}" "\${SP_BACKWARD_V6=}" "\${SP_BACKWARD_AFTER=}"
: "\${SP_LIVE_V4=}" "\${SP_LIVE_V6=}" "\${SP_LIVE_SETS=}" "\${SP_OWNED_V4=}" "\${SP_OWNED_V6=}" "\${SP_OWNED_SETS=}"
: "\${SP_SAVED_V4=}" "\${SP_SAVED_V6=}" "\${SP_SAVED_SETS=}" "\${SP_BEFORE_V4=}" "\${SP_BEFORE_V6=}" "\${SP_BEFORE_SETS=}"

# Seconds from the supervisor's deadline to the backup timer's.
LATE=2
# What this process runs as, so that disarm does not kill it: supervise, late, confirm, conclude.
ROLE=''
# The directory of the current transaction.
DIR=''
# Whether ip6tables works: yes or no once known; see can_v6.
CAN_V6=\${SP_V6-}
# Not empty if neither the host nor the change has sets; see skip_unused_sets.
NO_SETS=''
ERRORS=/dev/null
RUN=\${2:-}

run() {
  case \${1:-} in
  read) read_state ;;
  begin) begin ;;
  probe) probe ;;
  confirm) confirm ;;
  abort) abort ;;
  rehearse) rehearse "$2" && exit ;;
  rehearse-saved) rehearse_saved "$2" && exit ;;
  supervise) supervise && exit ;;
  late) late && exit ;;
  conclude)
    ROLE=conclude
    ERRORS=$PENDING/error
    conclude 60 && exit
    ;;
  *) exit 64 ;;
  esac
  emit 'done'
}

run "$@"
`;var rollback_default=`# Rollback: back to the rules from before the change. Holds the lock.

# Moves the state from $2 (default pending) to rolling-back, with the reason $1. Fails if another process moved it first.
start_rollback() {
  move_state "\${2:-pending}" rolling-back || return 1
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
  finish "$end" "$why\${restored_by:-}" "$ended_in"
}

# Applies the reverse scripts, which keep what other programs added since; else loads the whole snapshot; if that is
# damaged, what loads at boot; and after ten failed tries removes Sallyport's rules, so that the host can be reached.
restore_rules() {
  restored_by=''
  if snapshot_intact && live_matches snapshot; then return 0; fi
  if snapshot_intact; then
    # A script that fails must not keep the others from being tried; the comparison decides.
    for each in apply_sets:sets apply_v4:v4 apply_v6:v6 apply_sets:setsAfter; do
      "\${each%:*}" "$DIR/backward.\${each#*:}"
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
  awk "$OWN_IN_BUILT_IN"' { if (sub(/^-A/, "-D")) print; else print $1, "ACCEPT [0:0]" } /^\\*/ || /^COMMIT/ { print }'
}

chain_removal() {
  awk '
    /^\\*/ { own = 0; print }
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
`;var rules_default=`# Reads rules in a form that can be compared, and loads them.

# Prints the rules in the kernel: \`= v4\`, \`= v6\` and \`= sets\`, each followed by its text, or by \`= failed\`.
live_rules() {
  echo '= v4'
  iptables-save "$@" || echo '= failed'
  echo '= v6'
  save_v6 "$@" || echo '= failed'
  echo '= sets'
  save_sets || echo '= failed'
}

# Normalizes rules for comparison: one line for each DROP policy, user chain, rule, set and member, with family, table,
# chain, number in the chain, and text. Omits what may differ between equal states: comments, counters, the order of
# tables and chains, empty tables, and the attributes of sets that the kernel chooses or counts.
#
# Lines of Sallyport's chains, of entry jumps to them, of DROP policies and of its sets are \`owned\`, all others \`foreign\`.
# Rules in built-in chains have no number there: other programs may add and remove rules above them.
#
# Arguments: to=PATH writes PATH.normal, PATH.owned and PATH.foreign; as=PATH.PART exits with 1 if the lines differ from
# this file's, in any order; counted=PATH appends the drop counters. Then the files, as awk arguments; those after
# planned=yes are the expected state, and it exits with 3 if both all lines and the owned lines differ. scripts=DIR writes
# to DIR/empty.FAMILY the tables that DIR/forward.FAMILY uses and the files lack. Exits with 4 if a file is incomplete.
# A deploy does this six times, so it is a single process, which replaces the shell: call it in a subshell.
normalize_rules() {
  read_line "$DIR/ownership"
  exec awk -v OFS='\\t' -v ownership="$line" '
    function begin() {
      if (begun++) return
      parts = split("normal owned foreign", part, " ")
      for (at = 1; to != "" && at <= parts; at++) printf "" >(to "." part[at])
      if (as == "") return
      wanted = as
      sub(/.*[.]/, "", wanted)
      while ((got = (getline line <as)) > 0) left[line]++
      if (got < 0) failed = 1
    }
    function collect(kind, line) {
      if (kind == wanted) left[line]--
      if (to == "") return
      there[kind, line] += planned ? -1 : 1
      if (planned) return
      print line >(to "." kind)
      written[kind]++
    }
    function rule(chain, number, text, own, prefix) {
      prefix = family OFS (family == "sets" ? "" : table) OFS chain OFS
      own = ownership == "tables" || chain ~ /^SALLYPORT-/ || text ~ /-[jg] SALLYPORT-/ || (number == "000000" && text ~ / DROP$/)
      collect("normal", prefix number OFS text)
      if (ownership != "tables" && family != "sets" && chain !~ /^SALLYPORT-/) number = "-"
      collect(own ? "owned" : "foreign", prefix number OFS text)
    }
    # The script creates such a table; for a rollback to the state without it, the snapshot needs it empty.
    function fill(family, line, names, count, at) {
      while ((getline line <(scripts "/forward." family)) > 0) {
        if (line !~ /^\\*/ || ((family, substr(line, 2)) in tables)) continue
        tables[family, substr(line, 2)] = 1
        print line >(scripts "/empty." family)
        count = split(chains[substr(line, 2)], names, " ")
        for (at = 1; at <= count; at++) print ":" names[at] " ACCEPT [0:0]" >(scripts "/empty." family)
        print "COMMIT" >(scripts "/empty." family)
      }
    }
    { begin() }
    counted != "" && (/^= v/ || /^\\*/ || /^:[A-Z]+ DROP / || / -A SALLYPORT-[A-Z]+ -j DROP$/) { print >>counted }
    /^# Table .* (is|contains) incompatible/ { open[family]++ }
    /^= / { if ($2 == "failed") failed = 1; else family = $2; next }
    /^COMMIT/ { open[family]-- }
    /^#/ || /^COMMIT/ || /^$/ { next }
    family == "sets" && $1 == "create" {
      gsub(/ (hashsize|bucketsize) [0-9]+| initval 0x[0-9a-f]+/, "")
      rule($2, 0, $0)
      next
    }
    family == "sets" {
      gsub(/ (timeout|packets|bytes) [0-9]+/, "")
      rule($2, 1, $0)
      next
    }
    /^\\*/ { table = substr($0, 2); open[family]++; if (!planned) tables[family, table] = 1; next }
    /^:/ { if ($2 != "ACCEPT") rule(substr($1, 2), "000000", ":" substr($1, 2) " " $2); next }
    { sub(/^\\[[0-9]+:[0-9]+\\] /, "") }
    { rule($2, sprintf("%06d", ++number[planned, family, table, $2]), $0) }
    END {
      begin()
      # Not every awk reports a full disk, so the files are read back.
      for (at = 1; to != "" && at <= parts; at++) {
        close(to "." part[at])
        while ((getline line <(to "." part[at])) > 0) written[part[at]]--
        if (written[part[at]] != 0) failed = 2
      }
      for (line in left) if (left[line] != 0) failed = failed ? failed : 1
      for (line in there) {
        split(line, key, SUBSEP)
        if (there[line] != 0) differs[key[1]] = 1
      }
      if (planned && differs["normal"] && differs["owned"]) failed = failed ? failed : 3
      for (each in open) if (open[each] != 0) failed = 4
      if (scripts != "") {
        chains["filter"] = "INPUT FORWARD OUTPUT"
        chains["security"] = chains["filter"]
        chains["nat"] = "PREROUTING INPUT OUTPUT POSTROUTING"
        chains["mangle"] = "PREROUTING INPUT FORWARD OUTPUT POSTROUTING"
        chains["raw"] = "PREROUTING OUTPUT"
        fill("v4")
        fill("v6")
      }
      exit failed
    }' "$@"
}

# Sets NO_SETS if neither the host nor the change has sets, so that ipset is not run.
skip_unused_sets() {
  NO_SETS=''
  [ -s "$DIR/snapshot.sets" ] || [ -s "$DIR/forward.sets" ] || [ -s "$DIR/saved.sets" ] || NO_SETS=yes
}

# Whether the owned rules in the kernel are those of $1 (snapshot or expected). Writes the current drop counters to the
# file $2, if given, for later comparison. The subshell keeps NO_SETS from leaking.
live_matches() {
  if [ -n "\${2-}" ]; then count_time >"$2" || return 1; fi
  { skip_unused_sets && live_rules \${2:+-c}; } | normalize_rules as="$DIR/$1.owned" counted="\${2-}" -
}

# Applies the restore scripts $1 (forward or backward), in the order in which rules find the sets that they reference.
apply_scripts() {
  apply_sets "$DIR/$1.sets" && apply_v4 "$DIR/$1.v4" && apply_v6 "$DIR/$1.v6" && apply_sets "$DIR/$1.setsAfter"
}

# -exist: members may already be added or deleted, as a rollback may start halfway. The comparison afterwards decides.
apply_sets() { [ ! -s "$1" ] || ipset -exist restore <"$1"; }
apply_v4() { [ ! -s "$1" ] || iptables-restore --noflush -w 5 <"$1"; }
apply_v6() { [ ! -s "$1" ] || ! can_v6 || ip6tables-restore --noflush -w 5 <"$1"; }

# Loads the complete rulesets $1.v4, $1.v6, $1.sets, replacing the tables in them.
load() { load_files "$1.v4" "$1.v6" "$1.sets"; }

# Loads the files $1 (v4), $2 (v6) and $3 (sets), each even if another one fails. Fails unless all are loaded.
load_files() {
  failed=no
  if [ -n "$3" ] && [ -s "$3" ]; then load_sets "$3" || failed=yes; fi
  if [ -n "$1" ] && [ -s "$1" ]; then iptables-restore -w 5 <"$1" || failed=yes; fi
  if [ -n "$2" ] && [ -s "$2" ] && can_v6; then ip6tables-restore -w 5 <"$2" || failed=yes; fi
  [ "$failed" = no ]
}

# Loads what the next boot would load.
load_boot() {
  find_loader
  [ -s "$BOOT_V4" ] && load_files "$BOOT_V4" "$BOOT_V6" "$BOOT_SETS"
}

# Existing sets are flushed, so that they have the members in the file only.
load_sets() {
  awk '{ print } $1 == "create" { print "flush " $2 }' "$1" | ipset -exist restore
}

# Prints the shape of each rule in the tables of iptables-nft: family, table, chain, number, set lookups, values loaded,
# whether it has a range comparison, and its xtables extensions. Both functions replace the calling shell.
nft_rules() { exec nft --debug=netlink list ruleset 2>/dev/null; }
rule_shapes() {
  exec awk '
    function shown() {
      if (rule != "") {
        number[rule]++
        if (!listing) print rule, number[rule], lookups + 0, loads + 0, ranges + 0, names "."
        else if (lookups) print "rule", rule, number[rule]
      }
      rule = names = ""
      lookups = loads = ranges = 0
    }
    listing && (/^table / || /^\\tchain / || /^\\t\\ttype .* hook /) { print }
    /^ip6? (filter|nat|mangle|raw|security) [^@]/ { shown(); rule = $1 " " $2 " " $3; next }
    !/^  \\[ / { shown(); next }
    $2 == "lookup" { lookups++ }
    $3 == "load" { loads++ }
    $2 == "range" || $3 ~ /^(gt|gte|lt|lte)$/ { ranges = 1 }
    $2 == "match" || $2 == "target" { names = names $4 "," }
    END { shown() }' "$@"
}

# iptables-save 1.8.9 prints some rules created with nft as different ones, and exits with 0: without their set of ports,
# or with an address instead of a range. Compares the shapes in file $1 with those after saving and loading, on standard
# input, and prints the first rule that lost something. Rules with different extensions are skipped: another version of
# iptables writes the same rule differently.
lost_in_saving() {
  awk -v saved="$1" '
    BEGIN {
      while ((getline line < saved) > 0) {
        split(line, is)
        chain = is[1] " " is[2] " " is[3]
        before[chain, is[4]] = line
        count[chain] = is[4]
      }
    }
    { chain = $1 " " $2 " " $3; now[chain, $4] = $0; left[chain] = $4; order[++rules] = chain SUBSEP $4 }
    END {
      for (at = 1; at <= rules; at++) {
        split(order[at], key, SUBSEP)
        if (count[key[1]] != left[key[1]]) continue
        split(before[key[1], key[2]], was)
        split(now[key[1], key[2]], is)
        if (was[5] > is[5] || (was[8] == is[8] && (was[6] > is[6] || was[7] > is[7]))) {
          print "rule " is[4] " of " is[3] " (table " is[1] " " is[2] ")"
          exit
        }
      }
    }'
}
`;var saved_default=`# Persistence: the files loaded at boot, and the known-good history.

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

# Nothing to do if \`begin\` has staged the text, and no staging file is needed if the path already has it.
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
      set -- "$@" "\${path%/*}"
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
    awk '!old { if ($1 == "create") new[$2] = 1; print } old && !($2 in new)' \\
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

# Reverts \`persist\`.
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
      entry=\${entry%/}
      number=\${entry##*/}
    fi
  done
  while [ "\${number#0}" != "$number" ]; do number=\${number#0}; done
  number=00000$((number + 1))
  while [ \${#number} -gt 6 ]; do number=\${number#?}; done
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

# Keeps the drop counters as of the confirmation, or as of now if \`confirm\` did not store them.
keep_drop_counts() {
  [ -s "$DIR/counted" ] || live_matches expected "$DIR/counted" || :
  mv "$DIR/counted" "$STATE/counted"
}
`;var state_default=`# The state of a transaction, and the lock.

run_of() { first_line "$1/run"; }
is_pending_run() { [ -d "$PENDING" ] && read_line "$PENDING/run" && [ "$line" = "$RUN" ]; }
state_is() { [ -e "$PENDING/state.$1" ]; }
move_state() { mv "$PENDING/state.$1" "$PENDING/state.$2" 2>/dev/null; }

phase() {
  if [ "$ROLE" = confirm ]; then emit phase "$1"; fi
  put "$PENDING/phase" "$1" 2>/dev/null
}

# Whether file $1 of the transaction contains $2.
pending_file_is() { read_line "$PENDING/$1" && [ "$line" = "$2" ]; }

is_same_boot() { read_boot && pending_file_is boot "$line"; }

# Sets $left to the seconds until the deadline; 0 after a reboot.
count_left() {
  left=0
  if ! is_same_boot; then return 0; fi
  read_line "$PENDING/deadline"
  if [ -z "$line" ]; then return 0; fi
  read_uptime
  left=$(((line - uptime + 99) / 100))
  if [ "$left" -lt 0 ]; then left=0; fi
}

deadline_passed() { count_left && [ "$left" -eq 0 ]; }

answer_pending() {
  count_left
  read_line "$PENDING/phase"
  answer pending "$line" "$left" "$@"
}

# The lock is file descriptor 9. Waits up to $1 seconds, by polling: flock of busybox has no timeout.
take_lock() {
  exec 9>>"$STATE/lock" || return 1
  poll $(($1 * 10)) flock -n 9 || { exec 9>&- && return 1; }
}

drop_lock() { exec 9>&-; }

# Answers with the outcome of run $RUN and exits, if it is the last one that ended on this host; else fails.
answer_if_ended() {
  read_line "$STATE/last"
  [ "$line" = "run $RUN" ] || return 1
  outcome='' phase='' reason=''
  while read -r name value; do
    case $name in
    outcome) outcome=$value ;;
    phase) phase=$value ;;
    reason) reason=$value ;;
    esac
  done <"$STATE/last"
  answer ended "$outcome" "$phase" "$reason"
}

# Waits for another process to end the run.
await_end() {
  poll $(($1 * 10)) answer_if_ended || answer_pending
}
`;var watchdogs_default=`# The two watchdogs: the supervisor and the backup timer. Either one alone rolls back at the deadline.

unit_name() { printf 'sallyport-%s' "$RUN"; }
uses_systemd() { [ -d /run/systemd/system ] && has systemd-run; }

# Starts verb $1 of the agent in a session of its own.
start_detached() {
  setsid sh "$PENDING/agent.sh" "$1" "$RUN" </dev/null >/dev/null 2>&1 9>&- &
}

# Arms the backup timer, $1 + LATE seconds from now: a systemd timer, or a process that sleeps. The process writes its own
# number, since one that dies before it sleeps must not pass for an armed timer.
arm_backup_timer() {
  if uses_systemd && systemd-run --quiet --collect --unit="$(unit_name)-late" --on-active="$(($1 + LATE))s" \\
    --timer-property=AccuracySec=100ms /bin/sh "$PENDING/agent.sh" late "$RUN" 9>&-; then
    put "$PENDING/late" systemd
  else
    setsid sh -c "echo \\$\\$ >$PENDING/late || exit; sleep $(($1 + LATE)); exec sh $PENDING/agent.sh late $RUN" \\
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
    sleep "$((left / 100)).\${rest#1}" || sleep 1
  done
}
`;var AGENT=[base_default,facts_default,activity_default,rules_default,state_default,saved_default,watchdogs_default,rollback_default,finish_default,begin_default,main_default].join(`
`).replace(/^ *#.*\n/gm,""),commandLine=({ssh})=>`${ssh.user==="root"?"":"sudo -n "}sh -s -- "$SSH_CONNECTION"`;function script(mark,{verb,variables={}}){let[start,stored]=verb==="begin"?[`eval "$SP_AGENT"
`,{AGENT}]:[AGENT,{}];return`${Object.entries({MARK:mark,...variables,...stored}).map(([name,value])=>`SP_${name}=${shellQuote(value)}
`).join("")}SP_SSH="\${1-}"
set -- ${verb}
${start}`}var newMark=()=>`sallyport-${randomBytes(12).toString("hex")}`;async function askAgent(connection,host,request,{seconds,onLine}){let mark=newMark(),forward=line=>{let text=line.startsWith(`${mark} `)?line.slice(mark.length+1):">";/^[<>]/.test(text)||onLine?.(text)},ran=await connection.run(commandLine(host),script(mark,request),{seconds,onLine:onLine&&forward}),answer=readAnswer(mark,ran,host);return request.verb!=="read"&&answer.kind==="answer"&&readerVersion(answer.lines)!==void 0?{kind:"failed",problem:readOnlyKey(host)}:answer}var readerVersion=lines=>lines.find(line=>line.startsWith("reader "))?.slice(7),readOnlyKey=({name})=>error("read-only-key",`${name}: this SSH key is read-only.`,{hint:"Deploy with a key that can change the host."});function readAnswer(mark,ran,host){let output=ran.stdout.split(`
`);if(!output.includes(`${mark} done`))return ran.lost?{kind:"lost",problem:ran.problem}:{kind:"failed",problem:startProblem(ran,host)};let errors=errorsBySection(mark,ran.stderr),sections=new Map,lines=[],open;return output.forEach((line,index)=>{if(!line.startsWith(`${mark} `))return;let rest=line.slice(mark.length+1),[sign,name=""]=rest.split(" ");sign===">"?open={name,from:index+1}:sign==="<"&&open!==void 0?(sections.set(open.name,{out:output.slice(open.from,index).join(`
`),err:errors.get(open.name)??"",code:Number(name)}),open=void 0):lines.push(rest)}),{kind:"answer",lines,sections}}function errorsBySection(mark,stderr){let parts=stderr.split(`${mark} > `).slice(1);return new Map(parts.map(part=>{let end=part.indexOf(`
`);return[part.slice(0,end),part.slice(end+1)]}))}var SUDOERS='"USER ALL=(root) NOPASSWD: /usr/bin/sh, /bin/sh" to /etc/sudoers.d/sallyport.',CAUSES2=[[/password is required|a terminal is required|must have a tty|no tty present/,"sudo-asks","sudo asks for a password",`Allow it without a password: add ${SUDOERS}`],[/not allowed|not in the sudoers|may not run/i,"sudo-refuses","sudo does not allow the user to run sh as root",`Add ${SUDOERS}`],[/sudo: (command )?not found|sudo: No such file/,"sudo-missing","sudo is not installed",'Install sudo, or set "ssh: {user: root}".']];function startProblem({code,stderr},host){let cause=CAUSES2.find(([pattern])=>pattern.test(stderr));if(cause!==void 0){let[,id,why,hint]=cause;return error(id,`${host.name}: ${why}.`,{hint:hint.replace("USER",host.ssh.user)})}let end=code===void 0?"was killed by a signal":`exited with status ${code}`,last=stderr.trim().split(`
`).slice(-3).join(" ");return error("agent-failed",`${host.name}: the script on the host ${end} before answering${last===""?"":`: ${last}`}.`,{hint:"Check that the user gets a POSIX shell when a command is run over SSH."})}var lostProblem=host=>unreachable(host,"the connection was lost before the answer was complete"),pairs=text=>text.split(`
`).filter(line=>line!=="").map(line=>{let[name=""]=line.split(" ",1);return[name,line.slice(name.length+1)]});var reader_default=`# Sallyport's reader: prints what a firewall plan needs to know about this host. Generated by \`sallyport reader\`.
#
# It restricts an SSH key to reading. For a user named deploy, as root:
#   1. Install this file as /usr/local/sbin/sallyport-read, owned by root, mode 755.
#   2. Add one line to /etc/sudoers.d/sallyport-read:
#        deploy ALL=(root) NOPASSWD: /usr/local/sbin/sallyport-read
#   3. Add one line to ~deploy/.ssh/authorized_keys, before the key itself:
#        restrict,command="sudo -n /usr/local/sbin/sallyport-read \\"$SSH_CONNECTION\\"" ssh-ed25519 AAAA... firewall-plan
# For root, omit line 2, and \`sudo -n\` in line 3.
#
# The command of the client is ignored. Of its input one word is used: the mark that starts every line of the answer.
# Nothing of it is run, opened as a file, or passed to a program.

# The files loaded at boot, if the policy sets them (\`boot: paths\`); otherwise they are detected.
SP_PATH_V4='' SP_PATH_V6='' SP_PATH_SETS=''

# Also read current flows and listening ports. To disable: ''.
SP_ACTIVITY=yes

STATE=/var/lib/sallyport
PENDING=$STATE/pending
SP_LOG='' SP_KNOWN='' DIR=''
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
unset ENV IFS
umask 077

# SSH_CONNECTION: two addresses and two ports.
SP_SSH=\${1-}
case $SP_SSH in *[!0-9a-zA-Z.:%_\\ -]*) SP_SSH='' ;; esac

# The mark is in one of the first lines. The rest of the input is discarded.
SP_MARK=''
left=20
while [ "$left" -gt 0 ] && IFS= read -r line; do
  left=$((left - 1))
  case $line in
  SP_MARK=\\'sallyport-*\\')
    line=\${line#SP_MARK=\\'}
    line=\${line%\\'}
    case \${line#sallyport-} in *[!0-9a-f]*) ;; *) SP_MARK=$line left=0 ;; esac
    ;;
  esac
done
cat >/dev/null
if [ -z "$SP_MARK" ]; then
  echo 'This key is read-only: it can be used for sallyport plan.' >&2
  exit 1
fi

# The reader does not finish transactions that others left behind.
finish_overdue() { :; }

@FUNCTIONS@

emit reader @DIGEST@
read_state
emit 'done'
`;var FUNCTION=/^(\w+)\(\) \{(?:.*\}|\n[\s\S]*?\n\})$/gm,CALLS=[/(?<=(?:^|[;&|({!]|\b(?:then|do|else|if|while|until)\b)[ \t]*)\b\w+/gm,/(?<=\bsection [\w-]+ )\w+/g],OWN=["finish_overdue"];function reachable(roots){let all=new Map([...AGENT.matchAll(FUNCTION)].map(([text,name=""])=>[name,text])),known=new Set(OWN),todo=[...roots];for(let next=todo.pop();next!==void 0;next=todo.pop()){if(known.has(next))continue;known.add(next);let text=all.get(next)??"";for(let call of CALLS)for(let[word]of text.matchAll(call))all.has(word)&&todo.push(word)}return[...all].filter(([name])=>known.has(name)&&!OWN.includes(name)).map(([,text])=>text)}var BODY=reader_default.replace("@FUNCTIONS@",()=>reachable(["read_state","emit"]).join(`

`)),DIGEST=createHash("sha256").update(BODY).digest("hex").slice(0,12),READER=`#!/bin/sh
${BODY.replace("@DIGEST@",DIGEST)}`,readerNotes=(host,version)=>version===DIGEST?[]:[note("other-reader",`${host}: /usr/local/sbin/sallyport-read is a different version of the reader.`,{hint:"Replace it with the output of `sallyport reader`."})];export{unreachable,connectProblem,withTimeout,collector,askAgent,readerVersion,lostProblem,pairs,READER,readerNotes};
