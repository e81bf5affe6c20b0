"""multipart/form-data, as browsers encode it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class FilePart(NamedTuple):
    """A file of a form: the field's name, the file's own, its type and its bytes."""

    field: str
    name: str
    media_type: str
    content: bytes


def multipart(pairs: Iterable[tuple[str, str]], boundary: str, files: Iterable[FilePart] = ()) -> bytes:
    """The body, its fields before its files. The boundary must not occur in what it holds."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_safe(name)}"\r\n\r\n{text}\r\n'.encode(
            "utf-8", "replace"
        )
        for name, text in pairs
    ]
    for file in files:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_safe(file.field)}"; '
            f'filename="{_safe(file.name)}"\r\nContent-Type: {file.media_type}\r\n\r\n'
        )
        parts += [head.encode("utf-8", "replace"), file.content, b"\r\n"]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def content_type(boundary: str) -> str:
    """The header's value that goes with it."""
    return f"multipart/form-data; boundary={boundary}"


def _safe(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
