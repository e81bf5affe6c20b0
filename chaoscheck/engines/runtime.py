"""The folder of this user where runs on this machine find each other: port locks and records of what was started."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from chaoscheck.errors import EngineUnavailable


def runtime_folder(*parts: str) -> Path:
    """`$XDG_RUNTIME_DIR/chaoscheck` or `chaoscheck-<uid>` in the temporary folder, with `parts` below it, made.

    EngineUnavailable when the folder belongs to someone else: what stands in it decides what gets killed.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    root = Path(base) / "chaoscheck" if base else Path(tempfile.gettempdir()) / f"chaoscheck-{os.getuid()}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = root.lstat()
    except OSError as error:
        raise EngineUnavailable(f"the folder {root} can't be made: {error.strerror}", hint=_HINT) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise EngineUnavailable(f"the folder {root} is not this user's alone", hint=_HINT)
    folder = root.joinpath(*parts)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


_HINT = "set XDG_RUNTIME_DIR to a folder of your own, or remove that one"
