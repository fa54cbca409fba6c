# Rules: in a form that can be compared, and how they are changed.

# What the kernel runs, as `= v4`, `= v6` and `= sets` with the text below each; `= failed` where a tool fails.
live() {
  echo '= v4'
  iptables-save "$@" || echo '= failed'
  echo '= v6'
  save_v6 "$@" || echo '= failed'
  echo '= sets'
  save_sets || echo '= failed'
}

# Brings rules into a form that can be compared: a line for each policy that drops, each user chain, rule, set and
# member: family, table, chain, number in the chain, text. What may differ between equal states is left out: comments,
# counters, the order of tables and chains, empty tables, and of sets what the kernel chooses or counts.
#
# Sallyport answers for its chains, the hooks that lead to them, the policies, its sets: these lines are owned, all
# others are foreign. A rule in a built-in chain is taken without its number there: others may come and go above it.
#
# Words: to=PATH writes PATH.normal, PATH.owned and PATH.foreign; as=PATH.PART fails with 1 when the lines are not those of
# this file, in whatever order; counted=PATH takes down what was dropped. Then the texts, as awk takes them; those after
# planned=yes are what the ones before it should be, and it fails with 3 when neither all nor the owned lines are. Tables
# that the steps forward in the directory of steps=PATH name, and the texts do not, go to PATH/empty.FAMILY. A text that is not complete
# fails with 4. A deploy does this six times, so it is one process, which takes the place of the shell: call it in one of
# its own.
rules() {
  read_line "$DIR/ownership"
  exec awk -v OFS='\t' -v ownership="$line" '
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
    function tell(kind, line) {
      if (kind == wanted) left[line]--
      if (to == "") return
      there[kind, line] += planned ? -1 : 1
      if (planned) return
      print line >(to "." kind)
      written[kind]++
    }
    function rule(chain, number, text, own, place) {
      place = family OFS (family == "sets" ? "" : table) OFS chain OFS
      own = ownership == "tables" || chain ~ /^SALLYPORT-/ || text ~ /-[jg] SALLYPORT-/ || (number == "000000" && text ~ / DROP$/)
      tell("normal", place number OFS text)
      if (ownership != "tables" && family != "sets" && chain !~ /^SALLYPORT-/) number = "-"
      tell(own ? "owned" : "foreign", place number OFS text)
    }
    # A table that is only named is made by the steps; to go back to nothing, it has to be there empty.
    function fill(family, line, names, count, at) {
      while ((getline line <(steps "/forward." family)) > 0) {
        if (line !~ /^\*/ || ((family, substr(line, 2)) in tables)) continue
        tables[family, substr(line, 2)] = 1
        print line >(steps "/empty." family)
        count = split(chains[substr(line, 2)], names, " ")
        for (at = 1; at <= count; at++) print ":" names[at] " ACCEPT [0:0]" >(steps "/empty." family)
        print "COMMIT" >(steps "/empty." family)
      }
    }
    { begin() }
    counted != "" && (/^= v/ || /^\*/ || /^:[A-Z]+ DROP / || / -A SALLYPORT-[A-Z]+ -j DROP$/) { print >>counted }
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
    /^\*/ { table = substr($0, 2); open[family]++; if (!planned) tables[family, table] = 1; next }
    /^:/ { if ($2 != "ACCEPT") rule(substr($1, 2), "000000", ":" substr($1, 2) " " $2); next }
    { sub(/^\[[0-9]+:[0-9]+\] /, "") }
    { rule($2, sprintf("%06d", ++number[planned, family, table, $2]), $0) }
    END {
      begin()
      # Not every awk says that a disk was full.
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
      if (steps != "") {
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

# Where neither the host nor the change has sets, nothing is asked about them.
leave_out_sets() {
  NO_SETS=''
  [ -s "$DIR/snapshot.sets" ] || [ -s "$DIR/forward.sets" ] || [ -s "$DIR/saved.sets" ] || NO_SETS=yes
}

# The owned part of what the kernel runs is that of $1 (snapshot or expected). With $2, a file, what was dropped until
# now goes there, so that a later look can tell how much since. What is left out is left out of this look alone.
stands() {
  if [ -n "${2-}" ]; then counted_when >"$2" || return 1; fi
  { leave_out_sets && live ${2:+-c}; } | rules as="$DIR/$1.owned" counted="${2-}" -
}

# Takes the steps $1 (forward or backward) in the order in which rules find the sets they name.
steps() {
  apply_sets "$DIR/$1.sets" && apply_v4 "$DIR/$1.v4" && apply_v6 "$DIR/$1.v6" && apply_sets "$DIR/$1.setsAfter"
}

# A member that is there, or gone, already is no fault: a way back may begin in the middle. What stands decides.
apply_sets() { [ ! -s "$1" ] || ipset -exist restore <"$1"; }
apply_v4() { [ ! -s "$1" ] || iptables-restore --noflush -w 5 <"$1"; }
apply_v6() { [ ! -s "$1" ] || ! can_v6 || ip6tables-restore --noflush -w 5 <"$1"; }

# Loads whole texts $1.v4, $1.v6, $1.sets; what else is in the named tables goes.
load() { load_files "$1.v4" "$1.v6" "$1.sets"; }

# All that can be loaded is, also when another one fails; fails unless all of it did.
load_files() {
  failed=no
  if [ -n "$3" ] && [ -s "$3" ]; then load_sets "$3" || failed=yes; fi
  if [ -n "$1" ] && [ -s "$1" ]; then iptables-restore -w 5 <"$1" || failed=yes; fi
  if [ -n "$2" ] && [ -s "$2" ] && can_v6; then ip6tables-restore -w 5 <"$2" || failed=yes; fi
  [ "$failed" = no ]
}

# What the next boot would load.
load_boot() {
  find_loader
  [ -s "$BOOT_V4" ] && load_files "$BOOT_V4" "$BOOT_V6" "$BOOT_SETS"
}

# Sets that are there get the members of the text and no others.
load_sets() {
  awk '{ print } $1 == "create" { print "flush " $2 }' "$1" | ipset -exist restore
}

# One line for each rule of the tables that iptables-nft keeps: family, table, chain, number, how often it looks up a
# set, how many values it loads, whether it compares with a range, and the extensions of xtables in it. Both
# take the place of the shell that calls them.
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
    listing && (/^table / || /^\tchain / || /^\t\ttype .* hook /) { print }
    /^ip6? (filter|nat|mangle|raw|security) [^@]/ { shown(); rule = $1 " " $2 " " $3; next }
    !/^  \[ / { shown(); next }
    $2 == "lookup" { lookups++ }
    $3 == "load" { loads++ }
    $2 == "range" || $3 ~ /^(gt|gte|lt|lte)$/ { ranges = 1 }
    $2 == "match" || $2 == "target" { names = names $4 "," }
    END { shown() }' "$@"
}

# iptables-save 1.8.9 shows a rule that was made with nft as another one, and calls that a success: a set of ports is
# gone from it, or an address has taken the place of a range. Of the shapes $1 of the rules that were saved, prints the
# first rule that has lost something in those that came of what was saved, on standard input. Extensions that differ are
# those of another version of iptables, which writes the same rule in another way, and prove nothing.
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
