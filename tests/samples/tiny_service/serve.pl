#!/usr/bin/perl
# A service of one file for the engines' tests, in Perl because the base image has that and nothing else that can serve.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
my $name = $ENV{CHAOSCHECK_INSTANCE} // "?";
my %folder = (
    disk   => $ENV{CHAOSCHECK_DISK} // "/tmp",
    own    => $ENV{OWN_DIR}         // "",
    shared => $ENV{SHARED_DIR}      // "",
);
my $mode = $ENV{TINY} // "";
print "$name begins\n";
if ($mode eq "crash") { print "no luck today\n"; exit 3 }
if ($mode eq "deaf")  { print "hears nothing\n"; sleep 600; exit 0 }

my $server = IO::Socket::INET->new(
    LocalAddr => $ENV{HOST} // "0.0.0.0", LocalPort => $ENV{PORT} // 8000, Listen => 64, ReuseAddr => 1,
) or die "no socket: $@\n";

while (my $client = $server->accept) {
    my $line = <$client> // "";
    while (defined(my $header = <$client>)) { last if $header =~ /^\r?\n$/ }
    my ($path) = $line =~ m{^GET (\S+)};
    my ($status, $body) = defined $path ? answer($path) : (400, "what?");
    print $client "HTTP/1.1 $status X\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}

sub answer {
    my ($path) = @_;
    if ($path eq "/healthz") { return $mode eq "ill" ? (500, "the cellar is flooded") : (200, "ok") }
    if ($path eq "/exit") { print "$name leaves\n"; exit 0 }
    if ($path eq "/eat") { my $size = 256 << 20; my $much = "x" x $size; return (200, length $much) }
    if ($path eq "/family") { return (200, join " ", child(sub { setpgrp(0, 0) }), child(\&daemonised)) }
    if ($path =~ m{^/put/(\w+)/([\w.-]+)$}) { return (200, put("$folder{$1}/kept", $2)) }
    if ($path =~ m{^/get/(\w+)$}) { return (200, get("$folder{$1}/kept")) }
    return (404, "no such thing");
}

# A process that leaves the group, and one that leaves the session too.
sub child {
    my ($leave) = @_;
    my $pid = fork // die "no fork";
    return $pid if $pid;
    close $server;
    $leave->();
    sleep 600;
    exit 0;
}

sub daemonised { require POSIX; POSIX::setsid() }

sub put {
    my ($file, $text) = @_;
    open my $out, ">>", $file or return "can't write $file: $!";
    print $out "$text\n";
    close $out;
    return "written";
}

sub get {
    my ($file) = @_;
    open my $in, "<", $file or return "";
    return join "", <$in>;
}
