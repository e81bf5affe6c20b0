"""What a build is sent of its folder: all but what .dockerignore names and what runs left there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from docker.api.build import process_dockerfile
from docker.utils import tar

from chaoscheck.model.litter import EVENTS, IGNORE


@contextmanager
def packed(folder: Path, dockerfile: str, runs: Path | None) -> Iterator[tuple[IO[bytes], str]]:
    """(the context as a tar, its Dockerfile's name in there). Raises OSError for what can't be read.

    Runs that are written into the folder would grow the context, and make every `COPY .` of it anew.
    """
    exclude = [*_ignored(folder), *(left_by(runs, folder) if runs is not None else [])]
    found = process_dockerfile(dockerfile, str(folder))
    with tar(str(folder), exclude=exclude or None, dockerfile=found) as context:
        yield cast("IO[bytes]", context), str(found[0])


def left_by(runs: Path, folder: Path) -> list[str]:
    """Patterns for what runs left of `runs` in `folder`: all of a folder that is only theirs, else run by run."""
    where, whole = runs.resolve(), folder.resolve()
    if not where.is_relative_to(whole) or not where.is_dir():
        return []
    mark = where / ".gitignore"
    if where != whole and mark.is_file() and mark.read_text(encoding="utf-8", errors="replace") == IGNORE:
        return [where.relative_to(whole).as_posix()]
    ours = [each for each in sorted(where.iterdir()) if (each / EVENTS).is_file()]
    page = [where / "index.html"] if ours else []
    return [each.relative_to(whole).as_posix() for each in (*ours, *page)]


def _ignored(folder: Path) -> list[str]:
    path = folder / ".dockerignore"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
