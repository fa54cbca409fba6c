# Reads rules in a form that can be compared, and loads them.

# Prints the rules in the kernel: `= v4`, `= v6` and `= sets`, each followed by its text, or by `= failed`.
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
# Lines of Sallyport's chains, of entry jumps to them, of DROP policies and of its sets are `owned`, all others `foreign`.
# Rules in built-in chains have no number there: other programs may add and remove rules above them.
#
# Arguments: to=PATH writes PATH.normal, PATH.owned and PATH.foreign; as=PATH.PART exits with 1 if the lines differ from
# this file's, in any order; counted=PATH appends the drop counters. Then the files, as awk arguments; those after
# planned=yes are the expected state, and it exits with 3 if both all lines and the owned lines differ. scripts=DIR writes
# to DIR/empty.FAMILY the tables that DIR/forward.FAMILY uses and the files lack. Exits with 4 if a file is incomplete.
# A deploy does this six times, so it is a single process, which replaces the shell: call it in a subshell.
normalize_rules() {
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
        if (line !~ /^\*/ || ((family, substr(line, 2)) in tables)) continue
        tables[family, substr(line, 2)] = 1
        print line >(scripts "/empty." family)
        count = split(chains[substr(line, 2)], names, " ")
        for (at = 1; at <= count; at++) print ":" names[at] " ACCEPT [0:0]" >(scripts "/empty." family)
        print "COMMIT" >(scripts "/empty." family)
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
  if [ -n "${2-}" ]; then count_time >"$2" || return 1; fi
  { skip_unused_sets && live_rules ${2:+-c}; } | normalize_rules as="$DIR/$1.owned" counted="${2-}" -
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
    listing && (/^table / || /^\tchain / || /^\t\ttype .* hook /) { print }
    /^ip6? (filter|nat|mangle|raw|security) [^@]/ { shown(); rule = $1 " " $2 " " $3; next }
    !/^  \[ / { shown(); next }
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
