"""Files that describe themselves, so that whoever reads one back knows whose it is, and whether all of it is there.

A file is a row of blocks. Each begins with a line that names the file's value, its length and the block's own offset,
and is filled up with text that only this value at this place has: of two versions that were mixed both are recognised,
and a piece that is missing, repeated or misplaced shows.
"""

from __future__ import annotations

import hashlib
import re

from chaoscheck.plan.steps import Step

DEFAULT_SIZE = 64_000
"""Bytes of a file, where the plan doesn't say."""

BLOCK = 512
TORN = "torn:"
FOREIGN = "foreign:"
MEDIA_TYPE = "application/octet-stream"

_MAGIC = b"[chaoscheck "
_HEAD = re.compile(rb"\[chaoscheck ([!-\\^-~]{1,200}) (\d{1,12}) (\d{1,12})\]\n")
_LINE = 40
"""Bytes of a block's first line beside the value, at most."""

_NAMED = 4
"""Values of a mixture that are told."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RAW = re.compile(r"\s*\$(?:blob|\{blob\})\s*")


def content(value: str, size: int) -> bytes:
    """The file of that value: `size` bytes, or a few more where its first line would not fit into them."""
    name = value.encode("ascii", "backslashreplace").replace(b" ", b"_").replace(b"]", b"_")
    size = max(size, len(name) + _LINE)
    filler = hashlib.sha256(name).hexdigest().encode() * (BLOCK // 64 + 1)
    blocks = []
    for offset in range(0, size, BLOCK):
        shift = offset // BLOCK % 64
        blocks.append((_head(name, size, offset) + filler[shift:])[:BLOCK])
    return b"".join(blocks)[:size]


def read_back(body: bytes, size: int) -> str:
    """What a body is: the value that it is a whole version of; "torn:LENGTH of LENGTH:HASH:VALUES" where it is one of
    ours but not whole, or empty (`size` is what was to be expected); else "foreign:LENGTH:HASH"."""
    first = _HEAD.match(body)
    if first is not None and len(body) == int(first[2]) and body == content(first[1].decode(), len(body)):
        return first[1].decode()
    digest = hashlib.sha256(body).hexdigest()[:8]
    named = dict.fromkeys(found[1].decode() for found in _HEAD.finditer(body))
    if named or not body or body.startswith(_MAGIC) or _MAGIC.startswith(body):
        meant = int(first[2]) if first is not None else size
        return f"{TORN}{len(body)} of {meant}:{digest}:{'+'.join([*named][:_NAMED])}"
    return f"{FOREIGN}{len(body)}:{digest}"


def values_in(seen: str) -> list[str]:
    """Values whose parts a torn body had, as `read_back` told them."""
    named = seen.rpartition(":")[2]
    return named.split("+") if seen.startswith(TORN) and named else []


def is_empty(seen: str) -> bool:
    """Whether `read_back` was told of a body without a byte."""
    return seen.startswith(f"{TORN}0 of ")


def file_name(value: str) -> str:
    """A file's name, as a multipart body says it."""
    return (_UNSAFE.sub("-", value).strip(".-") or "upload") + ".bin"


def carries_file(step: Step) -> bool:
    """Whether a step sends a file: as a part of a multipart body, or as the whole body."""
    return step.upload is not None or is_raw(step.body)


def is_raw(body: str | None) -> bool:
    """Whether a step's `body` stands for the file itself."""
    return body is not None and _RAW.fullmatch(body) is not None


def _head(name: bytes, size: int, offset: int) -> bytes:
    return b"%s%s %d %d]\n" % (_MAGIC, name, size, offset)
