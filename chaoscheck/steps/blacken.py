"""Overwrites secrets in a file where they stand, whatever else its bytes are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from chaoscheck.steps.mask import expression

CHUNK = 1 << 20
_INK = b"*"


def blacken(path: Path, secrets: Iterable[str], *, chunk: int = CHUNK) -> int:
    """Overwrite each of them by as many asterisks, and return how many there were; raises OSError.

    The file keeps its size, and all else in it its place, so that it may be written to meanwhile: what is appended
    after the call began is not looked at. No more than `chunk` bytes, and the longest secret, are held at a time.
    """
    texts = [secret for secret in secrets if secret]
    if not texts:
        return 0
    pattern = re.compile(_bytes(expression(texts)))
    words = [_bytes(text) for text in texts]
    file = os.open(path, os.O_RDWR)
    try:
        return _blackened(file, os.fstat(file).st_size, pattern, words, chunk)
    finally:
        os.close(file)


def _bytes(text: str) -> bytes:
    """As the environment had it: a setting need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def _blackened(file: int, size: int, pattern: re.Pattern[bytes], words: list[bytes], chunk: int) -> int:
    # One more: whether a short one stands by itself is seen by what follows it.
    longest = max(map(len, words)) + 1
    count = 0
    held, at, done = b"", 0, 0  # `held` is what the file had from `at` on; `done` bytes of it are dealt with.
    while at + len(held) < size:
        read = os.pread(file, min(chunk, size - at - len(held)), at + len(held))
        held += read
        last = not read or at + len(held) >= size
        # One that begins later might go on in the next chunk.
        until = len(held) if last else len(held) - longest
        # Most have none, which is seen much faster so.
        some = pattern.finditer(held, done) if any(word in held for word in words) else ()
        found = [span for one in some if (span := one.span())[0] <= until]
        _overwrite(file, at, held, found)
        count += len(found)
        if last:
            break
        done = max(found[-1][1] if found else 0, done, until + 1)
        # The byte before is kept: it tells whether a short one stands by itself.
        drop = max(done - 1, 0)
        held, at, done = held[drop:], at + drop, done - drop
    return count


def _overwrite(file: int, at: int, held: bytes, spans: list[tuple[int, int]]) -> None:
    if not spans:
        return
    begin, end = spans[0][0], spans[-1][1]
    changed = bytearray(held[begin:end])
    for start, stop in spans:
        changed[start - begin : stop - begin] = _INK * (stop - start)
    written = 0
    while written < len(changed):
        written += os.pwrite(file, changed[written:], at + begin + written)
