"""Requests a second and peak memory of a worker with its full history on, beside bare locust on the same endpoint."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.static import static_server
from chaoscheck.plan.plan import Plan
from chaoscheck.traffic.base import Assignment, Hello, PhaseIs, Tick
from chaoscheck.traffic.processes import ProcessTraffic

ROUNDS = 3
SECONDS = 5.0
USERS = 20
MANY = 1000
TARGET = 0.75

PLAN = {
    "target": {"command": ["none"], "ready": "/"},
    "promises": {
        "login": {
            "kind": "session",
            "do": {"post": "/login", "json": {"user": "$user"}, "expect": 200},
            "see": {"get": "/me", "value": "json:user", "expect": 200},
        },
        "profile": {
            "kind": "register",
            "do": {"put": "/profile", "json": {"nickname": "$value"}, "expect": 200},
            "see": {"get": "/profile?v=$value", "value": "json:nickname", "expect": 200},
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: requests a second, the processor's time for each, and the most memory that the process ever had (MB)."""

    rate: float
    cpu_us: float
    peak_mb: float


def worker(folder: Path, port: int, users: int, seconds: float) -> Measured:
    """Sessions of a worker whose turns follow each other without a pause: all its own work, and none of its waiting."""
    traffic = ProcessTraffic(folder)
    plan = Plan.model_validate(PLAN)
    traffic.start(
        [
            Assignment(
                run="bench",
                worker="w0",
                seed=1,
                plan=plan.model_dump_json(by_alias=True),
                folder=str(folder),
                clock_base_ns=time.monotonic_ns(),
                origin=f"http://127.0.0.1:{port}",
                users=users,
                first_account=0,
                account_step=1,
                turn_s=0.0,
                life_s=3600.0,
                arrivals=0.0,
                entry_host="127.0.0.1",
                entry_port=port,
                pick="",
                plan_folder=str(folder),
            )
        ]
    )
    try:
        pid = next(message.pid for message in traffic.heard() if isinstance(message, Hello))
        traffic.tell(PhaseIs(phase="baseline"))
        time.sleep(1.5)
        traffic.heard()
        began, cpu_s = time.monotonic(), _cpu_s(pid)
        made = 0
        while time.monotonic() < began + seconds:
            time.sleep(0.1)
            made += sum(message.requests for message in traffic.heard() if isinstance(message, Tick))
        took = time.monotonic() - began
        if traffic.lost():
            raise SystemExit(f"the worker ended: {traffic.lost()}")
        cpu_us = (_cpu_s(pid) - cpu_s) / max(made, 1) * 1e6
        return Measured(rate=made / took, cpu_us=cpu_us, peak_mb=_peak_mb(pid))
    finally:
        traffic.stop()


def bare(port: int, users: int, seconds: float) -> Measured:
    """The same number of bare FastHttpUsers."""
    command = [sys.executable, "-m", "benchmarks.bare", f"http://127.0.0.1:{port}", str(users), str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60 + seconds, check=True)
    seen = json.loads(ran.stdout.splitlines()[-1])
    if seen["failures"]:
        raise SystemExit(f"bare locust had {seen['failures']} failures: nothing to compare with")
    return Measured(rate=seen["rate"], cpu_us=seen["cpu_us"], peak_mb=seen["peak_mb"])


def main() -> None:
    """Alternate both, print medians and ratios."""
    with tempfile.TemporaryDirectory() as name, static_server(Path(name)) as port:
        ours: list[Measured] = []
        theirs: list[Measured] = []
        for number in range(ROUNDS):
            theirs.append(bare(port, USERS, SECONDS))
            ours.append(worker(Path(name) / f"run{number}", port, USERS, SECONDS))
        rate, base = (statistics.median(each.rate for each in side) for side in (ours, theirs))
        print(
            f"throughput, {USERS} users back to back: {rate:,.0f} requests/s with full history, "
            f"bare locust {base:,.0f}: ratio {rate / base:.2f} (at least {TARGET} wanted)"
        )
        cpu, cpu_base = (statistics.median(each.cpu_us for each in side) for side in (ours, theirs))
        print(
            f"processor time a request: {cpu:.0f} us, bare locust {cpu_base:.0f} us: ratio {cpu_base / cpu:.2f} "
            "(the same comparison where the cores are busy with other work)"
        )
        many, many_bare = worker(Path(name) / "many", port, MANY, 3.0), bare(port, MANY, 3.0)
        print(
            f"peak memory, {MANY} sessions: {many.peak_mb:.0f} MB, bare locust {many_bare.peak_mb:.0f} MB: "
            f"ratio {many.peak_mb / many_bare.peak_mb:.2f}"
        )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the system doesn't tell a process's peak memory")


if __name__ == "__main__":
    main()
