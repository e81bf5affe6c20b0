"""Whether an address is of this machine: what is sent elsewhere needs the user's word."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

_ROUTES = Path("/proc/net/route")
_INTERFACES = Path("/sys/class/net")


def is_here(host: str) -> bool:
    """Whether all that this name stands for is of this machine: loopback, an interface's address, or a container's
    behind a bridge. A name that stands for nothing is elsewhere."""
    try:
        found = {str(row[4][0]) for row in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(is_ours(address) or _is_bridged(address) for address in found)


def is_ours(address: str) -> bool:
    """Whether it is an address of an interface here: only such a one can be bound to."""
    plain = ipaddress.ip_address(address.partition("%")[0])
    family = socket.AF_INET if plain.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return not plain.is_unspecified


def _is_bridged(address: str) -> bool:
    """Whether the way there ends at a bridge of this machine, where containers hang."""
    plain = ipaddress.ip_address(address.partition("%")[0])
    try:
        rows = [line.split() for line in _ROUTES.read_text().splitlines()[1:]]
    except OSError:
        return False
    if plain.version != 4:
        return False
    best = max(
        ((_network(row), row) for row in rows if len(row) > 7 and plain in _network(row)),
        key=lambda found: found[0].prefixlen,
        default=None,
    )
    return best is not None and best[1][2] == "00000000" and (_INTERFACES / best[1][0] / "bridge").is_dir()


def _network(row: list[str]) -> ipaddress.IPv4Network:
    base, mask = (ipaddress.IPv4Address(bytes.fromhex(text)[::-1]) for text in (row[1], row[7]))
    return ipaddress.IPv4Network((int(base), str(mask)), strict=False)
