"""Runs the benchmarks named, or all in turn: `python -m benchmarks [name...]`; 1 where one missed its target."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import cast

NAMES = ("judging", "throughput", "kills", "gate", "report")


def main(names: Sequence[str]) -> int:
    """0 when every one reached its target; 2 for a name that isn't a benchmark's."""
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            print(f"no benchmark is called {name!r}\nhint: {'did you mean ' + near[0] if near else ', '.join(NAMES)}",
                  file=sys.stderr)  # fmt: skip
            return 2
    missed = [name for name in names or NAMES if _run(name)]
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nevery target was reached")
    return 1 if missed else 0


def _run(name: str) -> int:
    print(f"\n== {name}", flush=True)
    work = cast("Callable[[], int | None]", importlib.import_module(f"benchmarks.{name}").main)
    try:
        return work() or 0
    except SystemExit as ended:
        # One that can't run here says why, and the others still get their turn.
        print(ended.code if isinstance(ended.code, str) else f"it ended with {ended.code}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
