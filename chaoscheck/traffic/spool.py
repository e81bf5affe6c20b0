"""A worker's history file: what is about to be sent is on disk before it is sent, for one system call a request."""

from __future__ import annotations

import os
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Protocol

from chaoscheck.model.history import SessionBorn, SessionEnded, born_line, ended_line, header
from chaoscheck.model.ops import Op
from chaoscheck.steps.calls import Journal


class Book(Journal, Protocol):
    """A journal that knows of sessions too."""

    operations: int
    """Attempts written so far."""

    def born(self, born: SessionBorn) -> None: ...

    def ended(self, ended: SessionEnded) -> None: ...

    def flush(self) -> None:
        """Everything so far is on disk when this returns."""
        ...

    def close(self) -> None: ...


class Spool:
    """Writes history/<worker>.ndjson. Ends of attempts wait for the next invoke or flush, so one write carries both.

    Raises OSError when the disk is full: a worker that can't record must not send.
    """

    def __init__(self, folder: Path, run: str, worker: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(folder / f"{worker}.ndjson", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.operations = 0
        self._waiting: list[str] = [header(run, worker)]
        self.flush()

    def invoke(self, op: Op) -> None:
        self.operations += 1
        waiting = self._waiting
        if waiting:
            waiting.append(invoke_line(op))
            self.flush()
        else:
            self._write(invoke_line(op).encode())

    def done(self, op: Op) -> None:
        self._waiting.append(done_line(op))

    def born(self, born: SessionBorn) -> None:
        self._waiting.append(born_line(born))

    def ended(self, ended: SessionEnded) -> None:
        self._waiting.append(ended_line(ended))

    def flush(self) -> None:
        if self._waiting:
            data = "".join(self._waiting).encode()
            self._waiting.clear()
            self._write(data)

    def close(self) -> None:
        if self._fd >= 0:
            self.flush()
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        sent = os.write(self._fd, data)
        while sent < len(data):
            data = data[sent:]
            sent = os.write(self._fd, data)


def invoke_line(op: Op) -> str:
    """The same as model.history's, formatted by hand: it is on the path of every request."""
    (
        rid,
        session,
        promise,
        action,
        obj,
        seq,
        attempt,
        value,
        lane,
        via,
        judged,
        intended_ns,
        sent_ns,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
    ) = op
    return (
        f'["i",{quoted(rid)},{quoted(session)},{quoted(promise)},{quoted(action)},{quoted(obj)},{seq},{attempt},'
        f"{quoted(value)},{quoted(lane)},{quoted(via)},{'true' if judged else 'false'},{intended_ns},{sent_ns}]\n"
    )


def done_line(op: Op) -> str:
    """The same as model.history's, formatted by hand."""
    return (
        f'["d",{quoted(op[0])},{op[13]},{quoted(op[14])},{op[15]},{quoted(op[16])},{quoted(op[17])},'
        f"{quoted(op[18])},{quoted(op[19])}]\n"
    )
