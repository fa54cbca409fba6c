# Current activity: the host's flows and listening ports. Read-only, only on request (SP_ACTIVITY), and without output
# where the host cannot tell.
#
# A busy host has a million flows, so they are counted here by kind: 20,000 are examined, 1,000 kinds are reported.

# Converts entries of connection tracking (/proc/net/nf_conntrack or conntrack(8)) to lines
#   flow COUNT PROTOCOL SOURCE DESTINATION PORT ANSWERED-BY
count_tracked() {
  awk -v seen=20000 -v reported=1000 '
    seen < NR { exit }
    { protocol = $1 ~ /^ipv[46]$/ ? $3 : $1 }
    protocol == "tcp" ? !/ ESTABLISHED / : protocol != "udp" || /\[UNREPLIED\]/ { next }
    {
      split("", first)
      reply = ""
      for (i = 1; i <= NF; i++) {
        at = index($i, "=")
        name = substr($i, 1, at - 1)
        if (name == "src" && ("src" in first)) reply = substr($i, at + 1)
        else if (at && !(name in first)) first[name] = substr($i, at + 1)
      }
      if (first["src"] ~ /^127\./ || first["src"] == first["dst"]) next
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

# Converts the output of `ss -ntu`, listening sockets first: listening ones to lines `listen PROTOCOL ADDRESS:PORT`,
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
    awk -v protocol="${file%6}" '
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
