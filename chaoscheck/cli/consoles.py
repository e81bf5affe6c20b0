"""The two streams that we write to, and what becomes of us when nobody reads them any more."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class Reader(Console):
    """A console whose reader may go away (`| head`): the run goes on in silence, and its exit code still tells."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(sys.stderr.fileno() if self.stderr else sys.stdout.fileno())


def output(*, soft_wrap: bool = False, markup: bool = False) -> Console:
    """What a command is asked for, on standard output. Without `markup`, brackets are only brackets."""
    return Reader(highlight=False, soft_wrap=soft_wrap, markup=markup, no_color=_no_color())


def talk() -> Console:
    """What is said beside it, on standard error."""
    return Reader(stderr=True, highlight=False, markup=False, no_color=_no_color())


def _no_color() -> bool | None:
    return True if "NO_COLOR" in os.environ else None


def write(text: str) -> None:
    """Data on standard output, as it is."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout.fileno())


def silence(fd: int) -> None:
    """Let what is still written there vanish, so that Python's own flush at the end doesn't fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)
