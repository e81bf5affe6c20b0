"""A run is a directory: write it while it goes on, finish it, load it again."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import ValidationError

from chaoscheck.errors import EnvironmentTrouble, HistoryDamaged
from chaoscheck.model.codec import Unreadable, decode, encode
from chaoscheck.model.events import Event, read_events
from chaoscheck.model.history import BalancerRow, Row, read_file
from chaoscheck.model.litter import EVENTS, IGNORE
from chaoscheck.model.secrecy import MASK
from chaoscheck.model.verdict import Result
from chaoscheck.plan.load import key_lines
from chaoscheck.plan.plan import Accounts, LoadedPlan, Plan
from chaoscheck.steps.blacken import blacken

RESULT_VERSION = 1
LATEST = "latest"
_FOREIGN = "give a folder that chaoscheck run wrote, such as reports/latest"


def run_id(plan: Path, started: datetime, noise: str) -> str:
    """`20261122-101530-shop-redis-1a2b`: when, which plan, and a few letters against clashes (never the seed's)."""
    stem = re.sub(r"[^a-z0-9]+", "-", plan.stem.lower()).strip("-")[:40] or "plan"
    return f"{started:%Y%m%d-%H%M%S}-{stem}-{noise}"


def near(path: Path) -> str:
    """The path from the current folder where it lies below it."""
    whole, here = path.resolve(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(path)


def encode_result(result: Result) -> bytes:
    """result.json: the same result gives the same bytes."""
    return (json.dumps(encode(result), indent=1, allow_nan=False) + "\n").encode("ascii")


def decode_result(data: bytes, *, where: str = "result.json") -> Result:
    """The result of those bytes. Raises HistoryDamaged for anything else, other versions included."""
    try:
        raw = json.loads(data)
    except ValueError:
        raise HistoryDamaged(f"{where} is not JSON", hint="judge the run again with chaoscheck check") from None
    version = raw.get("version") if isinstance(raw, dict) else None
    if version != RESULT_VERSION:
        raise HistoryDamaged(
            f"{where} is of version {version!r}, not {RESULT_VERSION}", hint="judge the run again with chaoscheck check"
        )
    try:
        return decode(Result, raw)
    except Unreadable as error:
        raise HistoryDamaged(
            f"{where} is not a result: {error}", hint="judge the run again with chaoscheck check"
        ) from None


class RunFolder:
    """The directory of one run.

    plan.yaml  plan.json      the plan's text as run; the plan with every default filled in
    events.ndjson             what the controller saw and did, each line on disk before the next
    history/<worker>.ndjson   every attempt; history/balancer.ndjson is the balancer's own word
    result.json  report.html  junit.xml  logs/
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path.name
        self.history = path / "history"
        self.logs = path / "logs"
        self.result_file = path / "result.json"
        self._events_file = path / EVENTS
        self._balancer_file = self.history / "balancer.ndjson"

    @classmethod
    def create(cls, reports: Path, run: str, loaded: LoadedPlan) -> RunFolder:
        """Make `reports/<run>` (FileExistsError when it is there), save the plan, and point `reports/latest` to it."""
        if not reports.exists() or not any(reports.iterdir()):
            reports.mkdir(parents=True, exist_ok=True)
            (reports / ".gitignore").write_text(IGNORE, encoding="utf-8")
        folder = cls(reports / run)
        folder.history.mkdir(parents=True)
        folder.logs.mkdir()
        (folder.path / "plan.yaml").write_text(loaded.text, encoding="utf-8")
        (folder.path / "plan.json").write_text(_saved(loaded), encoding="utf-8")
        folder._events_file.touch()
        _point_latest(reports, run)
        return folder

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def on(self, event: Event) -> None:
        """Append an event; it is with the operating system when this returns, so a -9 right after loses nothing."""
        if not hasattr(self, "_events"):
            self._events = self._events_file.open("a", encoding="utf-8")
        self._events.write(event.line())
        self._events.flush()

    def save_balancer(self, rows: Iterable[BalancerRow]) -> None:
        """Write the balancer's log, whole."""
        with self._balancer_file.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)

    def blacken_logs(self, secrets: Iterable[str]) -> None:
        """Overwrite these in all that services printed; each file is tried. Raises EnvironmentTrouble."""
        words, trouble = tuple(secrets), ""
        for path in sorted(self.logs.rglob("*")):
            try:
                if path.is_file() and not path.is_symlink():
                    blacken(path, words)
            except OSError as error:
                trouble = trouble or f"secrets may stand in {path}, which can't be written: {error.strerror}"
        if trouble:
            raise EnvironmentTrouble(trouble, hint="delete it before you pass the run's folder on")

    def finish(self, result: Result) -> Path:
        """Write result.json, whole or not at all."""
        part = self.result_file.with_suffix(".part")
        part.write_bytes(encode_result(result))
        part.replace(self.result_file)
        return self.result_file

    def close(self) -> None:
        if hasattr(self, "_events"):
            self._events.close()
            del self._events

    def result(self) -> Result:
        """The saved result. Raises HistoryDamaged when there is none that can be read."""
        try:
            data = self.result_file.read_bytes()
        except OSError:
            raise HistoryDamaged(
                f"{self.path} has no result.json", hint="judge the run with chaoscheck check"
            ) from None
        return decode_result(data, where=str(self.result_file))

    def plan(self) -> LoadedPlan:
        """The plan as run. Raises HistoryDamaged."""
        try:
            text = (self.path / "plan.yaml").read_text(encoding="utf-8")
            plan = Plan.model_validate_json((self.path / "plan.json").read_bytes())
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            said = str(error).splitlines()[0]
            raise HistoryDamaged(f"the plan in {self.path} can't be read: {said}", hint=_FOREIGN) from None
        path = self.path / "plan.yaml"
        return LoadedPlan(plan=plan, path=path, text=text, lines=key_lines(text, path))

    def events(self) -> list[Event]:
        """All events; a last line cut off by a crash is left out. Raises HistoryDamaged for damage anywhere else."""
        lines = _lines(self._events_file)
        try:
            events = list(read_events(lines))
        except (KeyError, TypeError, AttributeError) as error:
            raise HistoryDamaged(f"{self._events_file} has a line that is no event ({error})", hint=_FOREIGN) from None
        if len(events) < len(lines) - 1:
            raise HistoryDamaged(
                f"{self._events_file}:{len(events) + 1} is not an event: {lines[len(events)][:80]!r}",
                hint="a line in the middle is broken, so what this run showed can't be told any more",
            )
        return events

    def histories(self) -> list[Path]:
        """The workers' history files, in the order of their names."""
        return [path for path in sorted(self.history.glob("*.ndjson")) if path != self._balancer_file]

    def rows(self) -> Iterator[Row]:
        """Rows of all workers, a file after the other; each file's are in the order in which they became known."""
        for path in self.histories():
            yield from read_file(path)

    def balancer(self) -> Iterator[BalancerRow]:
        """What the balancer logged; nothing when it kept no log. A last line that was cut off is left out."""
        lines = _lines(self._balancer_file) if self._balancer_file.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                yield BalancerRow(*json.loads(line))
            except (ValueError, TypeError):
                if number < len(lines):
                    raise HistoryDamaged(
                        f"{self._balancer_file}:{number} is not a row of a balancer's log", hint=_FOREIGN
                    ) from None


def _saved(loaded: LoadedPlan) -> str:
    """The plan with every default. Settings that don't stand in its text are masked: what the environment, an env file
    or a compose file gave may be secret, and judging needs none of it."""
    data = loaded.plan.model_dump(mode="json", by_alias=True)

    def masked(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: masked(each) for name, each in value.items()}
        if isinstance(value, list):
            return [masked(each) for each in value]
        return MASK if isinstance(value, str) and value not in loaded.text else value

    target, accounts = data["target"], data["accounts"]
    for section in (target, *data["stores"].values()):
        ready, container = section["ready"] or {}, section["container"]
        for holder, names in (
            (section, ("env", "build_args", "command", "setup", "headers")),
            (container, ("texts", "command", "entrypoint")),
            (ready, ("command",)),
        ):
            holder |= {name: masked(holder[name]) for name in names if holder.get(name)}
    if target["auth"] and target["auth"] not in loaded.text:
        user = target["auth"].partition(":")[0]
        target["auth"] = f"{masked(user)}:{MASK}"
    if accounts["password"] != Accounts().password:
        accounts["password"] = masked(accounts["password"])
    data["secrets"] = masked(data["secrets"])
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def load(path: Path) -> RunFolder:
    """The run in that folder (or that `latest` names). Raises HistoryDamaged, with a hint, when it isn't one."""
    if path.is_file() and path.name == LATEST:
        path = path.parent / path.read_text(encoding="utf-8").strip()
    if not path.is_dir():
        near = Path("reports") / path
        raise HistoryDamaged(f"there is no run at {path}", hint=f"is it {near}?" if near.exists() else _FOREIGN)
    path = path.resolve()
    missing = [name for name in ("plan.yaml", "plan.json", "events.ndjson", "history") if not (path / name).exists()]
    if missing:
        raise HistoryDamaged(f"{path} is no run of chaoscheck: it has no {missing[0]}", hint=_FOREIGN)
    return RunFolder(path)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryDamaged(f"{path} can't be read: {error}", hint=_FOREIGN) from None


def _point_latest(reports: Path, run: str) -> None:
    """`latest` is a symlink, or a file that holds the run's name where there are no symlinks."""
    latest, fresh = reports / LATEST, reports / f".latest-{run}"
    try:
        fresh.symlink_to(run, target_is_directory=True)
    except (OSError, NotImplementedError):
        fresh.write_text(run + "\n", encoding="utf-8")
    try:
        fresh.replace(latest)
    except OSError:
        # Something of the user's own is in the way (a folder, say): the run matters more than its short name.
        with contextlib.suppress(OSError):
            fresh.unlink()
