"""The committed example is a real run: it can be judged again, is small, and tells nothing of the machine it ran on."""

from __future__ import annotations

import shutil
from pathlib import Path

from chaoscheck import plugins
from chaoscheck.model.verdict import Verdict
from chaoscheck.run import conclude
from chaoscheck.store import encode_result, load
from scripts.example import EXAMPLE, MOST_BYTES, leaks


def test_example_judged_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """`chaoscheck check reports/example` is what a newcomer types first; when judging changes, `make example`."""
    plugins.load()
    folder = load(shutil.copytree(EXAMPLE, tmp_path / "example"))
    before = folder.result_file.read_bytes()
    result = conclude(folder)
    assert result.verdict is Verdict.FAIL
    assert any(finding.strike >= 0 for finding in result.findings), "it shows a kill that did it"
    assert encode_result(result) == before, "make example writes it again"


def test_example_names_no_path_of_a_machine_and_stays_small() -> None:
    """It is read by strangers, and cloned by everybody."""
    assert leaks(EXAMPLE) == []
    assert sum(path.stat().st_size for path in EXAMPLE.rglob("*") if path.is_file()) <= MOST_BYTES
