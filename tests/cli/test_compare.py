"""`chaoscheck compare` as it is typed: which runs it takes, what it says, and how it ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from samples import results, story

from chaoscheck.model.verdict import Verdict
from chaoscheck.store import RunFolder
from tests.cli.conftest import Command


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Saves a run with that result below reports/."""
    told = story.write(tmp_path, traffic=False).path
    source = told.rename(tmp_path / "source")
    (tmp_path / "reports" / "latest").unlink()

    def save(name: str, verdict: Verdict, **changes: Any) -> Path:
        folder = tmp_path / "reports" / name
        shutil.copytree(source, folder)
        RunFolder(folder).finish(replace(results.result(verdict), run=name, **changes))
        return folder

    return save


def test_without_words_the_newest_run_is_held_against_the_one_of_its_plan_before(
    command: Command, saved: Callable[..., Path]
) -> None:
    """A run of another plan in between is not what anybody means by previous."""
    saved("first", Verdict.PASS, plan="shop.yaml", started="2026-11-22T10:00:00Z")
    saved("other", Verdict.INVALID, plan="other.yaml", started="2026-11-22T11:00:00Z")
    saved("second", Verdict.FAIL, plan="shop.yaml", started="2026-11-22T12:00:00Z")
    code, out, err = command("compare")
    assert (code, err) == (1, "")
    assert "A  ✓ PASS  first\n" in out
    assert "B  ✗ FAIL  second\n" in out
    assert "B is worse: FAIL after PASS" in out
    assert max(map(len, out.splitlines())) <= 80


def test_better_run_ends_in_0_and_the_finding_is_gone(command: Command, saved: Callable[..., Path]) -> None:
    """The other way round the same two runs are good news."""
    saved("first", Verdict.FAIL)
    saved("second", Verdict.PASS)
    code, out, _ = command("compare", "first", "second")
    assert code == 0
    assert "B is no worse than A" in out
    assert "  gone " in out


def test_runs_are_named_by_folder_name_or_a_part_that_only_one_has(
    command: Command, saved: Callable[..., Path]
) -> None:
    """What one would copy from a list, a log or a shell."""
    folder = saved("20261122-101530-shop-1a2b", Verdict.PASS)
    saved("20261122-101530-shop-3c4d", Verdict.PASS)
    for words in ((str(folder), "3c4d"), ("1a2b", "20261122-101530-shop-3c4d"), ("reports/" + folder.name, "latest")):
        code, out, err = command("compare", *words)
        assert code == 0, err
        assert folder.name in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("nope", "latest"), "there is no run 'nope'", id="unknown"),
        pytest.param(("run", "latest"), "2 runs in reports are called something with 'run'", id="ambiguous"),
        pytest.param(("previous", "latest"), "is the only run of", id="no previous"),
    ],
)
def test_run_that_is_not_there_is_wrong_usage_with_a_hint(
    command: Command, saved: Callable[..., Path], words: tuple[str, str], said: str
) -> None:
    """1 would say that the second run is worse."""
    saved("run-a", Verdict.PASS, plan="a.yaml")
    saved("run-b", Verdict.PASS, plan="b.yaml")
    code, out, err = command("compare", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert "hint: " in err and "chaoscheck list" in err


def test_result_that_cannot_be_read_is_invalid_not_worse(command: Command, saved: Callable[..., Path]) -> None:
    """Damage proves nothing."""
    saved("first", Verdict.PASS)
    (saved("second", Verdict.PASS) / "result.json").write_text("{")
    code, _, err = command("compare", "reports/first", "reports/second")
    assert code == 4
    assert "chaoscheck check" in err


def test_comparison_as_json_holds_all_that_is_shown(command: Command, saved: Callable[..., Path]) -> None:
    """For a pipeline that keeps its own list of defects."""
    saved("first", Verdict.PASS)
    saved("second", Verdict.FAIL)
    code, out, err = command("compare", "first", "second", "--json")
    told = json.loads(out)
    assert (code, err, told["verdicts"]) == (1, "", ["PASS", "FAIL"])
    assert {one["after"] > 0 and one["before"] == 0 for one in told["findings"]} == {True}
    assert told["worse"]


def test_secrets_of_a_plan_are_masked_in_its_diff_and_hostile_words_made_visible(
    command: Command, saved: Callable[..., Path]
) -> None:
    """A comparison goes into logs and comments."""
    saved("first", Verdict.PASS)
    folder = saved("second", Verdict.FAIL, reason=results.HOSTILE)
    plan = folder / "plan.yaml"
    plan.write_text(
        plan.read_text().replace("password: pw", "password: hunter2-secret") + "secrets: [hunter2-secret]\n"
    )
    raw = json.loads((folder / "plan.json").read_text())
    raw["secrets"] = ["hunter2-secret"]
    (folder / "plan.json").write_text(json.dumps(raw))
    out = command("compare", "first", "second")[1]
    assert "hunter2" not in out
    assert "***" in out
    assert "\x1b" not in out and "\u202e" not in out
