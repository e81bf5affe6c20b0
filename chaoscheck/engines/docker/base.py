"""What other engines that talk to the same container engine share with this one."""

from __future__ import annotations

from chaoscheck.engines.docker.api import connect, inspect_raw, silence, talking
from chaoscheck.engines.docker.checkup import examined
from chaoscheck.engines.docker.containers import execute_in, log_of
from chaoscheck.engines.docker.kill import Signalled, receipt, send_kill, state_of
from chaoscheck.engines.docker.listening import listens
from chaoscheck.engines.docker.reach import Reach, elsewhere, find
from chaoscheck.engines.docker.times import EngineClock

__all__ = [
    "EngineClock",
    "Reach",
    "Signalled",
    "connect",
    "elsewhere",
    "examined",
    "execute_in",
    "find",
    "inspect_raw",
    "listens",
    "log_of",
    "receipt",
    "send_kill",
    "silence",
    "state_of",
    "talking",
]
