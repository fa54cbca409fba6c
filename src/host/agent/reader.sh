# Sallyport's reader: what a firewall plan asks of this host, and nothing else. `sallyport reader` prints it.
#
# It makes an SSH key that can only read. For a user named deploy, as root:
#   1. This file is /usr/local/sbin/sallyport-read, owned by root, mode 755.
#   2. One line in /etc/sudoers.d/sallyport-read:
#        deploy ALL=(root) NOPASSWD: /usr/local/sbin/sallyport-read
#   3. One line in ~deploy/.ssh/authorized_keys, before the key itself:
#        restrict,command="sudo -n /usr/local/sbin/sallyport-read \"$SSH_CONNECTION\"" ssh-ed25519 AAAA... firewall-plan
# For root there is no line 2, and no `sudo -n` in line 3.
#
# The command that the owner of the key asks for is not looked at. Of what he sends, one word is: the mark that begins
# every line of the answer. Nothing of it is run, opened as a file, or handed to a program.

# The files that this host boots, where the policy names them (`boot: paths`); otherwise they are found.
SP_PATH_V4='' SP_PATH_V6='' SP_PATH_SETS=''

# What the host is doing now is read as well: with whom it has flows, and on which ports it listens. Without: ''.
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
SP_SSH=${1-}
case $SP_SSH in *[!0-9a-zA-Z.:%_\ -]*) SP_SSH='' ;; esac

# The mark stands in one of the first lines. The rest is taken off the wire and forgotten.
SP_MARK=''
left=20
while [ "$left" -gt 0 ] && IFS= read -r line; do
  left=$((left - 1))
  case $line in
  SP_MARK=\'sallyport-*\')
    line=${line#SP_MARK=\'}
    line=${line%\'}
    case ${line#sallyport-} in *[!0-9a-f]*) ;; *) SP_MARK=$line left=0 ;; esac
    ;;
  esac
done
cat >/dev/null
if [ -z "$SP_MARK" ]; then
  echo 'This key may only read, for sallyport plan.' >&2
  exit 1
fi

# A change that is under way is left to those who may change.
settle_overdue() { :; }

@FUNCTIONS@

say reader @DIGEST@
read_state
say 'done'
