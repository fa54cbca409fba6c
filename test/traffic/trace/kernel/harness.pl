# Sends packets through the firewall of this network namespace and reports which ones are accepted. Needs perl-base alone.
#
# Commands on standard input, one a line; answers on standard output:
#   devices NAME...             makes a TUN device for each name and routes for all hooks; answers "ready"
#   run COMMAND                 runs a shell command; answers "ok", or "failed" and its output on one line
#   packets COUNT               COUNT lines "HOOK DEVICE HEX" follow; answers one line with a 1 or 0 for each packet
#
# A packet that arrives on a device is written to its TUN. Its type of service selects its route: 0 is local
# (INPUT), 4 * n goes out through the n-th device (FORWARD). OUTPUT packets leave through a raw socket bound to the
# device. Each packet ends in eight bytes that identify it.
use strict;
use warnings;
use Socket qw(AF_INET AF_INET6 SOCK_RAW SOL_SOCKET pack_sockaddr_in pack_sockaddr_in6);

use constant { TUNSETIFF => 0x400454ca, IFF_TUN_NO_PI => 0x1001, MSG_DONTWAIT => 0x40, O_RDWR_NONBLOCK => 0x802 };
use constant { SO_RCVBUFFORCE => 33, SO_BINDTODEVICE => 25, IP_HDRINCL => 3, IPV6_HDRINCL => 36 };
my $MAGIC = "\xa5SPy";
my @PROTOCOLS4 = (1, 6, 17, 47, 253);
my @PROTOCOLS6 = (58, 6, 17, 47, 253);
my (@tuns, @out4, @out6, @listeners);

$| = 1;
while (my $line = <STDIN>) {
  chomp $line;
  my ($command, $rest) = split / /, $line, 2;
  if ($command eq 'devices') { devices(split / /, $rest); print "ready\n" }
  elsif ($command eq 'run') { run($rest) }
  elsif ($command eq 'packets') { packets($rest) }
  else { die "unknown command $command\n" }
}

sub run {
  my ($shell) = @_;
  my $output = `($shell) 2>&1`;
  $output =~ s/\n/ | /g;
  print $? == 0 ? "ok\n" : "failed $output\n";
}

sub must { my ($command) = @_; system($command) == 0 or die "failed: $command\n" }

sub sysctl { my ($path, $value) = @_; open(my $file, '>', "/proc/sys/net/$path") or return; print $file $value; close $file }

sub devices {
  my @names = @_;
  for my $where ('all', 'default') { quiet($where) }
  sysctl('ipv4/ip_forward', 1);
  sysctl('ipv6/conf/all/forwarding', 1);
  sysctl('ipv4/icmp_echo_ignore_all', 1);
  sysctl('ipv4/icmp_ratelimit', 0);
  must('ip link set lo up');
  # Routing drops what this machine itself sends, so that no reply counts as an accepted packet.
  for my $ip ('ip', 'ip -6') {
    must("$ip rule add pref 10 iif lo unreachable");
    must("$ip rule add pref 90 lookup 100");
    must("$ip route add local default dev lo table 100");
  }
  my $number = 0;
  for my $name (@names) {
    $number++;
    sysopen(my $tun, '/dev/net/tun', O_RDWR_NONBLOCK) or die "/dev/net/tun: $!\n";
    ioctl($tun, TUNSETIFF, pack('a16sx22', $name, IFF_TUN_NO_PI)) or die "TUNSETIFF: $!\n";
    quiet($name =~ tr{.}{/}r);
    must("ip link set $name txqueuelen 4000 up");
    must("ip address add 192.0.2.$number/32 dev $name");
    must("ip -6 address add 2001:db8:f::$number/128 dev $name nodad");
    for my $ip ('ip', 'ip -6') {
      must("$ip rule add pref 5 oif $name lookup " . (200 + $number));
      must("$ip rule add pref 20 tos " . sprintf('0x%02x', 4 * $number) . " lookup " . (200 + $number));
      must("$ip route add default dev $name table " . (200 + $number));
    }
    push @tuns, $tun;
    push @out4, sender(AF_INET, $name);
    push @out6, sender(AF_INET6, $name);
  }
  push @listeners, map { listener(AF_INET, $_) } @PROTOCOLS4;
  push @listeners, map { listener(AF_INET6, $_) } @PROTOCOLS6;
}

sub quiet {
  my ($name) = @_;
  sysctl("ipv4/conf/$name/rp_filter", 0);
  sysctl("ipv4/conf/$name/accept_local", 1);
  sysctl("ipv4/conf/$name/route_localnet", 1);
  sysctl("ipv4/conf/$name/send_redirects", 0);
  sysctl("ipv6/conf/$name/accept_ra", 0);
  sysctl("ipv6/conf/$name/addr_gen_mode", 1);
  sysctl("ipv6/conf/$name/accept_dad", 0);
}

sub sender {
  my ($domain, $name) = @_;
  socket(my $socket, $domain, SOCK_RAW, 255) or die "raw socket: $!\n";
  setsockopt($socket, SOL_SOCKET, SO_BINDTODEVICE, "$name\0") or die "SO_BINDTODEVICE: $!\n";
  setsockopt($socket, 0, IP_HDRINCL, 1) if $domain == AF_INET;
  setsockopt($socket, 41, IPV6_HDRINCL, 1) if $domain == AF_INET6;
  return $socket;
}

sub listener {
  my ($domain, $protocol) = @_;
  socket(my $socket, $domain, SOCK_RAW, $protocol) or die "raw socket: $!\n";
  setsockopt($socket, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24);
  return $socket;
}

sub packets {
  my ($count) = @_;
  my @seen = (0) x $count;
  my @kind = ('') x $count;
  for my $index (0 .. $count - 1) {
    my $line = <STDIN>;
    chomp $line;
    my ($hook, $device, $hex) = split / /, $line;
    my $bytes = pack('H*', $hex);
    $kind[$index] = $hook;
    if ($hook eq 'OUTPUT') {
      # A refusal by the firewall is an error of the call, and a valid result.
      if ((ord($bytes) >> 4) == 4) { send($out4[$device], $bytes, 0, pack_sockaddr_in(0, unpack("x16a4", $bytes))) }
      else { send($out6[$device], $bytes, 0, pack_sockaddr_in6(0, unpack("x24a16", $bytes))) }
    } else { syswrite($tuns[$device], $bytes) }
    drain(\@seen, \@kind) if $index % 64 == 63;
  }
  drain(\@seen, \@kind);
  print join('', @seen), "\n";
}

sub drain {
  my ($seen, $kind) = @_;
  for my $socket (@listeners) {
    while (defined recv($socket, my $bytes, 65535, MSG_DONTWAIT)) { mark($seen, $kind, $bytes, 'INPUT') }
  }
  for my $tun (@tuns) {
    while (sysread($tun, my $bytes, 65535)) { mark($seen, $kind, $bytes, '') }
  }
}

# Local packets are counted where they are delivered, all others where they leave.
sub mark {
  my ($seen, $kind, $bytes, $where) = @_;
  return if length($bytes) < 8 or substr($bytes, -8, 4) ne $MAGIC;
  my $index = unpack('N', substr($bytes, -4));
  return if $index >= @$seen;
  $seen->[$index] = 1 if ($kind->[$index] eq 'INPUT') == ($where eq 'INPUT');
}
