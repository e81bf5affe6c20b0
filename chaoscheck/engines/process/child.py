"""One process that we started, the leader of its own session, watched by a thread that learns of its end at once."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaoscheck.engines.base import State
from chaoscheck.engines.process.members import process
from chaoscheck.errors import EnvironmentTrouble
from chaoscheck.model.clock import Clock

# The watching thread may have to wait one turn of the interpreter's lock before it can read the clock.
WAKE_NS = 5_000_000


class Child:
    """Until `reap`, its zombie keeps its id from being given to another process, so signals can't go astray."""

    def __init__(
        self, name: str, words: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, clock: Clock
    ) -> None:
        self.name = name
        self.log = log
        self._clock = clock
        self._state = State(running=True)
        self.reaped = False
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log.open("ab") as out:
                self._popen = subprocess.Popen(
                    words,
                    env=dict(env),
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise EnvironmentTrouble(f"{name} can't be started: {error}", hint="see target.command") from None
        self.pid = self._popen.pid
        found = process(self.pid)
        self.started = found.started if found else ""
        self._watcher = threading.Thread(target=self._watch, name=f"watch {name}", daemon=True)
        self._watcher.start()

    def state(self) -> State:
        """How it is; its end has the run's time at which the watching thread woke."""
        return self._state

    def wait(self, limit_s: float) -> State:
        """Its state once it ended, or as it is at the limit."""
        self._watcher.join(limit_s)
        return self._state

    def signal_group(self) -> str:
        """SIGKILL to its whole process group; what stood in the way, or ""."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError) as error:
            return str(error)
        return ""

    def reap(self, limit_s: float) -> None:
        """Let go of its id. EnvironmentTrouble if it lives on."""
        try:
            self._watcher.join(limit_s)
            self._popen.wait(limit_s)
            self.reaped = True
        except subprocess.TimeoutExpired:
            raise EnvironmentTrouble(f"{self.name} (process {self.pid}) lives on {limit_s:g} s after SIGKILL") from None

    def tail(self, lines: int) -> str:
        """The last lines it printed."""
        return tail(self.log, lines)

    def _watch(self) -> None:
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        ended_ns = self._clock.now_ns()
        if found is None:
            return
        code = found.si_status if found.si_code == os.CLD_EXITED else 128 + found.si_status
        self._state = State(running=False, exit_code=code, ended_ns=ended_ns, error_ns=WAKE_NS)


def tail(path: Path, lines: int) -> str:
    """The last lines of a file, of its last 64 kB; "" when there is none."""
    try:
        with path.open("rb") as source:
            source.seek(max(0, path.stat().st_size - 65_536))
            text = source.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
