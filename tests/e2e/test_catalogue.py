"""A few of the catalogue's defects, run for real: the matrix alone finds them, within seconds and with no kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.calibrate import CATALOGUE, calibrated, catalogue


@pytest.mark.parametrize(
    "name",
    [
        "sessions-in-memory",
        "form-known-to-one-instance",
        "stale-cache",
        "token-with-personal-data",
    ],
)
def test_defect_is_caught_with_its_cause_and_nothing_else_is_accused(name: str, tmp_path: Path) -> None:
    """As `make calibrate` judges it, and within the time that it promises."""
    row = calibrated(CATALOGUE / "defects" / f"{name}.yaml", 1, tmp_path)
    assert row.defect
    assert not row.wrong, row.wrong
    assert row.kills == 0
    assert 0 <= row.first_s < 3.0


def test_catalogue_has_every_plan() -> None:
    """Files that nobody runs prove nothing."""
    names = {path.relative_to(CATALOGUE).parts[0] for path in catalogue()}
    assert names == {"good.yaml", "defects", "harmless"}
    assert len(catalogue()) == len(list(CATALOGUE.rglob("*.yaml")))
