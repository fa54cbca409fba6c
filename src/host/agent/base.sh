# The agent, Sallyport's part on the host: POSIX sh, run by root, sent over standard input. It decides; the runner asks.
#
# These files are one script: base, host, activity, rules, state, saved, watchdogs, rollback, finish, begin, main. The
# runner sets SP_MARK, a random word that starts every line of the answer, and the SP_ variables of the verb; main.sh
# lists them all. Only the last line starts anything, so a truncated script does nothing.
#
# State is in $STATE, readable by root only. A transaction is the directory `pending`. It contains one of state.pending,
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
  while IFS= read -r line; do printf '%s\n' "$line"; done <"$1"
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
fact() { printf '%s %s\n' "$1" "$2"; }

# Prints one section: the output of a command between two marked lines, the second with its exit status. Its stderr
# follows the same mark on stderr.
section() {
  section_name=$1
  shift
  printf '%s > %s\n' "$SP_MARK" "$section_name"
  printf '%s > %s\n' "$SP_MARK" "$section_name" >&2
  "$@"
  printf '\n%s < %s\n' "$SP_MARK" $?
}

emit() { printf '%s %s\n' "$SP_MARK" "$*"; }

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
  uptime=${uptime%.*}${uptime#*.}
}

read_boot() { read_line /proc/sys/kernel/random/boot_id; }
