"""The two verdicts side by side: a shop that keeps sessions in memory, and the same shop with shared sessions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLANS = Path("targets/shop/plans")
FAIL, PASS = 1, 0


def main() -> int:
    """0 when both runs end as they should, 1 otherwise."""
    os.chdir(ROOT)
    # Local processes find the shop's own libraries beside this interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shared, words = _where()
    wrong = []
    for title, plan, wanted in (
        ("sessions in memory: must end in FAIL", PLANS / "memory-round-robin.yaml", FAIL),
        ("shared sessions: must end in PASS", PLANS / shared, PASS),
    ):
        print(f"\n=== {title} ({plan})\n", flush=True)
        code = subprocess.run([sys.executable, "-m", "chaoscheck", "run", str(plan), *words], check=False).returncode
        if code == 130:
            return code
        if code != wanted:
            wrong.append(f"{plan} ended with exit code {code}, not {wanted}")
    print("\nReports: open report.html in the run folders named above (all runs are under reports/).")
    for line in wrong:
        print(f"demo: {line}", file=sys.stderr)
    return 1 if wrong else 0


def _where() -> tuple[str, list[str]]:
    """The plan with shared sessions and the flags, and says why."""
    reason = _no_engine()
    if not reason:
        print("A container engine answers: the shop runs in containers, behind HAProxy, with Redis.")
        return "redis.yaml", ["--engine", "docker"]
    print(f"{reason}: the shop runs as local processes, with SQLite, and the client balances by itself.")
    os.environ["CHAOSCHECK_BALANCER"] = "direct"
    return "sqlite.yaml", ["--engine", "process"]


def _no_engine() -> str:
    """ "" when containers can be used, else why not."""
    docker = shutil.which("docker")
    if docker is None:
        return "No container engine is installed"
    try:
        answer = subprocess.run([docker, "info"], capture_output=True, timeout=10, check=False).returncode
    except subprocess.TimeoutExpired:
        return "The container engine does not answer within 10 s"
    if answer != 0:
        return "No container engine answers"
    base = subprocess.run(
        [docker, "image", "inspect", "debian:bookworm-slim"], capture_output=True, timeout=10, check=False
    )
    return "" if base.returncode == 0 else "There is no image debian:bookworm-slim here (make docker makes it)"


if __name__ == "__main__":
    sys.exit(main())
