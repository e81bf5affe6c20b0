"""Recall and precision of the verifier: runs the catalogue of defects and their fixed twins, and compares."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from chaoscheck.errors import ChaosError
from chaoscheck.plan.load import load_plan
from chaoscheck.run import Options, run
from scripts.comparing import Row, compare, enough, failed
from scripts.tables import lines, markdown, replaced

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "targets" / "catalogue"
README = ROOT / "README.md"


def main() -> int:
    """0 when every defect was caught and nothing else was accused."""
    words = _words()
    os.chdir(ROOT)
    # Local processes find the shop's own libraries beside this interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plans = [path for path in catalogue() if not words.only or any(part in path.stem for part in words.only)]
    if not plans:
        print(f"calibrate: no plan of {CATALOGUE} is named like {' or '.join(words.only)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    rows: list[Row] = []
    try:
        for row in _rows(plans, range(words.first_seed, words.first_seed + words.seeds), words.at_once, words.out):
            rows.append(row)
            print("\n".join(lines(row)), flush=True)
    except KeyboardInterrupt:
        print("calibrate: interrupted, so nothing is shown", file=sys.stderr)
        return 130
    table = markdown(rows, time.monotonic() - began)
    print(f"\n{table}")
    if words.write:
        README.write_text(replaced(README.read_text(encoding="utf-8"), table), encoding="utf-8")
    return 1 if failed(rows) else 0


def catalogue() -> list[Path]:
    """Every plan; those that take longest come first, so that none of them runs alone at the end."""
    return sorted(
        [*CATALOGUE.glob("*.yaml"), *CATALOGUE.glob("*/*.yaml")], key=lambda path: (path.parent.name == "defects", path)
    )


def calibrated(path: Path, seed: int, reports: Path) -> Row:
    """Run that plan to the end, or a defect's to its expected finding."""
    began = time.monotonic()
    loaded = load_plan(path, overrides={("seed",): seed}, environment={})
    if loaded.plan.balancer.kind == "haproxy" and shutil.which("haproxy") is None:
        loaded = load_plan(path, overrides={("seed",): seed, ("engine",): "docker"}, environment={})
    expect = loaded.plan.expect
    if expect is None:
        raise SystemExit(f"{path}: a plan of the catalogue says what it expects")
    asked = (lambda result: enough(expect, result)) if expect.verdict == "FAIL" else None
    result, folder = run(loaded, Options(reports=reports, enough=asked))
    return compare(path.stem, expect, result, folder.events(), time.monotonic() - began)


def _tried(path: Path, seed: int, reports: Path) -> Row:
    """What goes wrong with one run must not hide how the others end."""
    began = time.monotonic()
    try:
        return calibrated(path, seed, reports)
    except ChaosError as error:
        why = error.message
    except Exception as error:
        traceback.print_exc()
        why = f"{type(error).__name__}: {error}"
    return Row(
        target=path.stem, seed=seed, defect=path.parent.name == "defects", expected="a judged run", got="none",
        first_s=-1.0, kills=0, exposures=0, took_s=time.monotonic() - began, wrong=(why,),
    )  # fmt: skip


def _rows(plans: Sequence[Path], seeds: range, at_once: int, reports: Path) -> Iterator[Row]:
    """Two at a time where that disturbs nothing; a service that waits for the processor keeps its writes later."""
    timed = [path for path in plans if _estimates(path)]
    yield from _at_once([path for path in plans if path not in timed], seeds, at_once, reports)
    yield from _at_once(timed, seeds, 1, reports)


def _estimates(path: Path) -> bool:
    expect = load_plan(path, environment={}).plan.expect
    return expect is not None and expect.lost_ms is not None


def _at_once(plans: Sequence[Path], seeds: range, at_once: int, reports: Path) -> Iterator[Row]:
    """Each run in a process of its own: signals are for the main thread."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(at_once, mp_context=spawn, max_tasks_per_child=1)
    try:
        waiting: list[Future[Row]] = [pool.submit(_tried, path, seed, reports) for seed in seeds for path in plans]
        for done in as_completed(waiting):
            yield done.result()
    finally:
        # After Ctrl-C the runs under way clean up after themselves, and no others begin.
        pool.shutdown(cancel_futures=True)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="calibrate", description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of names: run these plans only")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (default 1)")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2, help="runs at a time (default 2)")
    parser.add_argument("--out", type=Path, default=ROOT / "reports", help="where runs are kept")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
