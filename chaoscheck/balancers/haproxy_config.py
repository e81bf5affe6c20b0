"""What we ask of HAProxy, as text, and how we read its log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address
from chaoscheck.model.wire import BALANCER_HEADER, INSTANCE_HEADER, REQUEST_HEADER

NOTHING_FORWARDED = "none"

BACKEND = "be"
COOKIE = "chaoscheck-route"

# A TCP check: it costs an instance one accept, while an HTTP check would run the service's own code five times a
# second, and health paths are known to create sessions.
CHECK = "check inter 200ms fall 1 rise 1"

_GLOBAL = """\
global
    nbthread 1
    maxconn {maxconn}
    no strict-limits
    tune.bufsize 32768
    log stdout format raw local0
    stats socket ipv4@{host}:{admin} level admin
    stats timeout 30s
"""

# retry-on conn-failure: a request goes elsewhere only if no byte of it was sent, so no attempt is delivered twice.
# http-server-close: a connection to an instance carries one request. A pooled one could be closed by the instance, idle
# for too long, in the moment of its reuse: a failure that no kill made.
_DEFAULTS = """\
defaults
    mode http
    option http-server-close
    http-reuse never
    timeout connect 250ms
    timeout client 1h
    timeout http-request 30s
    timeout http-keep-alive 1h
    timeout queue 1s
    timeout server {server_s}s
    timeout tunnel 1h
    retries 2
    option redispatch 1
    retry-on conn-failure
"""

# Users keep their connections (for an hour, so that it is never HAProxy that closes one under a request), but each of
# their requests reaches the attempts below on a connection of its own. For HAProxy hangs up without an answer *and
# without a log line* if an instance dies with a request that wasn't the first of its client's connection; a first
# one becomes a 502, and a line that names the instance.
_USERS = """\
frontend users
    bind ipv4@{host}:{entry}
    default_backend hop

backend hop
    timeout server {outer_s}s
    server attempts abns@chaoscheck-{entry}
"""

# Rules of http-response run for answers of an instance only, those of http-after-response for HAProxy's own as well:
# a 503 without txn.app is HAProxy's own. It makes one when no server is up (log: SC, no server), when every
# connect was refused (SC) or timed out (sC), or when the queue was full or too slow (SQ, sQ): never with a byte sent.
# An instance that dies with a request on its hands is a 502 (SH), one that is too slow a 504 (sH); both without it.
_ATTEMPTS = """\
frontend attempts
    bind abns@chaoscheck-{entry}
    log global
    http-request capture req.hdr({request_header}) len 128
    log-format "cc %[capture.req.hdr(0)] %s %ST %ts %rc %TR/%Tw/%Tc/%Tr/%Ta"
    http-after-response del-header {balancer_header}
    http-after-response set-header {balancer_header} {nothing} if {{ status 503 }} !{{ var(txn.app) -m bool }}
    default_backend {backend}

"""

_BACKEND = """\
backend {backend}
    balance roundrobin
    http-response set-var(txn.app) bool(true)
    http-response set-header {instance_header} %s
"""

# Servers added at runtime can't be given a cookie value in HAProxy 2.6, but a dynamic one is a hash of the address, and
# no address serves twice in a run.
_STICKY = """\
    cookie {cookie} insert indirect nocache dynamic
    dynamic-cookie-key chaoscheck
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What varies from run to run: where it listens (`entry` and `admin` are ports of `host`), and who is behind it."""

    host: str
    entry: int
    admin: int
    sticky: bool
    servers: tuple[tuple[str, Address], ...]
    server_s: int = 60
    maxconn: int = 8192


def render(setup: Setup) -> str:
    """The text of haproxy.cfg."""
    names = {
        "request_header": REQUEST_HEADER,
        "instance_header": INSTANCE_HEADER,
        "balancer_header": BALANCER_HEADER,
        "nothing": NOTHING_FORWARDED,
        "backend": BACKEND,
        "cookie": COOKIE,
        "host": setup.host,
        "entry": setup.entry,
        "admin": setup.admin,
        "maxconn": setup.maxconn,
        "server_s": setup.server_s,
        "outer_s": setup.server_s + 5,
    }
    parts = [_GLOBAL, _DEFAULTS, _USERS, _ATTEMPTS, _BACKEND] + ([_STICKY] if setup.sticky else [])
    servers = [f"    server {name} {address} {CHECK}\n" for name, address in setup.servers]
    return "".join(part.format(**names) for part in parts) + "".join(servers)


_ROW = re.compile(r"cc (\S+) (\S+) (-?\d+) (\S\S) \+?(\d+) \S+")


def read_log(lines: Iterable[str]) -> Iterator[BalancerRow]:
    """The rows of requests with an id among those lines; `ending` is HAProxy's termination state ("--", "SH")."""
    for line in lines:
        found = _ROW.fullmatch(line.strip())
        if found and found[1] != "-":
            yield _row(found[1], found[2], max(0, int(found[3])), found[4], int(found[5]))


def _row(rid: str, server: str, status: int, ending: str, retries: int) -> BalancerRow:
    return BalancerRow(
        rid=rid,
        incarnation="" if _nobody_got_it(server, status, ending) else server,
        status=status,
        ending=ending,
        retries=retries,
    )


def _nobody_got_it(server: str, status: int, ending: str) -> bool:
    """HAProxy names the last server it tried. With its 503 in phase C (connect) or Q (queue) that one got nothing;
    in any other ending it may have got something, and is named."""
    return server == "<NOSRV>" or (status == 503 and ending[1] in "CQ")
