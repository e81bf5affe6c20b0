"""This machine, or the container that we run in: where reports go, memory, open files, cores, the clock."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import chaoscheck
from chaoscheck.model.checkup import Check, ok, problem, warn
from chaoscheck.phases.sizing import Sizing
from chaoscheck.plan.plan import Plan

_LITTLE_DISK, _NO_DISK = 1e9, 50e6
_LITTLE_MEMORY = 500e6
_RATE_A_CORE = 500.0
"""Requests a second: what one core carries beside the instances, the balancer and the stores, with room to spare."""
_BUSY = 2.0
"""Processes that want a core at a time, for each there is: beyond that everything waits."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine(reports: Path, plan: Plan | None, sizing: Sizing | None) -> Iterator[Check]:
    """All of it; `sizing` is what the plan's evidence asks for."""
    yield ok("chaoscheck", f"{chaoscheck.__version__}, Python {platform.python_version()}, {platform.system()}")
    yield from _reports(reports)
    yield _memory()
    yield _files(sizing)
    yield _cores(plan, sizing)
    yield _clock()


def _reports(reports: Path) -> Iterator[Check]:
    there = next(folder for folder in (reports.absolute(), *reports.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        yield problem("reports", f"{reports} can't be written: {error.strerror}", "name another folder with --out")
        return
    free = shutil.disk_usage(there).free
    seen = f"{reports} can be written, {free / 1e9:.1f} GB free"
    if free < _NO_DISK:
        yield problem("reports", seen, "a run writes its whole history there: make room")
    elif free < _LITTLE_DISK:
        yield warn("reports", seen, "a long run's history may not fit")
    else:
        yield ok("reports", seen)


def _memory() -> Check:
    free = available_memory(Path("/proc/meminfo"))
    if free is None:
        return warn("memory", "this system doesn't tell how much is free")
    if free < _LITTLE_MEMORY:
        return warn("memory", f"{free / 1e9:.2f} GB free", "the load may starve: a run that can't keep up is INVALID")
    return ok("memory", f"{free / 1e9:.1f} GB free")


def available_memory(told: Path) -> float | None:
    """Bytes that are free, within the limit of this container if there is one; None where nothing tells."""
    try:
        rows = dict(line.split(":", 1) for line in told.read_text().splitlines() if ":" in line)
        free = float(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None
    return min([free, *(float(text) for text in map(_text, _LIMITS) if text.isdigit())])


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _files(sizing: Sizing | None) -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 200 + 4 * (sizing.users if sizing else 100)
    if soft != resource.RLIM_INFINITY and soft < needed:
        return problem("open files", f"{soft} at most, and about {needed} are needed", f"ulimit -n {needed}")
    return ok("open files", "no limit" if soft == resource.RLIM_INFINITY else f"{soft} at most")


def _cores(plan: Plan | None, sizing: Sizing | None) -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0]
    if load > _BUSY * cores:
        hint = "what starves here ends as INVALID: run when it is less busy"
        return warn("cores", f"{cores}, and {load:.0f} processes want one at a time already", hint)
    if plan is None or sizing is None:
        return ok("cores", f"{cores}")
    seen = f"{cores} for {plan.traffic.rate:g} requests/s of {sizing.users} users on {plan.instances} instances"
    if plan.traffic.rate > _RATE_A_CORE * cores:
        return warn("cores", seen, "a load that can't keep up makes a run INVALID: lower traffic.rate, or more cores")
    if plan.instances > 4 * cores:
        return warn("cores", seen, "so many instances may answer too slowly here: fewer instances, or more cores")
    return ok("cores", seen)


def _clock() -> Check:
    info = time.get_clock_info("monotonic")
    readings = [time.monotonic_ns() for _ in range(100)]
    if not info.monotonic or readings != sorted(readings) or info.resolution > 0.001:
        return problem("own clock", f"{info.implementation} is no steady clock, resolution {info.resolution:g} s")
    return ok("own clock", f"{info.implementation} is steady, resolution {info.resolution * 1e9:g} ns")
