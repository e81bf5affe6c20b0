"""The page over all runs: complete, atomic, and patient with whatever else lies in the folder."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from samples import results

from chaoscheck.model.verdict import Verdict
from chaoscheck.reporting import heads as heads_module
from chaoscheck.reporting.heads import head, heads
from chaoscheck.reporting.index import MARK, NAME, OPEN, SHOWN, index, write_index
from chaoscheck.store import encode_result


def saved(reports: Path, name: str, verdict: Verdict = Verdict.PASS, **changes: object) -> Path:
    """A run's folder as a list of runs sees it."""
    folder = reports / name
    folder.mkdir(parents=True)
    made = replace(results.result(verdict), run=name, **changes)  # type: ignore[arg-type]
    (folder / "result.json").write_bytes(encode_result(made))
    (folder / "report.html").write_text("the report")
    return folder


def unfinished(reports: Path, name: str) -> Path:
    folder = reports / name
    (folder / "history").mkdir(parents=True)
    (folder / "plan.yaml").touch()
    (folder / "events.ndjson").touch()
    return folder


def test_head_is_what_the_result_says(tmp_path: Path) -> None:
    """Read from a part of the file, and the same as read whole."""
    folder = saved(tmp_path, "20261122-101530-shop-1a2b", Verdict.FAIL)
    made, whole = head(folder), results.result(Verdict.FAIL)
    assert made is not None
    assert (made.verdict, made.reason, made.plan, made.seed) == (whole.verdict, whole.reason, whole.plan, whole.seed)
    assert made.kills == sum(row.mode != "sham" for row in whole.kills)
    assert made.exposures == min(one.exposures for one in whole.promises)
    text = (folder / "result.json").read_text()
    (folder / "result.json").write_text(re.sub(r"\s*\n\s*", " ", text))
    assert head(folder) == made, "written by something else than us it is read all the same"


def test_runs_are_listed_newest_first_and_grouped_by_plan(tmp_path: Path) -> None:
    """What was just run is on top."""
    saved(tmp_path, "a", plan="one.yaml", started="2026-11-22T10:00:00Z")
    saved(tmp_path, "b", Verdict.FAIL, plan="two.yaml", started="2026-11-22T11:00:00Z")
    saved(tmp_path, "c", plan="one.yaml", started="2026-11-22T12:00:00Z")
    assert [one.run for one in heads(tmp_path)] == ["c", "b", "a"]
    page = index(heads(tmp_path))
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["one.yaml", "two.yaml"]
    assert re.findall(r'<a href="(\w)/report.html">', page) == ["c", "a", "b"]
    strip = re.findall(r'<ol class="strip".*?</ol>', page)[0]
    assert re.findall(r'href="(\w)/report', strip) == ["a", "c"], "the newest verdict is on the right"


def test_foreign_damaged_and_unfinished_folders_stop_nobody(tmp_path: Path) -> None:
    """Runs that can be read are listed; those that can't are named as such; what is no run is left out."""
    saved(tmp_path, "good")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file.txt").touch()
    (tmp_path / "latest").symlink_to("good")
    unfinished(tmp_path, "20261122-101530-shop-redis-1a2b")
    odd = encode_result(results.result(Verdict.PASS)).decode()
    infinite = re.sub(r"\"seed\": \d+", '"seed": 1e999', odd)
    assert infinite != odd
    for name, text in (("infinite", infinite), ("deep", "[" * 100_000)):
        saved(tmp_path, name)
        (tmp_path / name / "result.json").write_text(text)
    for name, text in (("torn", '{"version": 1, "verd'), ("odd", "[]"), ("alien", '{"verdict": "MAYBE"}')):
        saved(tmp_path, name)
        (tmp_path / name / "result.json").write_text(text)
    listed = {one.run: one for one in heads(tmp_path)}
    assert set(listed) == {"good", "infinite", "deep", "torn", "odd", "alien", "20261122-101530-shop-redis-1a2b"}
    assert listed["torn"].verdict is None
    assert "can't be read" in listed["torn"].trouble
    cut = listed["20261122-101530-shop-redis-1a2b"]
    assert (cut.started, cut.plan) == ("2026-11-22T10:15:30Z", "shop-redis.yaml")
    assert write_index(tmp_path) == tmp_path / NAME


def test_folder_whose_name_is_no_text_is_linked_all_the_same(tmp_path: Path) -> None:
    """It must not cost the run that has just ended its verdict."""
    saved(tmp_path, os.fsdecode(b"a\xff<b>"))
    assert write_index(tmp_path) == tmp_path / NAME
    assert 'href="a%FF%3Cb%3E/report.html"' in (tmp_path / NAME).read_text()


def test_hostile_words_of_a_result_are_text(tmp_path: Path) -> None:
    """A reason quotes what a service answered."""
    saved(tmp_path, "bad", reason=results.HOSTILE, plan="<b>x</b>.yaml")
    page = index(heads(tmp_path))
    assert "<script>alert" not in page
    assert "<b>x" not in page
    assert "\x1b" not in page and "\u202e" not in page


def test_page_needs_no_script_and_no_network(tmp_path: Path) -> None:
    """A strict policy, and nothing that asks for anything elsewhere."""
    saved(tmp_path, "a")
    page = index(heads(tmp_path))
    assert "default-src 'none'" in page
    assert "<script" not in page and "http://" not in page and "https://" not in page


def test_page_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    """Only a page that says that it is ours is replaced."""
    saved(tmp_path, "a")
    mine = tmp_path / NAME
    mine.write_text("<h1>our team's runs</h1>")
    assert write_index(tmp_path) is None
    assert mine.read_text() == "<h1>our team's runs</h1>"
    mine.unlink()
    write_index(tmp_path)
    assert MARK in mine.read_text()
    assert write_index(tmp_path) == mine


def test_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    """A run's verdict must not hang on a list of runs."""
    assert write_index(tmp_path / "missing") is None


def test_run_that_ends_meanwhile_is_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs end together: whoever writes last must not have looked before the other was there."""
    from chaoscheck.reporting import index as module

    saved(tmp_path, "first")
    looked: list[int] = []

    def slow(reports: Path) -> list[heads_module.Head]:
        found = heads(reports)
        if not looked:
            saved(tmp_path, "second")
        looked.append(1)
        return found

    monkeypatch.setattr(module, "heads", slow)
    path = write_index(tmp_path)
    assert path is not None and "second/report.html" in path.read_text()
    assert len(looked) == 2


def test_five_hundred_runs_are_written_in_a_second_and_the_rest_is_counted(tmp_path: Path) -> None:
    """It is written after each run, so it must cost next to nothing."""
    data = encode_result(results.result(Verdict.FAIL))
    for number in range(SHOWN + 3):
        folder = tmp_path / f"run-{number:04}"
        folder.mkdir()
        (folder / "result.json").write_bytes(data)
    began = time.perf_counter()
    path = write_index(tmp_path)
    took = time.perf_counter() - began
    assert path is not None
    page = path.read_text()
    assert took < 2.0, "half a second on a quiet machine"
    assert len(page) < 700_000
    assert "3 older runs not shown" in page
    assert page.count("<tr class=") == SHOWN
    assert f"{SHOWN - OPEN} older runs</summary>" in page
