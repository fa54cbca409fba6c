# Sallyport's half on the host: POSIX sh, run by root, sent over standard input. It decides; the runner only asks.
#
# These files are one script: base, host, activity, rules, state, saved, nets, ends, begin, main. The runner sets SP_MARK,
# a random word that begins every line of the answer, and the SP_ variables that a verb wants; main.sh names them all.
# Nothing acts before the last line, so a text that was cut on its way does nothing at all.
#
# State is in $STATE, for root alone. A transaction is the directory `pending`; which of the files state.pending,
# state.confirmed and state.rolling-back is in it says how far it is, and moving it is one rename(2): of two who try,
# one succeeds. Everything that changes rules or files holds the lock.

STATE=/var/lib/sallyport
PENDING=$STATE/pending
# A transaction that has ended, for the moment in which its nets are taken away.
GONE=$STATE/gone
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

has() { command -v "$1" >/dev/null 2>&1; }

# The first line of a file in $line, without starting a process; nothing where there is none.
read_line() {
  line=
  if [ -r "$1" ]; then IFS= read -r line <"$1" || :; fi
}

# The same as a word. It costs a process: what every change does reads $line instead.
first_line() {
  read_line "$1"
  printf '%s' "$line"
}

# The lines of a small file, without starting a process; nothing where there is none.
show() {
  if [ ! -r "$1" ]; then return 0; fi
  while IFS= read -r line; do printf '%s\n' "$line"; done <"$1"
}

put() { printf '%s' "$2" >"$1"; }
fact() { printf '%s %s\n' "$1" "$2"; }

# Prints one section: the command's output between two marked lines, its exit status in the second one; what it says
# on stderr follows the same mark there.
section() {
  section_name=$1
  shift
  printf '%s > %s\n' "$SP_MARK" "$section_name"
  printf '%s > %s\n' "$SP_MARK" "$section_name" >&2
  "$@"
  printf '\n%s < %s\n' "$SP_MARK" $?
}

say() { printf '%s %s\n' "$SP_MARK" "$*"; }

answer() {
  say "$@"
  say 'done'
  exit 0
}

refuse() { answer refuse "$@"; }

# To disk, by name where the system's sync can do that.
sync_files() { sync "$@" 2>/dev/null || sync; }

# Whole hundredths of a second since boot, in $uptime: no clock step moves them.
read_uptime() {
  read -r uptime rest </proc/uptime
  uptime=${uptime%.*}${uptime#*.}
}

read_boot() { read_line /proc/sys/kernel/random/boot_id; }
