"""Thirty kills in containers: from the signal to the recorded death, the first refusal, the replacement ready."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.gate import gate
from chaoscheck.model.verdict import KillRow

ROUNDS = 10


def since_signal_ms(kills: list[KillRow], field: str) -> list[float]:
    """Milliseconds from the signal to that time of each kill, where it was seen."""
    times = [(kill.signal_ns, getattr(kill, field)) for kill in kills]
    return sorted((at - signal) / 1e6 for signal, at in times if at >= 0)


def main() -> int:
    """0 when all kills were confirmed."""
    with tempfile.TemporaryDirectory() as reports:
        folder, wall_s = gate(Path(reports), ROUNDS=str(ROUNDS))
        kills = [kill for kill in folder.result().kills if kill.mode != "sham"]
    landed = [kill for kill in kills if kill.confirmed]
    print(f"{len(landed)} of {len(kills)} kills confirmed in {wall_s:.0f} s; ms after the signal:")
    for name, field in (
        ("recorded death", "death_ns"),
        ("first refused request", "refused_ns"),
        ("replacement ready", "ready_ns"),
    ):
        times = since_signal_ms(landed, field)
        if times:
            spread = f"from {times[0]:.1f} to {times[-1]:.1f}"
            print(f"  {name:24} median {statistics.median(times):7.1f}   {spread}   n = {len(times)}")
    return 0 if landed and len(landed) == len(kills) else 1


if __name__ == "__main__":
    sys.exit(main())
