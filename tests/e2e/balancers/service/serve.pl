# The least of services: 5 ms for each request, a process for each connection. Perl, as every Debian image has it.
use strict; use warnings; use IO::Socket::INET;
$SIG{CHLD} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalAddr => $ENV{HOST} // '0.0.0.0', LocalPort => $ENV{PORT} // 8000,
                                     Listen => 128, ReuseAddr => 1) or die "listen: $!";
while (1) {
    my $client = $listener->accept or next;
    if (fork) { close $client; next }
    $client->autoflush(1);
    while (my $line = <$client>) {
        next unless $line =~ /^\r?$/;
        select(undef, undef, undef, 0.005);
        print $client "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        last;
    }
    exit;
}
