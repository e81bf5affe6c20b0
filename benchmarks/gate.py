"""The default gate on the Redis shop: its wall time, and how much of it is starting and cleaning up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from chaoscheck.model.clock import NS
from chaoscheck.model.events import PhaseBegan
from chaoscheck.model.ops import Phase
from chaoscheck.store import RunFolder, load

PLAN = Path("targets/shop/plans/redis.yaml")
WALL_S, OVERHEAD_S = 75.0, 12.0


def gate(reports: Path, plan: Path = PLAN, **settings: str) -> tuple[RunFolder, float]:
    """Run that plan on Docker with those CHAOSCHECK_* settings: its folder, and the wall time of the command (s)."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "chaoscheck", "run", str(plan), "--engine", "docker", "--out", str(reports), "-q"],
        env={**os.environ, **{f"CHAOSCHECK_{name}": value for name, value in settings.items()}},
        check=False,
    )
    return load(reports / "latest"), time.monotonic() - began


def spans(folder: RunFolder) -> dict[str, float]:
    """Seconds of each phase, by its name; the last one, clean up, has none."""
    begun = [(event.phase, event.t_ns) for event in folder.events() if isinstance(event, PhaseBegan)]
    return {phase: (after - since) / NS for (phase, since), (_, after) in pairwise(begun)}


def main() -> int:
    """0 when both limits hold."""
    with tempfile.TemporaryDirectory() as reports:
        folder, wall_s = gate(Path(reports))
        result = folder.result()
        took = spans(folder)
    inside_s = sum(seconds for phase, seconds in took.items() if phase != Phase.PREPARE.value)
    overhead_s = wall_s - inside_s
    kills = sum(kill.confirmed for kill in result.kills)
    least = min(promise.exposures for promise in result.promises)
    print(
        f"{'default gate, Redis shop':34} {result.verdict.value}, {kills} kills, {len(result.kills) - kills} shams, "
        f"at least {least} exposures a promise"
    )
    print(f"{'wall time':34} {wall_s:6.1f} s   (limit {WALL_S:.0f} s)")
    print(f"{'start and clean-up (and judging)':34} {overhead_s:6.1f} s   (limit {OVERHEAD_S:.0f} s)")
    for phase, seconds in took.items():
        print(f"  {phase:32} {seconds:6.1f} s")
    return 0 if wall_s <= WALL_S and overhead_s <= OVERHEAD_S and result.verdict.value == "PASS" else 1


if __name__ == "__main__":
    sys.exit(main())
