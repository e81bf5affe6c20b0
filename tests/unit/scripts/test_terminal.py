"""The picture of a run's live view: true to the run, and complete in itself."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from samples import story

from chaoscheck import plugins
from chaoscheck.run import conclude
from scripts.terminal import main


@pytest.fixture
def run(tmp_path: Path) -> Path:
    plugins.load()
    folder = story.write(tmp_path)
    conclude(folder)
    return folder.path


def test_text_of_a_moment_is_what_the_terminal_showed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Needs and budget come from the plan that the run was made with."""
    assert main([str(run), "--at", "30.9"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "run       memory-sticky  3 instances on docker behind haproxy, seed 7"
    assert any(re.match(r"evidence  login +183 of 299", line) for line in lines)
    assert any(re.match(r"budget    bad s a kill +0.01 of 1.30", line) for line in lines)
    assert all(len(line) <= 77 for line in lines)


def test_picture_fetches_nothing(run: Path, tmp_path: Path) -> None:
    """A README's picture that loads a font from elsewhere would tell somebody who reads it."""
    file = tmp_path / "terminal.svg"
    assert main([str(run), "--at", "30.9", "--width", "100", "--svg", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in text and "url(http" not in text
    assert "web-2.1&#160;is&#160;aimed&#160;at" in text
