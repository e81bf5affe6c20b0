"""Whole runs through the command line, as a user starts them: their plan, their end, and what they left running."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaoscheck.model.verdict import Result
from chaoscheck.store import RunFolder

ROOT = Path(__file__).resolve().parents[2]
SERVICE = Path(__file__).parent / "plain_service"
TINY = Path(__file__).parent / "tiny_service"
LIMIT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command's exit code, its two streams, and the folder of the run that it made, if it did."""

    code: int
    out: str
    err: str
    folder: Path | None

    @property
    def run(self) -> Path:
        assert self.folder is not None, f"no run folder was made:\n{self.out}\n{self.err}"
        return self.folder

    def result(self) -> Result:
        """The result, when every report is there."""
        for name in ("result.json", "junit.xml", "report.html"):
            assert (self.run / name).stat().st_size > 0, f"{name} is empty"
        return RunFolder(self.run).result()

    @property
    def said(self) -> str:
        """All of it in one line, whatever the terminal's width did to it."""
        return " ".join(f"{self.out} {self.err}".split())


@dataclass(slots=True, kw_only=True)
class Desk:
    """A user's folder: a plan of the plain service, changed key by key, and commands run there.

    `runtime` is where runs as local processes find each other: a folder of a test's own keeps others' sweeps out.
    """

    folder: Path
    runtime: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runtime.mkdir(exist_ok=True)

    @property
    def env(self) -> dict[str, str]:
        """The environment of its commands; the mark is inherited by what they start."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
            "XDG_RUNTIME_DIR": str(self.runtime),
            "TROUBLE_DESK": self.mark,
        }

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def plan(self, name: str = "plan.yaml", **changes: Any) -> Path:
        """Write the plain service's plan with those keys changed (`target__env__MODE="ill"`; None takes one away)."""
        raw = copy.deepcopy(yaml.safe_load((SERVICE / "plan.yaml").read_text()))
        raw["target"]["command"] = ["python", str(SERVICE / "serve.py")]
        return self._write(name, raw, changes)

    def docker_plan(self, name: str = "plan.yaml", **changes: Any) -> Path:
        """The same for the tiny service, whose image needs nothing but the base image."""
        raw = copy.deepcopy(yaml.safe_load((SERVICE / "plan.yaml").read_text()))
        raw["target"] = {
            "build": str(TINY),
            "ready": {"get": "/healthz", "within": "30s"},
            "env": {"SHARED_DIR": "/shared"},
            "volumes": {"shared": "/shared"},
        }
        raw["engine"] = "docker"
        raw["promises"] = {
            "notes": {
                "kind": "kept",
                "do": {"get": "/put/shared/$value", "expect": "written"},
                "see": {"get": "/get/shared", "expect": "$value"},
            }
        }
        return self._write(name, raw, changes)

    def _write(self, name: str, raw: dict[str, Any], changes: Mapping[str, Any]) -> Path:
        for key, value in changes.items():
            _change(raw, key.split("__"), value)
        path = self.folder / name
        path.write_text(yaml.safe_dump(raw, sort_keys=False))
        return path

    def start(self, *words: str | Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Begin `chaoscheck` with those words, its output into files."""
        number = len(self.started)
        with self._stream(number, "out").open("w") as out, self._stream(number, "err").open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "chaoscheck", *map(str, words)],
                cwd=self.folder,
                stdout=out,
                stderr=err,
                text=True,
                preexec_fn=_hear_interrupts,
                env={**self.env, **(env or {})},
            )
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for it."""
        code = process.wait(LIMIT_S)
        runs = self._runs()
        return Ended(
            code=code, out=self.text(process, "out"), err=self.text(process, "err"), folder=runs[-1] if runs else None
        )

    def run(self, *words: str | Path, env: Mapping[str, str] | None = None) -> Ended:
        return self.end(self.start(*words, env=env))

    def text(self, process: subprocess.Popen[str], stream: str) -> str:
        """What it printed so far."""
        return self._stream(self.started.index(process), stream).read_text()

    def until(self, process: subprocess.Popen[str], text: str, *, limit_s: float = LIMIT_S) -> None:
        """Wait until it printed that on stderr."""
        await_(lambda: text in self.text(process, "err") or process.poll() is not None, f"'{text}'", limit_s=limit_s)
        assert process.poll() is None, f"it ended before it said '{text}': {self.text(process, 'err')}"

    def left(self) -> list[str]:
        """Processes that anything started here left: ours by an inherited variable, instances by their run's mark."""
        marks = [f"TROUBLE_DESK={self.mark}", *(f"CHAOSCHECK_MARK={run.name}/" for run in self._runs())]
        return [words for environ, words in _processes() if any(mark in environ for mark in marks)]

    def workers(self) -> list[int]:
        """Ids of the traffic workers that live."""
        mine = [words for environ, words in _processes() if f"TROUBLE_DESK={self.mark}" in environ]
        return [int(words.split()[0]) for words in mine if "chaoscheck.traffic.worker" in words]

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait(10)

    def _runs(self) -> list[Path]:
        return sorted(path for path in self.reports.glob("2*") if path.is_dir())

    def _stream(self, number: int, name: str) -> Path:
        return self.folder / f"{number}.{name}"


def await_(done: Callable[[], bool], what: str, *, limit_s: float = LIMIT_S) -> None:
    """Wait until `done()`."""
    until = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < until, f"waited {limit_s:g} s for {what}"
        time.sleep(0.03)


def _processes() -> list[tuple[str, str]]:
    """Environment and words of every process that we may look into."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                environ = (entry / "environ").read_bytes().decode("utf-8", "replace")
                words = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            found.append((environ, f"{entry.name} {words.replace(chr(0), ' ')}"))
    return found


def _hear_interrupts() -> None:
    """A shell's background jobs ignore Ctrl-C, and would hand that down."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _change(raw: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        raw = raw.setdefault(key, {})
    if value is None:
        raw.pop(keys[-1], None)
    else:
        raw[keys[-1]] = value
