"""Makes reports/example: a real run of a shop that keeps sessions in memory, small enough to be committed."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from chaoscheck.model.verdict import Cause, Result, Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, conclude, run
from chaoscheck.store import RunFolder

ROOT = Path(__file__).resolve().parent.parent
PLAN = Path("targets/catalogue/defects/sessions-in-memory-sticky.yaml")
"""Its logins alone: a kill breaks them, and they show all that a report has in little space."""
CAUSE = Cause.LOST_WITH_INSTANCE
LESS = ("traffic: {users: 24, rate: 100}", "traffic: {users: 9, rate: 24}")
EXAMPLE = ROOT / "reports" / "example"
MOST_BYTES = 450_000
TRIES = 3
README = """\
# An example run

A real run of the [shop](../../targets/shop/README.md), which keeps logins in the memory of each instance; with
little traffic, so that it stays small. `report.html` is what a reviewer opens;
`chaoscheck check reports/example` judges the history again, to the same bytes.
`make example` makes it anew. What tells of the machine it ran on was taken out.
"""


def main() -> int:
    """0 when the example is there and fit to be committed."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Chance decides who had logged in on the victim: with so little traffic it may be hardly anybody.
    if not any(_made() for _ in range(TRIES)):
        return 1
    (EXAMPLE / "README.md").write_text(README, encoding="utf-8")
    told = [*leaks(EXAMPLE), *_too_large(EXAMPLE)]
    for line in told:
        print(f"example: {line}", file=sys.stderr)
    return 1 if told else 0


def _made() -> bool:
    """Whether a run ended in the wanted finding, and is the example now."""
    with tempfile.TemporaryDirectory() as made:
        folder = _run(Path(made))
        _clean(folder, Path(made))
        result = conclude(RunFolder(folder))
        print(f"{result.verdict}: {result.reason}")
        if result.verdict is not Verdict.FAIL or result.findings[0].cause is not CAUSE:
            print("example: another end than was wanted", file=sys.stderr)
            return False
        shutil.rmtree(EXAMPLE, ignore_errors=True)
        shutil.copytree(folder, EXAMPLE)
        return True


def _run(place: Path) -> Path:
    """The run, ended at its finding, of a copy of the shop: nothing of this checkout's path gets into it."""
    shutil.copytree(ROOT / "targets" / "shop", place / "targets" / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    plan = place / PLAN
    plan.parent.mkdir(parents=True)
    text = (ROOT / PLAN).read_text(encoding="utf-8")
    if LESS[0] not in text:
        raise SystemExit(f"example: {PLAN} no longer says {LESS[0]}")
    plan.write_text(re.sub(r"  reviews:\n(    .*\n)+", "", text).replace(*LESS), encoding="utf-8")
    options = Options(reports=place / "reports", command="make example", say=print, enough=_killed)
    return run(load_plan(plan, environment={}), options)[1].path


def _killed(result: Result) -> bool:
    """Whether a kill is blamed: that is what an example is to show."""
    return any(finding.strike >= 0 for finding in result.findings)


def _clean(folder: Path, place: Path) -> None:
    """Take out what tells of this machine; the run says the same without it."""
    shutil.rmtree(folder / "logs")
    (folder / "logs").mkdir()
    (folder / "logs" / ".gitkeep").touch()
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(str(place), "."), encoding="utf-8")
    events = folder / "events.ndjson"
    first, _, rest = events.read_text(encoding="utf-8").partition("\n")
    started = json.loads(first)
    started["environment"] |= {"system": platform.system()}
    events.write_text(json.dumps(started, separators=(",", ":")) + "\n" + rest, encoding="utf-8")


def leaks(folder: Path, names: Iterable[str] = (platform.node(), platform.release())) -> list[str]:
    """Where a file names a path of a machine, or one of `names`; short ones could be anything."""
    words = [re.escape(name) for name in names if len(name) > 4]
    places = re.compile(
        r"(?<![\w.$}-])(?:/(?:tmp|home|root|work|Users|var|opt)/[\w.-]+" + "".join(f"|{word}" for word in words) + ")"
    )
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        named = sorted(set(places.findall(path.read_text(encoding="utf-8"))))
        found += [f"{path.name} names {word}" for word in named]
    return found


def _too_large(folder: Path) -> list[str]:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{size:,} bytes")
    return [f"{size:,} bytes are more than {MOST_BYTES:,}"] if size > MOST_BYTES else []


if __name__ == "__main__":
    sys.exit(main())
