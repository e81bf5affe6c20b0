"""The two streams that we write to, and what becomes of us when nobody reads them any more."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Literal, TextIO

from rich.console import Console

PLAINER = "chaoscheck-plainer"
_GLYPHS = dict(
    zip("━╌·█▁▂▃▄▅▆▇■□✓✗…–—→←×≤≥⟨⟩▸", "=:.#1234567o-+x~--><x<><>>", strict=True)  # as wide as what they stand for
)


class Reader(Console):
    """A console whose reader may go away (`| head`): the run goes on in silence, and its exit code still tells."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(sys.stderr.fileno() if self.stderr else sys.stdout.fileno())


def output(*, soft_wrap: bool = False, markup: bool = False) -> Console:
    """What a command is asked for, on standard output. Without `markup`, brackets are only brackets."""
    _legible(sys.stdout)
    return Reader(highlight=False, soft_wrap=soft_wrap, markup=markup, color_system=_colors())


def talk() -> Console:
    """What is said beside it, on standard error."""
    _legible(sys.stderr)
    return Reader(stderr=True, highlight=False, markup=False, color_system=_colors())


def _colors() -> Literal["auto"] | None:
    """Under NO_COLOR nothing is written but text, bold and dim included; only the live view moves the cursor."""
    return None if os.environ.get("NO_COLOR") else "auto"


def _legible(stream: TextIO) -> None:
    """A locale that knows no box and no arrow gets letters for them, not a crash at the end of a run."""
    if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
        stream.reconfigure(errors=PLAINER)


def plainer(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: what can't be written, in signs that every locale has."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_GLYPHS.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error(PLAINER, plainer)


def write(text: str) -> None:
    """Data on standard output, as it is."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout.fileno())


def beside(text: str) -> None:
    """The same on standard error."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BrokenPipeError:
        silence(sys.stderr.fileno())


def silence(fd: int) -> None:
    """Let what is still written there vanish, so that Python's own flush at the end doesn't fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)
