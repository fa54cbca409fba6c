# Rules: in a form that can be compared, and how they are changed.

# What the kernel runs, as `= v4`, `= v6` and `= sets` with the text below each; `= failed` where a tool fails.
live() {
  echo '= v4'
  iptables-save || echo '= failed'
  echo '= v6'
  save_v6 || echo '= failed'
  echo '= sets'
  save_sets || echo '= failed'
}

# One line for each policy that drops, each user chain, rule, set and member: family, table, chain, number in the
# chain, text. What may differ between equal states is left out: comments, counters, the order of tables and chains,
# empty tables, and of sets what the kernel chooses or counts. Reads standard input, or what awk is told in arguments.
normal() {
  awk '
    /^= / { family = $2; if (family == "failed") print "failed"; next }
    /^#/ || /^COMMIT/ || /^$/ { next }
    family == "sets" && $1 == "create" {
      gsub(/ (hashsize|bucketsize) [0-9]+| initval 0x[0-9a-f]+/, "")
      print "sets\t\t" $2 "\t0\t" $0
      next
    }
    family == "sets" {
      gsub(/ (timeout|packets|bytes) [0-9]+/, "")
      print "sets\t\t" $2 "\t1\t" $0
      next
    }
    /^\*/ { table = substr($0, 2); next }
    /^:/ {
      if ($2 != "ACCEPT") print family "\t" table "\t" substr($1, 2) "\t000000\t:" substr($1, 2) " " $2
      next
    }
    { sub(/^\[[0-9]+:[0-9]+\] /, "") }
    { printf "%s\t%s\t%s\t%06d\t%s\n", family, table, $2, ++number[family, table, $2], $0 }
  ' "$@" | sort
}

# The same out of three files $1.v4, $1.v6, $1.sets.
normal_of() { normal family=v4 "$1.v4" family=v6 "$1.v6" family=sets "$1.sets"; }

# Of normal lines, those that Sallyport answers for: its chains, the hooks that lead to them, the policies, its sets.
# A rule in a built-in chain is taken without its number: others may come and go above it. With $1, a path, they go to
# $1.owned and all others to $1.foreign.
part() {
  read_line "$DIR/ownership"
  awk -F '\t' -v OFS='\t' -v path="${1:-}" -v ownership="$line" '
    {
      own = ownership == "tables" || $3 ~ /^SALLYPORT-/ || $0 ~ /-[jg] SALLYPORT-/ || ($4 == "000000" && $5 ~ / DROP$/)
      if (ownership != "tables" && $1 != "sets" && $3 !~ /^SALLYPORT-/) $4 = "-"
    }
    path != "" { print > (path (own ? ".owned" : ".foreign")); next }
    own'
}

halves() { : >"$1.owned" && : >"$1.foreign" && part "$1" <"$1.normal"; }

owned_now() { live | normal | part; }

# The owned part of what the kernel runs is that of $1 (snapshot or expected).
stands() { owned_now | cmp -s - "$DIR/$1.owned"; }

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
# set, how many values it loads, whether it compares with a range, and the extensions of xtables in it.
rule_shapes() {
  if ! has nft; then return 0; fi
  nft --debug=netlink list ruleset 2>/dev/null | awk '
    function shown() {
      if (rule != "") print rule, ++number[rule], lookups + 0, loads + 0, ranges + 0, names "."
      rule = names = ""
      lookups = loads = ranges = 0
    }
    /^ip6? (filter|nat|mangle|raw|security) [^@]/ { shown(); rule = $1 " " $2 " " $3; next }
    !/^  \[ / { shown(); next }
    $2 == "lookup" { lookups++ }
    $3 == "load" { loads++ }
    $2 == "range" || $3 ~ /^(gt|gte|lt|lte)$/ { ranges = 1 }
    $2 == "match" || $2 == "target" { names = names $4 "," }
    END { shown() }'
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

# Rules that look up a set, which no version of iptables-nft does in these tables: as it seems, made with nft.
rules_of_nft() { rule_shapes | awk '$5 > 0 { print $1, $2, $3, $4 }'; }
