"""Traffic in processes of their own: locust and gevent live there, the controller only writes and reads lines."""

from __future__ import annotations

import contextlib
import io
import queue
import select
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

from chaoscheck.errors import ProbeTrouble, TrafficTrouble
from chaoscheck.traffic.base import Assignment, Hello, Message, Over, Stop, read_message

HELLO_S = 30.0
STOP_S = 10.0
TELL_S = 2.0
TAIL_LINES = 8


class _Worker:
    """One worker process, its reader thread, and what is known of its end."""

    def __init__(self, name: str, logs: Path) -> None:
        self.name = name
        self.log = logs / f"{self.name}.log"
        self.heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.trouble = ""
        self.over = False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chaoscheck.traffic.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, name=f"worker {self.name}", daemon=True)
        self._reader.start()

    def tell(self, message: Message) -> None:
        """Write a line; a worker that doesn't read within the limit, or is gone, is in trouble, not the caller."""
        stdin = _pipe(self.process.stdin)
        data = message.line().encode()
        try:
            while data:
                if not select.select([], [stdin], [], TELL_S)[1]:
                    self.trouble = self.trouble or f"it read nothing for {TELL_S:.0f} s"
                    return
                # A pipe that select calls writable takes PIPE_BUF bytes without blocking.
                data = data[stdin.write(data[: select.PIPE_BUF]) :]
        except (OSError, ValueError):
            self.trouble = self.trouble or ""

    def ended(self) -> str:
        """What is known of an end that nobody asked for; "" while it lives."""
        code = self.process.poll()
        if code is None:
            return self.trouble
        reason = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return "; ".join([part for part in (reason, self.trouble, self.last_lines()) if part])

    def last_lines(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-TAIL_LINES:])

    def end(self) -> None:
        """Whatever it does: it is gone when this returns."""
        with contextlib.suppress(OSError):
            _pipe(self.process.stdin).close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5.0)
        self._reader.join(2.0)
        with contextlib.suppress(OSError):
            _pipe(self.process.stdout).close()

    def _read(self) -> None:
        for line in io.BufferedReader(_pipe(self.process.stdout)):  # type: ignore[type-var]
            try:
                message = read_message(line.decode())
            except (ValueError, KeyError, TypeError) as error:
                self.trouble = f"it said what no worker says: {line[:80]!r} ({error})"
                continue
            self.over = self.over or isinstance(message, Over)
            self.heard.put(message)


class ProcessTraffic:
    """A worker process for each assignment. Logs go to `logs/` in the run's folder; a closed stdin ends a worker."""

    def __init__(self, folder: Path, *, hello_s: float = HELLO_S, stop_s: float = STOP_S) -> None:
        self._logs = folder / "logs"
        self._hello_s = hello_s
        self._stop_s = stop_s
        # A thread begins them, for a signal interrupts the main one anywhere: a process just begun would be nobody's.
        self._starter = ThreadPoolExecutor(1, "worker starter")
        self._beginning: dict[str, Future[None]] = {}
        self._begun: dict[str, _Worker] = {}
        self._workers: list[_Worker] = []
        self._early: list[Message] = []

    def warm(self, workers: list[str]) -> None:
        """Importing locust takes a second or two; after that a worker waits for its assignment."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for name in workers:
            self._beginning[name] = self._starter.submit(self._begin, name)

    def _begin(self, name: str) -> None:
        self._begun[name] = _Worker(name, self._logs)

    def start(self, assignments: list[Assignment]) -> None:
        self.warm([assignment.worker for assignment in assignments if assignment.worker not in self._beginning])
        for assignment in assignments:
            self._beginning[assignment.worker].result()
        self._workers = [self._begun[assignment.worker] for assignment in assignments]
        for worker, assignment in zip(self._workers, assignments, strict=True):
            worker.tell(assignment)
        give_up_s = time.monotonic() + self._hello_s
        try:
            for worker in self._workers:
                self._await_hello(worker, give_up_s)
        except BaseException:
            self._end_all()
            raise

    def _await_hello(self, worker: _Worker, give_up_s: float) -> None:
        while True:
            try:
                message = worker.heard.get(timeout=0.05)
            except queue.Empty:
                self._check(worker, give_up_s)
                continue
            self._early.append(message)
            if isinstance(message, Hello):
                _check_deliveries(message)
                return

    def _check(self, worker: _Worker, give_up_s: float) -> None:
        ended = worker.ended()
        if ended:
            raise TrafficTrouble(
                f"traffic worker {worker.name} did not start",
                details=ended,
                hint="its log is in the run's folder, under logs/",
            )
        if time.monotonic() > give_up_s:
            raise TrafficTrouble(
                f"traffic worker {worker.name} said nothing within {self._hello_s:.0f} s",
                details=worker.last_lines(),
                hint="its log is in the run's folder, under logs/",
            )

    def tell(self, message: Message) -> None:
        for worker in self._workers:
            worker.tell(message)

    def heard(self) -> list[Message]:
        said, self._early = self._early, []
        for worker in self._workers:
            with contextlib.suppress(queue.Empty):
                while True:
                    said.append(worker.heard.get_nowait())
        return said

    def lost(self) -> dict[str, str]:
        return {worker.name: detail for worker in self._workers if not worker.over and (detail := worker.ended())}

    def stop(self) -> None:
        self.tell(Stop())
        give_up_s = time.monotonic() + self._stop_s
        while time.monotonic() < give_up_s:
            if all(worker.over or worker.process.poll() is not None for worker in self._workers):
                break
            time.sleep(0.02)
        self._end_all()

    def _end_all(self) -> None:
        try:
            self._starter.shutdown()
        finally:
            for worker in self._begun.values():
                worker.end()


def _check_deliveries(hello: Hello) -> None:
    if hello.deliveries != 1:
        raise ProbeTrouble(
            f"traffic worker {hello.worker}: one attempt whose connection died was delivered {hello.deliveries} times",
            hint="the HTTP client of the load resends silently; install the version that chaoscheck pins",
        )


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
