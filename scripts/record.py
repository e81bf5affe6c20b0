"""Records runs of the catalogue's defects for tests of what is made of a run: `python -m scripts.record [name...]`.

A recording is the run's folder without its reports, packed: tests judge and report it anew.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from scripts.calibrate import CATALOGUE, ROOT, calibrated

RECORDINGS = ROOT / "tests" / "recordings"
_KEPT = ("plan.yaml", "plan.json", "events.ndjson", "history")


def main(names: list[str]) -> int:
    """1 when a defect's run ended otherwise than its plan expects: that is nothing to remember."""
    os.chdir(ROOT)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    wrong = [path.stem for path in defects() if (not names or path.stem in names) and not recorded(path)]
    print(f"not recorded: {', '.join(wrong)}" if wrong else "all recorded")
    return 1 if wrong else 0


def defects() -> list[Path]:
    """The plans of all defects."""
    return sorted((CATALOGUE / "defects").glob("*.yaml"))


def recorded(plan: Path) -> bool:
    """Whether the run of that plan was worth keeping, and is kept."""
    with tempfile.TemporaryDirectory(prefix="chaoscheck-record-") as place:
        row = calibrated(plan, 1, Path(place))
        (folder,) = (path for path in Path(place).iterdir() if path.is_dir() and not path.is_symlink())
        print(f"{plan.stem}: {'; '.join(row.wrong) if row.wrong else 'as expected'}", flush=True)
        if row.wrong:
            return False
        _forget_machine(folder / "events.ndjson")
        RECORDINGS.mkdir(exist_ok=True)
        with tarfile.open(RECORDINGS / f"{plan.stem}.tar.xz", "w:xz") as archive:
            for name in _KEPT:
                archive.add(folder / name, arcname=name, filter=_plain)
    return True


def _forget_machine(events: Path) -> None:
    """On what machine it was recorded is nobody's business."""
    first, rest = events.read_text(encoding="utf-8").split("\n", 1)
    started = json.loads(first) | {"environment": {}}
    events.write_text(json.dumps(started, separators=(",", ":")) + "\n" + rest, encoding="utf-8")


def _plain(item: tarfile.TarInfo) -> tarfile.TarInfo:
    item.uid = item.gid = item.mtime = 0
    item.uname = item.gname = ""
    return item


def unpacked(name: str, folder: Path) -> Path:
    """The recording of that defect as a run's folder below `folder`."""
    made = folder / name
    with tarfile.open(fileobj=io.BytesIO((RECORDINGS / f"{name}.tar.xz").read_bytes())) as archive:
        # Python 3.11 has that filter since 3.11.4.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        archive.extractall(made)
    return made


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
