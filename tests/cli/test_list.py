"""`chaoscheck list` as it is typed, and a report that is opened."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from samples import results, story

from chaoscheck.cli import opening
from chaoscheck.model.events import RunStarted
from chaoscheck.model.verdict import Verdict
from chaoscheck.store import encode_result
from tests.cli.conftest import Command


def saved(name: str, verdict: Verdict, **changes: Any) -> None:
    folder = Path("reports") / name
    folder.mkdir(parents=True)
    (folder / "result.json").write_bytes(encode_result(replace(results.result(verdict), run=name, **changes)))


def test_list_shows_verdict_plan_and_reason_newest_first_within_80_columns(command: Command) -> None:
    """The whole screen, as it is."""
    saved("20261122-101530-shop-1a2b", Verdict.PASS, plan="shop.yaml", started="2026-11-22T10:15:30Z")
    reason = "cart: 31 carts lost: " + "kept in memory " * 9
    name = "a-plan-with-a-name-longer-than-most-of-them.yaml"
    late = {"started": "2026-11-22T11:15:30Z", "reason": reason, "interrupted": True}
    saved("20261122-111530-cart-3c4d", Verdict.FAIL, plan=name, **late)
    code, out, err = command("list")
    assert (code, err) == (0, "")
    assert out == (
        "✗ FAIL          2026-11-22 11:15:30      63.2 s  a-plan-with-a-name-longer-than…\n"
        "  cart: 31 carts lost: kept in memory kept in memory kept in memory kept in mem…\n"
        "  20261122-111530-cart-3c4d\n"
        "✓ PASS          2026-11-22 10:15:30      63.2 s  shop.yaml\n"
        "  no promise was broken in 342 or more exposures each over 6 kills, and each ki…\n"
        "  20261122-101530-shop-1a2b\n"
    )


def test_list_is_a_table_where_there_is_room(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide terminal shows exposures and whole names beside each other."""
    monkeypatch.setenv("COLUMNS", "140")
    saved("one", Verdict.PASS, plan="shop.yaml")
    out = command("list")[1]
    assert "342 of 299" in out
    assert max(map(len, out.splitlines())) <= 140


def test_list_takes_a_plan_and_a_number_and_says_what_it_left_out(command: Command) -> None:
    """A folder may hold hundreds."""
    for number in range(5):
        saved(f"run-{number}", Verdict.PASS, plan="shop.yaml" if number else "other.yaml")
    code, out, err = command("list", "--plan", "Shop", "-n", "2")
    assert (code, out.count("shop.yaml"), out.count("other.yaml")) == (0, 2, 0)
    assert "2 older runs not shown; -n 0 shows all" in err
    assert command("list", "-n", "0")[1].count("PASS") == 5


def test_list_as_json_is_what_a_program_needs(command: Command) -> None:
    """Data on stdout alone, with null where there is no verdict."""
    saved("one", Verdict.FAIL)
    for name in ("plan.yaml", "events.ndjson"):
        Path("reports/cut").mkdir(exist_ok=True)
        (Path("reports/cut") / name).touch()
    Path("reports/cut/history").mkdir()
    code, out, err = command("list", "--json")
    told = {one["run"]: one for one in json.loads(out)}
    assert (code, err) == (0, "")
    assert (told["one"]["verdict"], told["cut"]["verdict"]) == ("FAIL", None)
    assert "cut off" in told["cut"]["trouble"]


def test_list_as_json_has_the_same_keys_for_every_run_and_null_only_for_what_is_not_known(command: Command) -> None:
    """A run under way tells in its first event what it is; nothing stands for a number that isn't there."""
    saved("one", Verdict.PASS)
    run = Path("reports/20261122-101530-shop-1a2b")
    (run / "history").mkdir(parents=True)
    (run / "plan.yaml").touch()
    started = RunStarted(t_ns=0, run=run.name, version="1", seed=7, plan="the-shop.yaml", engine="docker",
                         balancer="haproxy", instances=3, command="", wall_ns=0, environment={})  # fmt: skip
    (run / "events.ndjson").write_text(started.line() + '{"event": "cut o')
    told = {one["run"]: one for one in json.loads(command("list", "--json")[1])}
    assert told["one"].keys() == told[run.name].keys()
    assert {key for key, value in told["one"].items() if value is None} <= {"report"}
    assert {key for key, value in told[run.name].items() if value is None} == {
        "verdict", "duration_s", "kills", "exposures", "needed", "report",
    }  # fmt: skip
    under_way = {key: told[run.name][key] for key in ("status", "plan", "seed", "engine", "instances", "started")}
    assert under_way == {
        "status": "no verdict", "plan": "the-shop.yaml", "seed": 7, "engine": "docker", "instances": 3,
        "started": "2026-11-22T10:15:30Z",
    }  # fmt: skip
    assert told[run.name]["reason"] == told[run.name]["trouble"] == "no verdict yet: under way, or cut off"


def test_list_of_nothing_says_so_on_stderr(command: Command) -> None:
    """No run is no error, and no empty table."""
    assert command("list") == (0, "", "no run in reports\n")


def test_list_steers_no_terminal(command: Command) -> None:
    """A reason may quote what a service answered."""
    saved("one", Verdict.FAIL, reason=results.HOSTILE, plan=results.HOSTILE)
    out = command("list")[1]
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_opened_report_without_a_display_prints_its_path_and_says_why(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a server `--open` must neither fail nor start a browser in the terminal."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    run = story.write(tmp_path)
    code, out, err = command("report", str(run.path), "--open")
    assert (code, out.strip()) == (0, f"reports/{run.run}/report.html")
    assert "there is no display here" in err


def test_opened_report_is_handed_to_the_browser_as_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its address works from any folder."""
    monkeypatch.setenv("BROWSER", "something")
    asked: list[str] = []
    page = tmp_path / "report.html"
    assert opening.open_page(page, lambda address: bool(asked.append(address)) or True)
    assert asked == [page.as_uri()]
    assert not opening.open_page(page, lambda address: False)
