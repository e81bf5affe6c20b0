"""The same image and the same plan, again and again, as a CI job would run it: is it the same verdict each time?"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one run ended in; `findings` are promise, anomaly and cause."""

    verdict: str
    exit_code: int
    findings: frozenset[tuple[str, str, str]]
    kills: int
    exposures: int
    took_s: float


def main() -> int:
    """0 when all runs of each plan ended in one verdict, and in the one that the plan expects if it says so."""
    words = _words()
    differing = 0
    for plan in words.plans:
        rows = list(_rows(plan, words))
        told = Counter(row.verdict for row in rows)
        kinds = Counter(row.findings for row in rows)
        took = sorted(row.took_s for row in rows)
        differing += len(told) > 1
        print(
            f"{plan.stem}: {', '.join(f'{count} of {len(rows)} {verdict}' for verdict, count in told.most_common())}; "
            f"findings: {len(kinds)} different {'set' if len(kinds) == 1 else 'sets'} "
            f"({'; '.join(f'{count} x {_words_of(found)}' for found, count in kinds.most_common())}); "
            f"{took[0]:.0f} to {took[-1]:.0f} s, median {took[len(took) // 2]:.0f} s",
            flush=True,
        )
    return 1 if differing else 0


def _rows(plan: Path, words: argparse.Namespace) -> Iterator[Seen]:
    for number in range(1, words.runs + 1):
        seen = _run(plan, words)
        print(
            f"{plan.stem} {number:>2}: {seen.verdict} (exit code {seen.exit_code}), {len(seen.findings)} findings, "
            f"{seen.kills} kills, {seen.exposures} exposures, {seen.took_s:.0f} s",
            flush=True,
        )
        yield seen


def _run(plan: Path, words: argparse.Namespace) -> Seen:
    """The command as a job types it; a run without a result is one that differs."""
    began = time.monotonic()
    command = [sys.executable, "-m", "chaoscheck", "run", str(plan), "--json", "--out", str(words.out), *words.args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    took = time.monotonic() - began
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        print(done.stderr[-2000:], file=sys.stderr)
        result = {"verdict": "none"}
    return Seen(
        verdict=str(result["verdict"]),
        exit_code=done.returncode,
        findings=frozenset((one["promise"], one["anomaly"], one["cause"]) for one in result.get("findings", [])),
        kills=sum(bool(one.get("confirmed")) for one in result.get("kills", [])),
        exposures=sum(int(one.get("exposures", 0)) for one in result.get("promises", [])),
        took_s=took,
    )


def _words_of(found: frozenset[tuple[str, str, str]]) -> str:
    return ", ".join(" ".join(one) for one in sorted(found)) or "none"


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="repeat", description=__doc__)
    parser.add_argument("plans", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=10, help="how often (default 10)")
    parser.add_argument("--out", type=Path, default=ROOT / "reports", help="where runs are kept")
    parser.add_argument("--args", nargs=argparse.REMAINDER, default=[], help="more words for `chaoscheck run`")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
